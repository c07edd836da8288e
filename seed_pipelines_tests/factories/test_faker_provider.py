"""Faker gives the values of seeded rows once the provider is there."""

import pytest
from faker import Faker

from seed_pipelines.factories import FACTORIES, CustomerFactory, EntityFactory, SeedProvider
from seed_pipelines.factories.record import singular

pytestmark = pytest.mark.usefixtures("seed_dataset")


@pytest.fixture
def fake() -> Faker:
    """A Faker with the provider."""
    faker = Faker("pt_BR")
    faker.add_provider(SeedProvider)
    return faker


@pytest.mark.parametrize("factory", FACTORIES.values(), ids=lambda factory: factory.__name__)
def test_each_entity_has_its_methods(factory: type[EntityFactory], fake: Faker) -> None:
    """One for its rows, and one for each column."""
    name = f"seed_{singular(factory.entity())}"
    rows = [factory.build(__sequence=number) for number in range(2)]
    assert getattr(fake, name)() == rows[0]
    for column in factory.entity().columns:
        factory.reset_sequence(1)
        assert getattr(fake, f"{name}_{column.name}")() == getattr(rows[1], column.name)


def test_short_names_stand_for_columns_of_customers(fake: Faker) -> None:
    """Each call takes the next customer."""
    customers = [CustomerFactory.build(__sequence=number) for number in range(4)]
    assert fake.seed_cpf() == customers[0].document_number
    assert fake.seed_name() == customers[1].full_name
    assert fake.seed_email() == customers[2].email
    assert fake.seed_phone() == customers[3].phone


def test_factories_and_faker_give_no_row_twice(fake: Faker) -> None:
    """They count together, and take the same arguments."""
    first, second = CustomerFactory.build(), fake.seed_customer(blocked=True)
    assert second.status == "BLOCKED"
    assert CustomerFactory.build().id > second.id > first.id


def test_fakers_seed_changes_nothing(fake: Faker) -> None:
    """The dataset alone decides."""
    numbers = []
    for seed in (1, 2):
        fake.seed_instance(seed)
        CustomerFactory.reset_sequence()
        numbers.append(fake.seed_cpf())
    assert numbers[0] == numbers[1]
