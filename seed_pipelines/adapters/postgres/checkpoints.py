"""Shard checkpoints: what is loaded, recorded in the transaction that loaded it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from seed_pipelines.adapters.postgres.database import Connection, Database


@dataclass(frozen=True)
class ShardCheckpoint:
    """A row of seed.shard_checkpoint."""

    tenant_id: UUID
    environment: str
    profile: str
    shard_key: str
    first_customer: int
    end_customer: int | None
    """Exclusive; None for no end."""
    manifest_hash: str
    reference_datetime: datetime
    anchor_datetime: datetime
    salt_version: str
    key_fingerprint: str
    generator_version: str
    dataset_tag: int
    rows: Mapping[str, int]
    """Entity -> number of rows."""
    leaves: Mapping[str, tuple[str, ...]]
    """Entity -> leaf digests in order, hexadecimal."""
    seed_run_id: UUID
    fencing_token: int
    ttl_days: int | None = None
    """Days that it is kept; None, from before there was a limit, for ever."""
    loaded_at: datetime | None = None
    """By the clock of the database; not needed to write one."""

    def __post_init__(self) -> None:
        leaves = {entity: tuple(digests) for entity, digests in self.leaves.items()}
        object.__setattr__(self, "leaves", leaves)


_NAMES: Final = tuple(field.name for field in fields(ShardCheckpoint))
_WRITTEN: Final = _NAMES[:-1]


class CheckpointStore:
    """The checkpoints of one database, through the data or the control login."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, tenant_id: UUID, environment: str) -> tuple[ShardCheckpoint, ...]:
        """Every checkpoint of a tenant and environment, by profile and first customer."""
        query = sql.SQL(
            "SELECT {} FROM seed.shard_checkpoint WHERE tenant_id = %s AND environment = %s"
            " ORDER BY profile, first_customer"
        ).format(sql.SQL(", ").join(map(sql.Identifier, _NAMES)))
        with (
            self._database.tenant_transaction(tenant_id) as connection,
            connection.cursor(row_factory=class_row(ShardCheckpoint)) as cursor,
        ):
            return tuple(cursor.execute(query, [tenant_id, environment]).fetchall())


def replace_checkpoint(connection: Connection, checkpoint: ShardCheckpoint) -> datetime:
    """Write a checkpoint in place of those of its dataset that overlap its customers; when, by the database's clock."""
    connection.execute(
        "DELETE FROM seed.shard_checkpoint WHERE tenant_id = %s AND environment = %s AND profile = %s"
        " AND int8range(first_customer, end_customer) && int8range(%s, %s)",
        [
            *(checkpoint.tenant_id, checkpoint.environment, checkpoint.profile),
            *(checkpoint.first_customer, checkpoint.end_customer),
        ],
    )
    values = {name: getattr(checkpoint, name) for name in _WRITTEN}
    values |= {name: Jsonb(dict(values[name])) for name in ("rows", "leaves")}
    statement = sql.SQL("INSERT INTO seed.shard_checkpoint ({}) VALUES ({}) RETURNING loaded_at").format(
        sql.SQL(", ").join(map(sql.Identifier, _WRITTEN)),
        sql.SQL(", ").join(map(sql.Placeholder, _WRITTEN)),
    )
    loaded_at: datetime
    for (loaded_at,) in connection.execute(statement, values):
        return loaded_at
    raise LookupError("the checkpoint was not written")


def delete_checkpoints(connection: Connection, tenant_id: UUID, environment: str, profile: str) -> int:
    """Remove every checkpoint of a dataset; how many there were."""
    return connection.execute(
        "DELETE FROM seed.shard_checkpoint WHERE tenant_id = %s AND environment = %s AND profile = %s",
        [tenant_id, environment, profile],
    ).rowcount
