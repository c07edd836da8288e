"""What this package needs to know of an entity, and the names it gives to its SQL."""

from typing import Protocol
from uuid import UUID

import pyarrow as pa
from psycopg import sql


class EntityTable(Protocol):
    """An entity and the table its rows live in; the table has a `tenant_id` that the Arrow rows do not."""

    @property
    def name(self) -> str:
        """The entity, plural, as in manifests."""

    @property
    def table(self) -> str:
        """Schema and table, separated by a dot."""

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the rows; its first column is `id`."""

    @property
    def of_tenant(self) -> bool:
        """Whether the rows belong to the tenant itself: they are updated in place, and kept while referred to."""


def uuids(ids: tuple[bytes, bytes | None]) -> tuple[UUID, UUID | None]:
    """The ends of a range of ids as the driver takes them."""
    low, high = ids
    return UUID(bytes=low), None if high is None else UUID(bytes=high)


def table_name(table: str) -> sql.Identifier:
    """A schema and table as one quoted identifier."""
    return sql.Identifier(*table.split("."))


def columns(table: EntityTable) -> sql.Composed:
    """The columns of the rows, quoted, separated by commas."""
    return sql.SQL(", ").join(map(sql.Identifier, table.schema.names))


def seeded_range(id_low: UUID, id_high: UUID | None, *, alias: str | None = None) -> sql.Composed:
    """A condition: the id is in [low, high), open-ended without a high, and a UUID of version 8."""
    identifier = sql.Identifier("id") if alias is None else sql.Identifier(alias, "id")
    upper = sql.SQL("") if id_high is None else sql.SQL(" AND {} < {}").format(identifier, sql.Literal(id_high))
    return sql.SQL("({0} >= {1}{2} AND get_byte(uuid_send({0}), 6) >> 4 = 8)").format(
        identifier, sql.Literal(id_low), upper
    )
