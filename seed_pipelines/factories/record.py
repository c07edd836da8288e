"""Records: one frozen class for each entity, made from its columns and from what they refer to."""

from collections.abc import Mapping
from dataclasses import field, make_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final
from uuid import UUID

import pyarrow as pa

from seed_pipelines.domain.entities import ENTITIES, Column, Entity
from seed_pipelines.domain.row_values import json_values

_PYTHON_TYPES: Final[tuple[tuple[Any, type], ...]] = (
    (pa.types.is_fixed_size_binary, UUID),
    (pa.types.is_decimal, Decimal),
    (pa.types.is_timestamp, datetime),
    (pa.types.is_date, date),
    (pa.types.is_integer, int),
    (pa.types.is_boolean, bool),
    (pa.types.is_string, str),
)
"""What a column of a kind holds once it is a Python value; the first that applies."""

_ALIASES: Final = {"customers": {"documento": "document_number"}}
"""Entity -> other name of a column -> column."""


class Record:
    """One masked row: an attribute for each column, and one for each row that it refers to."""

    entity: ClassVar[Entity]
    relations: ClassVar[Mapping[str, str]]
    """Attribute that holds a row -> column that holds its id."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def as_json(self) -> dict[str, Any]:
        """The columns in JSON, as the entity's schema in contracts/api.openapi.yaml describes them."""
        return json_values({column.name: getattr(self, column.name) for column in self.entity.columns})


def singular(entity: Entity) -> str:
    """What one row of an entity is called, from its table: `bank_account`."""
    return entity.table.rpartition(".")[2]


def _record_type(entity: Entity) -> type[Record]:
    aliases = _ALIASES.get(entity.name, {})
    name = "".join(word.capitalize() for word in singular(entity).split("_"))
    relations = {column.removesuffix("_id"): column for column in entity.references}
    if clash := {column.name for column in entity.columns} & {*relations, *aliases}:
        raise TypeError(f"{entity.name}: {', '.join(sorted(clash))} would be a column and something else")
    columns = [(column.name, _python_type(column)) for column in entity.columns]
    related = [(relation, Record | None, field(default=None, compare=False, repr=False)) for relation in relations]
    namespace = {
        "__doc__": entity.description,
        "__module__": __name__,
        "entity": entity,
        "relations": relations,
        **{alias: _alias(column) for alias, column in aliases.items()},
    }
    return make_dataclass(name, [*columns, *related], bases=(Record,), namespace=namespace, frozen=True)


def _alias(column: str) -> property:
    return property(lambda record: getattr(record, column), doc=f"Another name of `{column}`.")


def _python_type(column: Column) -> Any:
    found = next((python for is_kind, python in _PYTHON_TYPES if is_kind(column.type)), Any)
    return found | None if column.nullable else found


RECORDS: Final[Mapping[str, type[Record]]] = {entity.name: _record_type(entity) for entity in ENTITIES}
"""Entity -> the class of its records: `Customer`, `BankAccount`."""
