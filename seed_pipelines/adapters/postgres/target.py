"""Whether the target tables can take the rows: their columns, types and constraints, before anything is loaded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from seed_pipelines.adapters.postgres.copy_binary import column_type
from seed_pipelines.adapters.postgres.database import Connection, Database
from seed_pipelines.adapters.postgres.entity_table import EntityTable
from seed_pipelines.errors import TargetMismatch

_COLUMNS: Final = """
SELECT attname, format_type(atttypid, atttypmod), attnotnull,
    atthasdef OR attidentity <> '' OR typdefault IS NOT NULL, attgenerated <> ''
FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
ORDER BY attnum
"""
_DESTRUCTIVE: Final = """
SELECT conname, conrelid::regclass::text
FROM pg_constraint
WHERE confrelid = to_regclass(%s) AND contype = 'f' AND confdeltype IN ('c', 'n', 'd') AND conparentid = 0
ORDER BY conname
"""
_PRIVILEGES: Final = ("SELECT", "INSERT", "DELETE")
_IN_PLACE: Final = "UPDATE"


@dataclass(frozen=True)
class TargetColumn:
    """A column of a target table."""

    name: str
    type: str
    """As PostgreSQL writes it, with length or precision."""
    not_null: bool
    has_default: bool
    generated: bool


def target_columns(database: Database, table: str) -> tuple[TargetColumn, ...]:
    """The columns of a table in order; none if the table does not exist."""
    with database.connection() as connection:
        return _columns(connection, table)


def verify_target(database: Database, tables: Sequence[EntityTable]) -> None:
    """TargetMismatch, naming every reason, unless each table can take its entity's rows.

    Reasons: a missing table, privilege or column; another type; a column that must be filled and is not; a foreign key that would
    delete or change rows of the application along with seeded ones.
    """
    with database.connection() as connection:
        mismatches = [reason for table in tables for reason in _mismatches(connection, table)]
    if mismatches:
        raise TargetMismatch("; ".join(mismatches) + ".", mismatches=mismatches)


def _columns(connection: Connection, table: str) -> tuple[TargetColumn, ...]:
    return tuple(TargetColumn(*row) for row in connection.execute(_COLUMNS, [table]))


def _mismatches(connection: Connection, entity: EntityTable) -> Iterator[str]:
    columns = {column.name: column for column in _columns(connection, entity.table)}
    if not columns:
        yield f"{entity.table} does not exist"
        return
    for privilege in (*_PRIVILEGES, _IN_PLACE) if entity.of_tenant else _PRIVILEGES:
        if connection.execute("SELECT has_table_privilege(%s, %s)", [entity.table, privilege]).fetchone() != (True,):
            yield f"{entity.table}: the login lacks {privilege}"
    wanted = {"tenant_id": pa.binary(16), **{field.name: field.type for field in entity.schema}}
    for name, kind in wanted.items():
        column = columns.get(name)
        if column is None:
            yield f"{entity.table} has no column {name}"
        elif column.generated:
            yield f"{entity.table}.{name} is generated"
        elif not _fits(kind, column.type):
            yield f"{entity.table}.{name} is {column.type}, not {_wanted(kind)}"
    for column in columns.values():
        filled = column.name in wanted or column.has_default or column.generated
        if column.not_null and not filled:
            yield f"{entity.table}.{column.name} must be filled and has no default"
    for constraint, referring in connection.execute(_DESTRUCTIVE, [entity.table]):
        yield f"{constraint} of {referring} would delete or change rows along with those of {entity.table}"


def _wanted(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"numeric({kind.precision},{kind.scale})"
    names = {"timestamptz": "timestamp with time zone"}
    return names.get(column_type(kind), column_type(kind))


def _fits(kind: pa.DataType, found: str) -> bool:
    if pa.types.is_string(kind):
        return found == "text" or found.startswith("character varying")
    if pa.types.is_decimal(kind) and found.startswith("numeric(") and found.endswith(f",{kind.scale})"):
        precision = int(found[len("numeric(") :].partition(",")[0])
        return bool(precision >= kind.precision)
    return found == _wanted(kind)
