"""A shard into its tables in one transaction: the old shard or the new one, never a mixture."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

import psycopg
import pyarrow as pa
from psycopg import sql

from seed_pipelines.adapters.postgres.checkpoints import (
    ShardCheckpoint,
    delete_checkpoints,
    replace_checkpoint,
)
from seed_pipelines.adapters.postgres.copy_binary import HEADER, TRAILER, column_type, encode
from seed_pipelines.adapters.postgres.database import Connection, Database
from seed_pipelines.adapters.postgres.dataset_removals import DatasetRemoval, record_removal
from seed_pipelines.adapters.postgres.entity_table import EntityTable, columns, seeded_range, table_name, uuids
from seed_pipelines.adapters.postgres.leases import Lease
from seed_pipelines.domain.plan import IdRange
from seed_pipelines.errors import DatasetInUse, LeaseLost, ParquetMismatch, TargetMismatch

E = TypeVar("E", bound=EntityTable)

_REFERRING: Final = """
SELECT nspname, relname, (
    SELECT array_agg(ARRAY[own.attname::text, referred.attname::text] ORDER BY key.place)
    FROM unnest(conkey, confkey) WITH ORDINALITY AS key (own, referred, place)
    JOIN pg_attribute AS own ON own.attrelid = conrelid AND own.attnum = key.own
    JOIN pg_attribute AS referred ON referred.attrelid = confrelid AND referred.attnum = key.referred
)
FROM pg_constraint
JOIN pg_class ON pg_class.oid = conrelid
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE confrelid = to_regclass(%s) AND contype = 'f' AND conparentid = 0 AND has_table_privilege(conrelid, 'SELECT')
"""
"""Tables whose rows may refer to a table's, with pairs of columns. One that the login may not read refuses the delete itself."""
_COPY_ROWS: Final = 65_536
"""Rows encoded at a time."""


@dataclass(frozen=True)
class TableLoad:
    """What is to become of a table's rows."""

    entity: EntityTable
    ids: IdRange
    """The rows that are replaced."""
    rows: int
    """How many take their place."""
    batches: Iterable[pa.RecordBatch]
    """In id order, so that the indexes on the id grow at their end; in any other they only load more slowly."""
    surplus: IdRange | None = None
    """Of an entity of the tenant: rows to remove besides, where nothing refers to them any more."""


@dataclass(frozen=True)
class LoadedShard:
    """What a load changed."""

    rows: Mapping[str, int]
    """Entity -> rows put there."""
    replaced: Mapping[str, int]
    """Entity -> rows deleted, before or as surplus."""
    loaded_at: datetime
    """By the clock of the database."""


def load_shard(
    database: Database,
    tenant_id: UUID,
    *,
    lease: Lease,
    checkpoint: ShardCheckpoint,
    tables: Sequence[TableLoad],
    timeout_seconds: float = 600,
) -> LoadedShard:
    """Replace the rows of a shard, parents first in `tables`, and its checkpoint; any failure leaves everything as it was.

    Rows of an entity of the tenant are updated in place, as rows of other shards may refer to them.

    Raises LeaseLost if the lease's token is no longer current, ParquetMismatch if the rows are not the checkpoint's,
    DatasetInUse if rows of the application refer to rows to be replaced, TargetMismatch if rows of the application or the
    tables' own rules are in the way, DatabaseUnavailable if the server goes away or the time is up.
    """
    with database.tenant_transaction(tenant_id, timeout_seconds=timeout_seconds) as connection:
        _hold(connection, lease)
        with _refusals():
            for table in tables:
                _stage(connection, table.entity, table.batches)
                _verify_stage(connection, table)
        replaced = {}
        for table in reversed(tables):
            if not table.entity.of_tenant:
                replaced[table.entity.name] = _delete(connection, tenant_id, table.entity, table.ids)
        with _refusals():
            for table in tables:
                _insert(connection, tenant_id, table.entity)
        for table in reversed(tables):
            if table.surplus is not None:
                replaced[table.entity.name] = _delete_unreferenced(connection, tenant_id, table.entity, table.surplus)
        with _in_use():
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        rows = {table.entity.name: table.rows for table in tables}
        loaded_at = replace_checkpoint(connection, checkpoint)
    return LoadedShard(rows, replaced, loaded_at)


def purge_dataset(
    database: Database,
    tenant_id: UUID,
    *,
    lease: Lease,
    removal: DatasetRemoval,
    ids: IdRange,
    entities: Sequence[EntityTable],
    remove_files: Callable[[], None],
    timeout_seconds: float = 3600,
) -> Mapping[str, int]:
    """Delete the seeded rows of a dataset's id range, and its checkpoints, in one transaction; entity -> rows deleted.

    `entities` has parents first. `remove_files` is called once nothing else is in the way: if it fails, no row is gone. Raises
    what `load_shard` raises for its lease, its deletes and the server.
    """
    with database.tenant_transaction(tenant_id, timeout_seconds=timeout_seconds) as connection:
        _hold(connection, lease)
        present = existing(connection, entities)
        deleted = {entity.name: _delete(connection, tenant_id, entity, ids) for entity in reversed(present)}
        with _in_use():
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        delete_checkpoints(connection, tenant_id, lease.environment, removal.profile)
        rows = {entity.name: deleted[entity.name] for entity in present}
        record_removal(connection, lease, removal, rows)
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # a bucket may take its time
        remove_files()
    return rows


def end_writers(database: Database, token: int) -> int:
    """End the transactions of this login that write under a token, wherever their clients stand still; how many.

    No time limit of the server ends one whose client stopped in the middle of COPY.
    """
    with database.connection() as connection:
        (ended,) = connection.execute(
            "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = session_user AND application_name = %s",
            [_writing_under(token)],
        ).fetchone() or (0,)
    return int(ended)


def _writing_under(token: int) -> str:
    """What a transaction that holds a token is called in pg_stat_activity."""
    return f"seed_pipelines token {token}"


def _hold(connection: Connection, lease: Lease) -> None:
    (held, _) = connection.execute(
        "SELECT seed.hold_fencing_token(%s, %s, %s), set_config('application_name', %s, true)",
        [lease.tenant_id, lease.environment, lease.token, _writing_under(lease.token)],
    ).fetchone() or (False, "")
    if not held:
        raise LeaseLost(
            f"Token {lease.token} does not hold {lease.environment} any more: nothing was changed.",
            token=lease.token,
        )


def _stage_name(entity: EntityTable) -> sql.Identifier:
    return sql.Identifier("pg_temp", f"seed_stage_{entity.name}")


def _stage(connection: Connection, entity: EntityTable, batches: Iterable[pa.RecordBatch]) -> None:
    definitions = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(field.name), sql.SQL(column_type(field.type))) for field in entity.schema
    )
    stage = _stage_name(entity)
    connection.execute(sql.SQL("CREATE TEMPORARY TABLE {} ({}) ON COMMIT DROP").format(stage, definitions))
    copy_in = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(stage, columns(entity))
    with connection.cursor().copy(copy_in) as copy:
        copy.write(HEADER)
        for batch in batches:
            for start in range(0, batch.num_rows, _COPY_ROWS):
                copy.write(encode(batch.slice(start, _COPY_ROWS)))
        copy.write(TRAILER)


def _verify_stage(connection: Connection, table: TableLoad) -> None:
    query = sql.SQL("SELECT count(*), count(*) FILTER (WHERE NOT {}) FROM {}")
    statement = query.format(seeded_range(*uuids(table.ids)), _stage_name(table.entity))
    staged, foreign = connection.execute(statement).fetchone() or (0, 0)
    if (staged, foreign) != (table.rows, 0):
        raise ParquetMismatch(
            f"{table.entity.name}: {staged} rows were read where {table.rows} were planned, {foreign} of them with ids"
            " outside the shard."
        )


def _delete(
    connection: Connection, tenant_id: UUID, entity: EntityTable, ids: IdRange, unless: sql.Composable | None = None
) -> int:
    statement = sql.SQL("DELETE FROM {} AS seeded WHERE seeded.tenant_id = {} AND {}{}").format(
        table_name(entity.table),
        sql.Literal(tenant_id),
        seeded_range(*uuids(ids), alias="seeded"),
        unless or sql.SQL(""),
    )
    with _in_use():
        return connection.execute(statement).rowcount


def _delete_unreferenced(connection: Connection, tenant_id: UUID, entity: EntityTable, ids: IdRange) -> int:
    conditions = [
        sql.SQL(" AND NOT EXISTS (SELECT FROM {} AS child WHERE {})").format(
            sql.Identifier(schema, relation),
            sql.SQL(" AND ").join(
                sql.SQL("{} = {}").format(sql.Identifier("child", own), sql.Identifier("seeded", referred))
                for own, referred in columns_of
            ),
        )
        for schema, relation, columns_of in connection.execute(_REFERRING, [entity.table])
    ]
    return _delete(connection, tenant_id, entity, ids, sql.Composed(conditions))


def existing(connection: Connection, entities: Sequence[E]) -> list[E]:
    """The entities that have their table, in their order."""
    found = connection.execute(
        "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL",
        [[entity.table for entity in entities]],
    )
    there = {name for (name,) in found}
    return [entity for entity in entities if entity.table in there]


def _insert(connection: Connection, tenant_id: UUID, entity: EntityTable) -> None:
    values = sql.SQL(", ").join(
        sql.SQL("{} * 0.01" if pa.types.is_decimal(field.type) else "{}").format(sql.Identifier(field.name))
        for field in entity.schema
    )
    statement = sql.SQL("INSERT INTO {} AS seeded (tenant_id, {}) SELECT {}, {} FROM {}{}").format(
        table_name(entity.table),
        columns(entity),
        sql.Literal(tenant_id),
        values,
        _stage_name(entity),
        _in_place(entity) if entity.of_tenant else sql.SQL(""),
    )
    connection.execute(statement)


def _in_place(entity: EntityTable) -> sql.Composed:
    """Update the row that is there already, unless it is the same."""
    names = [name for name in entity.schema.names if name != "id"]
    return sql.SQL(" ON CONFLICT (tenant_id, id) DO UPDATE SET {} WHERE ({}) IS DISTINCT FROM ({})").format(
        sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in names),
        sql.SQL(", ").join(sql.Identifier("seeded", name) for name in names),
        sql.SQL(", ").join(sql.Identifier("excluded", name) for name in names),
    )


@contextmanager
def _refusals() -> Iterator[None]:
    """Words for what the tables refuse; the server's own would quote the values of the row."""
    try:
        yield
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        diagnosis = error.diag
        table = f"{diagnosis.schema_name}.{diagnosis.table_name}" if diagnosis.table_name else None
        raise TargetMismatch(
            f"The target refuses the rows with {type(error).__name__}"
            f" (table {table}, constraint {diagnosis.constraint_name}, column {diagnosis.column_name})."
            " Rows that were not seeded hold the same values, or the target has rules of its own.",
            table=table,
            constraint=diagnosis.constraint_name,
        ) from None


@contextmanager
def _in_use() -> Iterator[None]:
    """Words for rows that would lose the seeded row they refer to."""
    try:
        yield
    except psycopg.errors.ForeignKeyViolation as error:
        table = f"{error.diag.schema_name}.{error.diag.table_name}"
        raise DatasetInUse(
            f"Rows of {table} refer to seeded rows ({error.diag.constraint_name}): remove them first.",
            table=table,
            constraint=error.diag.constraint_name,
        ) from None
