"""The factories give the pipeline's own rows: the same values, in the same order, with the rows they refer to."""

import dataclasses
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from factory.base import Factory
from factory.declarations import SubFactory

from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.entities import BY_NAME, ENTITIES, Entity
from seed_pipelines.domain.masking import Masker
from seed_pipelines.domain.masking_keys import masking_keys
from seed_pipelines.domain.plan import Plan
from seed_pipelines.domain.row_values import row_values
from seed_pipelines.errors import ManifestInvalid, RequestInvalid
from seed_pipelines.factories import (
    FACTORIES,
    BankAccountFactory,
    CustomerFactory,
    EntityFactory,
    FactoryRows,
    InstallmentFactory,
    LoanFactory,
    State,
    TenantUserFactory,
    VaultStub,
    baseline_manifest,
    use_dataset,
)
from seed_pipelines.factories.record import RECORDS, Record
from seed_pipelines_tests.contracts.api_schemas import schemas, validator
from seed_pipelines_tests.worlds import manifest

ROOT: Final = Path(__file__).parents[2]
STAGING: Final = ROOT / "manifests" / "staging" / "tenant-a.yaml"
COMPARED: Final = 200
"""Rows of an entity, at most, that are compared with the pipeline's."""

each_entity = pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
each_factory = pytest.mark.parametrize("factory", FACTORIES.values(), ids=lambda factory: factory.__name__)
each_state = pytest.mark.parametrize(
    ("factory", "state"),
    [(factory, state) for factory in FACTORIES.values() for state in factory.states()],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)


@pytest.fixture
def keys() -> VaultStub:
    """Keys that nobody keeps."""
    return VaultStub()


@pytest.fixture
def rows(keys: VaultStub) -> Iterator[FactoryRows]:
    """The default dataset in use."""
    with use_dataset(keys=keys) as found:
        yield found


def factory_of(entity: Entity) -> type[EntityFactory]:
    place = "seed_pipelines/factories/entity_factories.py"
    assert entity.name in FACTORIES, f"there is no factory for the entity {entity.name}: write one in {place}"
    return FACTORIES[entity.name]


def pipeline_rows(entity: Entity, plan: Plan, keys: VaultStub, first: int, end: int) -> list[dict[str, Any]]:
    masker = Masker(masking_keys(keys, plan))
    batch = masker.batch(entity, plan.portfolio, plan.entity_rows(entity, first, end))
    return row_values(batch.records)


def columns_of(record: Record) -> dict[str, Any]:
    return {column.name: getattr(record, column.name) for column in record.entity.columns}


class TestValues:
    @each_entity
    def test_each_entity_has_a_factory(self, entity: Entity) -> None:
        """Called after what it builds."""
        assert factory_of(entity).__name__ == f"{RECORDS[entity.name].__name__}Factory"

    @each_entity
    def test_rows_are_those_of_the_pipeline(self, entity: Entity, rows: FactoryRows, keys: VaultStub) -> None:
        """From the first one on, in the order of the pipeline."""
        made = pipeline_rows(entity, rows.plan, keys, 0, min(150, rows.plan.rows[entity.name]))[:COMPARED]
        built = factory_of(entity).build_batch(len(made))
        assert list(map(columns_of, built)) == made

    @each_entity
    def test_the_last_rows_are_those_of_the_pipeline(self, entity: Entity, keys: VaultStub) -> None:
        """Up to the border of what the manifest asks for, where no group of customers ends."""
        with use_dataset(keys=keys) as rows:
            planned = rows.plan.rows
            end = planned[entity.name] if entity.of_tenant else planned["customers"]
            made = pipeline_rows(entity, rows.plan, keys, end - 6, end)
            factory_of(entity).reset_sequence(planned[entity.name] - len(made))
            assert list(map(columns_of, factory_of(entity).build_batch(len(made)))) == made

    @each_factory
    def test_rows_go_on_beyond_the_caps(self, factory: type[EntityFactory], rows: FactoryRows) -> None:
        """With all ids and unique values different; the tenant's own entities end."""
        entity, planned = factory.entity(), rows.plan.rows[factory.entity().name]
        factory.reset_sequence(max(0, planned - 60))
        if entity.of_tenant:
            factory.build_batch(min(planned, 60))
            with pytest.raises(RequestInvalid, match=f"{planned} {entity.name}"):
                factory.build()
            return
        built = [columns_of(record) for record in factory.build_batch(160)]
        for key in (("id",), *entity.unique):
            assert len({tuple(row[name] for name in key) for row in built}) == len(built)

    def test_a_thousand_customers_are_distinct(self, rows: FactoryRows) -> None:
        """Twice what the manifest has."""
        assert rows.plan.rows["customers"] < 1000
        assert len({customer.document_number for customer in CustomerFactory.build_batch(1000)}) == 1000

    @each_factory
    def test_objects_are_valid_by_the_contract(self, factory: type[EntityFactory], rows: FactoryRows) -> None:
        """In JSON, each by the schema of its name."""
        name = RECORDS[factory.entity().name].__name__
        assert name in schemas(), f"contracts/api.openapi.yaml has no schema {name}: write it"
        for record in factory.build_batch(20):
            validator(name).validate(record.as_json())

    def test_customers_have_the_types_of_python(self, rows: FactoryRows) -> None:
        """Ids, amounts and moments are no strings."""
        customer = CustomerFactory.build()
        assert isinstance(customer.id, UUID)
        assert isinstance(customer.monthly_income, Decimal)
        assert isinstance(customer.registered_at, datetime)
        assert customer.documento == customer.document_number != "12345678901"

    def test_objects_are_frozen(self, rows: FactoryRows) -> None:
        """What was drawn stays as it was drawn."""
        customer = CustomerFactory.build()
        with pytest.raises(dataclasses.FrozenInstanceError):
            customer.full_name = "X"
        assert CustomerFactory.build(__sequence=0) == customer
        assert len({customer, CustomerFactory.build(__sequence=0)}) == 1


class TestRelations:
    @each_factory
    def test_every_reference_is_an_object(self, factory: type[EntityFactory], rows: FactoryRows) -> None:
        """With the id that the column has, and the values that its own factory gives it."""
        for record in factory.build_batch(20):
            for relation, column in record.relations.items():
                related = getattr(record, relation)
                assert (related.id if related else None) == getattr(record, column)
                assert related is None or related == rows.with_id(related.entity, related.id)

    def test_an_account_has_its_customer(self, rows: FactoryRows) -> None:
        """One of those that the customers' factory gives."""
        customers = CustomerFactory.build_batch(40)
        owners = {account.customer.id: account.customer for account in BankAccountFactory.build_batch(40)}
        assert len(owners) > 20
        assert set(owners.values()) <= set(customers)

    def test_relations_go_on(self, rows: FactoryRows) -> None:
        """From an installment to its borrower."""
        installment = InstallmentFactory.build()
        assert installment.loan.customer.id == installment.loan.customer_id

    def test_a_relation_beyond_the_caps_is_there(self, rows: FactoryRows) -> None:
        """Rows and those they hang on go on together."""
        InstallmentFactory.reset_sequence(rows.plan.rows["installments"] + 1000)
        installment = InstallmentFactory.build()
        assert installment.loan.id == installment.loan_id
        assert installment.loan.customer is not None

    def test_a_given_object_brings_its_id(self, rows: FactoryRows) -> None:
        """And a given id its object, if there is one."""
        other = CustomerFactory.build(__sequence=7)
        assert BankAccountFactory.build(customer=other).customer_id == other.id
        assert BankAccountFactory.build(customer_id=other.id).customer == other
        assert BankAccountFactory.build(customer_id=uuid4()).customer is None
        assert BankAccountFactory.build(customer=None).customer_id is None

    def test_unknown_ids_lead_nowhere(self, rows: FactoryRows) -> None:
        """Neither another version nor a customer beyond the last."""
        for row_id in (UUID(int=0), UUID(int=2**128 - 1), uuid4()):
            assert rows.with_id(BY_NAME["customers"], row_id) is None


class TestStates:
    @each_state
    def test_a_state_is_drawn(self, factory: type[EntityFactory], state: str, rows: FactoryRows) -> None:
        """It is the next row that is in the state, as the dataset has it."""
        parameter = factory._meta.parameters[state]
        assert isinstance(parameter, State)
        record = factory.build(**{state: True})
        assert getattr(record, parameter.column) == parameter.expected
        assert record == rows.with_id(record.entity, record.id)

    def test_rows_passed_over_are_not_given_later(self, rows: FactoryRows) -> None:
        """The customers of a test are distinct, and come in the order of the dataset."""
        built = [CustomerFactory.build(blocked=number % 2 == 0) for number in range(10)]
        assert [customer.status == "BLOCKED" for customer in built[::2]] == [True] * 5
        assert sorted(customer.id for customer in built) == [customer.id for customer in built]
        assert len({customer.id for customer in built}) == 10

    def test_states_of_two_columns_are_both_met(self, rows: FactoryRows) -> None:
        """In one row."""
        account = BankAccountFactory.build(blocked=True, savings=True)
        assert (account.status, account.account_type) == ("BLOCKED", "SAVINGS")

    def test_states_that_exclude_one_another_are_refused(self, rows: FactoryRows) -> None:
        """By name."""
        with pytest.raises(RequestInvalid, match="active and blocked"):
            CustomerFactory.build(active=True, blocked=True)

    def test_a_subclass_can_be_of_a_state(self, rows: FactoryRows) -> None:
        """As with a trait of factory_boy; it takes its rows from the same sequence."""

        class BlockedCustomerFactory(CustomerFactory):
            blocked = True

        first, second, third = BlockedCustomerFactory.build(), CustomerFactory.build(), BlockedCustomerFactory.build()
        assert first.status == third.status == "BLOCKED"
        assert first.id < second.id < third.id

    def test_a_state_that_never_comes_is_given_up(self, rows: FactoryRows) -> None:
        """After looking at many rows."""

        class Impossible(LoanFactory):
            class Params:
                lost = State("status", "LOST")

        with pytest.raises(RequestInvalid, match="status LOST"):
            Impossible.build(lost=True)


class TestFactoryBoy:
    def test_attributes_can_be_overridden(self, rows: FactoryRows) -> None:
        """And the others stay the row's."""
        plain, named = CustomerFactory.build(__sequence=3), CustomerFactory.build(__sequence=3, full_name="X")
        assert named.full_name == "X"
        assert named == dataclasses.replace(plain, full_name="X")

    def test_a_sequence_can_begin_anywhere(self, rows: FactoryRows) -> None:
        """Also again from the first row."""
        first = CustomerFactory.build()
        CustomerFactory.reset_sequence(400)
        assert CustomerFactory.build() == CustomerFactory.build(__sequence=400)
        CustomerFactory.reset_sequence()
        assert CustomerFactory.build() == first

    def test_an_application_can_build_its_own_class(self, rows: FactoryRows) -> None:
        """From the same rows."""

        class MyCustomer(dict[str, Any]):
            pass

        class MyCustomerFactory(CustomerFactory):
            class Meta:
                model = MyCustomer

        class LetterFactory(Factory[Any]):
            class Meta:
                model = dict

            customer = SubFactory(MyCustomerFactory)

        first = CustomerFactory.build()
        letter = LetterFactory.create()
        assert isinstance(letter["customer"], MyCustomer)
        assert letter["customer"]["id"] == CustomerFactory.build(__sequence=1).id != first.id
        assert "seed_row" not in letter["customer"]


class TestDatasets:
    def test_without_a_dataset_nothing_is_built(self) -> None:
        """The message says what to do."""
        with pytest.raises(RequestInvalid, match="vault_stub"):
            CustomerFactory.build()

    def test_a_manifest_can_be_named(self, keys: VaultStub) -> None:
        """By the path of its file; its rows are those of the manifest's plan."""
        with use_dataset(STAGING, keys=keys) as rows:
            made = pipeline_rows(BY_NAME["customers"], rows.plan, keys, 0, 100)
            assert rows.plan.rows["customers"] == 100
            assert list(map(columns_of, CustomerFactory.build_batch(100))) == made

    def test_the_same_keys_give_the_same_rows(self) -> None:
        """And others other ones, of which personal data differs."""
        built = []
        for keys in (VaultStub.of("one"), VaultStub.of("one"), VaultStub.of("other")):
            with use_dataset(keys=keys):
                built.append(CustomerFactory.build())
        assert built[0] == built[1]
        assert built[2].id == built[0].id
        assert built[2].document_number != built[0].document_number
        assert built[2].status == built[0].status

    def test_tenants_and_environments_have_rows_of_their_own(self, keys: VaultStub) -> None:
        """The manifest says whose they are."""
        ids = set()
        for tenant, environment in (("tenant-a", "staging"), ("tenant-b", "staging"), ("tenant-a", "dev")):
            with use_dataset(baseline_manifest(tenant, environment), keys=keys):
                ids.add(CustomerFactory.build().id)
        assert len(ids) == 3

    def test_datasets_can_be_nested(self, keys: VaultStub) -> None:
        """The outer one goes on where it was."""
        with use_dataset(keys=keys):
            first = CustomerFactory.build()
            with use_dataset(keys=keys):
                assert CustomerFactory.build() == first
            assert CustomerFactory.build() == CustomerFactory.build(__sequence=1)

    def test_an_entity_that_the_manifest_does_not_name_is_refused(self, keys: VaultStub) -> None:
        """And a reference to it is none."""
        with use_dataset(manifest(100, 120), keys=keys, catalogue=Catalogue.packaged()):
            with pytest.raises(RequestInvalid, match="names no loans"):
                LoanFactory.build()
            with pytest.raises(RequestInvalid, match="names no tenant_users"):
                TenantUserFactory.build()

    def test_bad_names_are_refused(self) -> None:
        """As in any manifest."""
        with pytest.raises(ManifestInvalid):
            baseline_manifest("Tenant A")
