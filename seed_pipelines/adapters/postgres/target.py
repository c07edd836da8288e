"""Whether the target tables can take the rows: their columns, types and constraints, before anything is loaded."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from seed_pipelines.adapters.postgres.copy_binary import column_type
from seed_pipelines.adapters.postgres.database import Connection, Database
from seed_pipelines.adapters.postgres.entity_table import EntityTable
from seed_pipelines.errors import TargetMismatch

_COLUMNS: Final = """
SELECT name, attname, format_type(atttypid, atttypmod), attnotnull,
    atthasdef OR attidentity <> '' OR typdefault IS NOT NULL, attgenerated <> ''
FROM unnest(%s::text[]) AS name
JOIN pg_attribute ON attrelid = to_regclass(name)
JOIN pg_type ON pg_type.oid = atttypid
WHERE attnum > 0 AND NOT attisdropped
ORDER BY attnum
"""
_DESTRUCTIVE: Final = """
SELECT name, conname, conrelid::regclass::text
FROM unnest(%s::text[]) AS name
JOIN pg_constraint ON confrelid = to_regclass(name)
WHERE contype = 'f' AND confdeltype IN ('c', 'n', 'd') AND conparentid = 0
ORDER BY conname
"""
_MISSING: Final = """
SELECT name, privilege
FROM unnest(%s::text[]) AS name
CROSS JOIN unnest(%s::text[]) WITH ORDINALITY AS wanted (privilege, place)
WHERE to_regclass(name) IS NOT NULL AND NOT has_table_privilege(to_regclass(name), privilege)
ORDER BY place
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
        return _Catalogue.of(connection, [table]).columns.get(table, ())


def verify_target(database: Database, tables: Sequence[EntityTable]) -> None:
    """TargetMismatch, naming every reason, unless each table can take its entity's rows.

    Reasons: a missing table, privilege or column; another type; a column that must be filled and is not; a foreign key that would
    delete or change rows of the application along with seeded ones.
    """
    with database.connection() as connection:
        found = _Catalogue.of(connection, [table.table for table in tables])
    mismatches = [reason for table in tables for reason in _mismatches(found, table)]
    if mismatches:
        raise TargetMismatch("; ".join(mismatches) + ".", mismatches=mismatches)


@dataclass(frozen=True)
class _Catalogue:
    """Table -> what the catalogue says of it; nothing of one that does not exist."""

    columns: Mapping[str, tuple[TargetColumn, ...]]
    missing: Mapping[str, tuple[str, ...]]
    """The privileges that the login lacks."""
    destructive: Mapping[str, tuple[tuple[str, str], ...]]
    """Foreign keys that delete or change rows along with those of the table, and the tables that they are of."""

    @classmethod
    def of(cls, connection: Connection, tables: Sequence[str]) -> "_Catalogue":
        """Of all tables, each kind asked once."""
        names = list(tables)
        columns, missing, destructive = (
            _by_table(connection.execute(query, parameters))
            for query, parameters in (
                (_COLUMNS, [names]),
                (_MISSING, [names, [*_PRIVILEGES, _IN_PLACE]]),
                (_DESTRUCTIVE, [names]),
            )
        )
        return cls(
            {table: tuple(TargetColumn(*row) for row in rows) for table, rows in columns.items()},
            {table: tuple(privilege for (privilege,) in rows) for table, rows in missing.items()},
            {table: tuple(rows) for table, rows in destructive.items()},
        )


def _by_table(rows: Iterable[tuple[Any, ...]]) -> Mapping[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    for table, *rest in rows:
        found.setdefault(table, []).append(tuple(rest))
    return found


def _mismatches(found: _Catalogue, entity: EntityTable) -> Iterator[str]:
    columns = {column.name: column for column in found.columns.get(entity.table, ())}
    if not columns:
        yield f"{entity.table} does not exist"
        return
    for privilege in found.missing.get(entity.table, ()):
        if privilege != _IN_PLACE or entity.of_tenant:
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
    for constraint, referring in found.destructive.get(entity.table, ()):
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
