"""What landed, read back from the tables: rows as Arrow, and the counts that the checks need."""

from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

import pyarrow as pa
from psycopg import sql

from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.entity_table import EntityTable, columns, seeded_range, table_name
from seed_pipelines.adapters.postgres.packed_columns import packed, unpacked

_PAGE_ROWS: Final = 65_536


def read_rows(
    database: Database,
    tenant_id: UUID,
    table: EntityTable,
    id_low: UUID,
    id_high: UUID | None,
    *,
    timeout_seconds: float = 600,
) -> Iterator[pa.RecordBatch]:
    """The seeded rows with ids in [low, high) in id order, in the entity's schema, at most 65,536 a batch.

    Each column of a batch crosses the connection as one value. TargetMismatch if a column that may hold no null does.
    """
    aggregates = sql.SQL(", ").join(expression for field in table.schema for expression in packed(field))
    query = sql.SQL(
        "SELECT count(*), {} FROM (SELECT {} FROM {} WHERE tenant_id = {} AND {} ORDER BY id LIMIT {}) AS page"
    )
    with database.tenant_transaction(tenant_id, timeout_seconds=timeout_seconds) as connection:
        low = id_low
        while True:
            page = query.format(
                aggregates,
                columns(table),
                table_name(table.table),
                sql.Literal(tenant_id),
                seeded_range(low, id_high),
                sql.Literal(_PAGE_ROWS),
            )
            row = connection.execute(page, binary=True).fetchone() or (0,)
            rows, values = row[0], iter(row[1:])
            if rows == 0:
                return
            arrays = [unpacked(field, rows, values) for field in table.schema]
            batch = pa.RecordBatch.from_arrays(arrays, schema=table.schema)
            yield batch
            if rows < _PAGE_ROWS:
                return
            low = UUID(int=UUID(bytes=batch.column("id")[-1].as_py()).int + 1)


def counts(
    database: Database, tenant_id: UUID, tables: Sequence[EntityTable], id_low: UUID, id_high: UUID | None
) -> dict[str, int]:
    """Entity -> seeded rows with ids in [low, high)."""
    query = sql.SQL("SELECT count(*) FROM {} WHERE tenant_id = {} AND {}")
    return {
        table.name: _number(
            database,
            tenant_id,
            query.format(table_name(table.table), sql.Literal(tenant_id), seeded_range(id_low, id_high)),
        )
        for table in tables
    }


def orphans(
    database: Database,
    tenant_id: UUID,
    child: EntityTable,
    parent: EntityTable,
    child_column: str,
    id_low: UUID,
    id_high: UUID | None,
) -> int:
    """Seeded children with ids in [low, high) that refer to a parent which does not exist in the tenant."""
    query = sql.SQL(
        "SELECT count(*) FROM {child} AS child"
        " WHERE child.tenant_id = {tenant} AND {shard} AND child.{column} IS NOT NULL AND NOT EXISTS"
        " (SELECT FROM {parent} AS parent WHERE parent.tenant_id = child.tenant_id AND parent.id = child.{column})"
    ).format(
        child=table_name(child.table),
        parent=table_name(parent.table),
        tenant=sql.Literal(tenant_id),
        shard=seeded_range(id_low, id_high, alias="child"),
        column=sql.Identifier(child_column),
    )
    return _number(database, tenant_id, query)


def duplicates(
    database: Database,
    tenant_id: UUID,
    table: EntityTable,
    unique_columns: Sequence[str],
    id_low: UUID,
    id_high: UUID | None,
) -> int:
    """Seeded rows with ids in [low, high) whose values of the columns stand in another row of the tenant too."""
    same = sql.SQL(" AND ").join(
        sql.SQL("other.{0} = seeded.{0}").format(sql.Identifier(column)) for column in unique_columns
    )
    query = sql.SQL(
        "SELECT count(*) FROM {table} AS seeded WHERE seeded.tenant_id = {tenant} AND {shard} AND EXISTS"
        " (SELECT FROM {table} AS other WHERE other.tenant_id = seeded.tenant_id AND {same} AND other.id <> seeded.id)"
    ).format(
        table=table_name(table.table),
        tenant=sql.Literal(tenant_id),
        shard=seeded_range(id_low, id_high, alias="seeded"),
        same=same,
    )
    return _number(database, tenant_id, query)


def _number(database: Database, tenant_id: UUID, query: sql.Composed) -> int:
    with database.tenant_transaction(tenant_id) as connection:
        row = connection.execute(query).fetchone()
    return 0 if row is None else int(row[0])
