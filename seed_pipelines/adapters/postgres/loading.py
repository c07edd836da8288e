"""A shard into its tables in one transaction: the old shard or the new one, never a mixture."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
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
from seed_pipelines.adapters.postgres.entity_table import EntityTable, columns, seeded_range, table_name
from seed_pipelines.adapters.postgres.leases import Lease
from seed_pipelines.errors import DatasetInUse, LeaseLost, ParquetMismatch, TargetMismatch

_COPY_ROWS: Final = 65_536
"""Rows encoded at a time."""


@dataclass(frozen=True)
class LoadedShard:
    """What a load changed."""

    rows: Mapping[str, int]
    """Entity -> rows inserted."""
    replaced: Mapping[str, int]
    """Entity -> rows deleted before."""
    loaded_at: datetime
    """By the clock of the database."""


def load_shard(
    database: Database,
    tenant_id: UUID,
    *,
    lease: Lease,
    checkpoint: ShardCheckpoint,
    id_low: UUID,
    id_high: UUID | None,
    tables: Sequence[tuple[EntityTable, Iterable[pa.RecordBatch]]],
    timeout_seconds: float = 600,
) -> LoadedShard:
    """Replace the rows of a shard, parents first in `tables`, and its checkpoint; any failure leaves everything as it was.

    Raises LeaseLost if the lease's token is no longer current, ParquetMismatch if the rows are not the checkpoint's,
    DatasetInUse if rows of the application refer to rows to be replaced, TargetMismatch if rows of the application or the
    tables' own rules are in the way, DatabaseUnavailable if the server goes away or the time is up.
    """
    with database.tenant_transaction(tenant_id, timeout_seconds=timeout_seconds) as connection:
        _hold(connection, lease)
        entities = [entity for entity, _ in tables]
        with _refusals():
            for entity, batches in tables:
                _stage(connection, entity, batches)
                _verify_stage(connection, entity, checkpoint.rows[entity.name], id_low, id_high)
        replaced = _delete(connection, tenant_id, entities, id_low, id_high)
        with _refusals():
            rows = {entity.name: _insert(connection, tenant_id, entity) for entity in entities}
        with _in_use():
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        loaded_at = replace_checkpoint(connection, checkpoint)
    return LoadedShard(rows, replaced, loaded_at)


def purge_dataset(
    database: Database,
    tenant_id: UUID,
    *,
    lease: Lease,
    profile: str,
    id_low: UUID,
    id_high: UUID | None,
    entities: Sequence[EntityTable],
    timeout_seconds: float = 3600,
) -> Mapping[str, int]:
    """Delete the seeded rows of a dataset's id range, and its checkpoints, in one transaction; entity -> rows deleted.

    `entities` has parents first. Raises what `load_shard` raises for its lease, its deletes and the server.
    """
    with database.tenant_transaction(tenant_id, timeout_seconds=timeout_seconds) as connection:
        _hold(connection, lease)
        deleted = _delete(connection, tenant_id, entities, id_low, id_high)
        delete_checkpoints(connection, tenant_id, lease.environment, profile)
    return deleted


def _hold(connection: Connection, lease: Lease) -> None:
    held = connection.execute(
        "SELECT seed.hold_fencing_token(%s, %s, %s)", [lease.tenant_id, lease.environment, lease.token]
    ).fetchone()
    if held != (True,):
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


def _verify_stage(connection: Connection, entity: EntityTable, rows: int, id_low: UUID, id_high: UUID | None) -> None:
    query = sql.SQL("SELECT count(*), count(*) FILTER (WHERE NOT {}) FROM {}")
    found = connection.execute(query.format(seeded_range(id_low, id_high), _stage_name(entity))).fetchone()
    if found != (rows, 0):
        staged, foreign = found or (0, 0)
        raise ParquetMismatch(
            f"{entity.name}: {staged} rows were read where {rows} were planned, {foreign} of them with ids outside the shard."
        )


def _delete(
    connection: Connection,
    tenant_id: UUID,
    entities: Sequence[EntityTable],
    id_low: UUID,
    id_high: UUID | None,
) -> dict[str, int]:
    deleted = {}
    for entity in reversed(entities):
        statement = sql.SQL("DELETE FROM {} WHERE tenant_id = {} AND {}").format(
            table_name(entity.table), sql.Literal(tenant_id), seeded_range(id_low, id_high)
        )
        with _in_use():
            deleted[entity.name] = connection.execute(statement).rowcount
    return {entity.name: deleted[entity.name] for entity in entities}


def _insert(connection: Connection, tenant_id: UUID, entity: EntityTable) -> int:
    values = sql.SQL(", ").join(
        sql.SQL("{} * 0.01" if pa.types.is_decimal(field.type) else "{}").format(sql.Identifier(field.name))
        for field in entity.schema
    )
    statement = sql.SQL("INSERT INTO {} (tenant_id, {}) SELECT {}, {} FROM {} ORDER BY id").format(
        table_name(entity.table), columns(entity), sql.Literal(tenant_id), values, _stage_name(entity)
    )
    return connection.execute(statement).rowcount


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
