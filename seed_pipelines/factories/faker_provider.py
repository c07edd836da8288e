"""A Faker provider that gives the values of seeded rows instead of random ones."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from faker.providers import BaseProvider

from seed_pipelines.factories.entity_factories import FACTORIES
from seed_pipelines.factories.entity_factory import EntityFactory
from seed_pipelines.factories.record import singular

_SHORT_NAMES: Final = {
    "cpf": ("customers", "document_number"),
    "name": ("customers", "full_name"),
    "email": ("customers", "email"),
    "phone": ("customers", "phone"),
}
"""What comes after `seed_` -> the column that it stands for."""


class SeedProvider(BaseProvider):
    """For `fake.add_provider`: `seed_customer()` is the next customer of the dataset in use, `seed_cpf()` the CPF of the next.

    Every entity has such a method, and every column one more: `seed_bank_account_branch()`. They take a factory's
    arguments and count the same rows as the factories. Faker's own seed has no influence.
    """


def _methods() -> Iterator[tuple[str, Callable[..., Any]]]:
    for factory in FACTORIES.values():
        name = f"seed_{singular(factory.entity())}"
        yield name, _row(factory)
        for column in factory.entity().columns:
            yield f"{name}_{column.name}", _value(factory, column.name)
    for short_name, (entity, column_name) in _SHORT_NAMES.items():
        yield f"seed_{short_name}", _value(FACTORIES[entity], column_name)


def _row(factory: type[EntityFactory]) -> Callable[..., Any]:
    return lambda _provider, **asked: factory.build(**asked)


def _value(factory: type[EntityFactory], column: str) -> Callable[..., Any]:
    return lambda _provider, **asked: getattr(factory.build(**asked), column)


for _name, _method in _methods():
    setattr(SeedProvider, _name, _method)
