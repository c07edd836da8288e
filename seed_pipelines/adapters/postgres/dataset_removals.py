"""The record of datasets that were removed, written in the transaction that removed them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from psycopg.types.json import Jsonb

from seed_pipelines.adapters.postgres.database import Connection
from seed_pipelines.adapters.postgres.leases import Lease

Reason = Literal["asked", "expired"]


@dataclass(frozen=True)
class DatasetRemoval:
    """Which dataset of a lease's tenant and environment goes, why, and for whom."""

    profile: str
    reason: Reason
    subject: str
    """The control login that removes it."""
    origin: str
    """The Dagster run, or the identity of the command."""
    expired_at: datetime | None = None
    """When its time to live was over, if that is why."""


def record_removal(connection: Connection, lease: Lease, removal: DatasetRemoval, rows: Mapping[str, int]) -> None:
    """Write a row of seed.dataset_removal; `rows` are those deleted, by entity."""
    connection.execute(
        "INSERT INTO seed.dataset_removal (tenant_id, environment, profile, reason, expired_at, subject, origin, rows,"
        " fencing_token) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            *(lease.tenant_id, lease.environment, removal.profile, removal.reason, removal.expired_at),
            *(removal.subject, removal.origin, Jsonb(dict(rows)), lease.token),
        ],
    )


def last_removal(connection: Connection, tenant_id: UUID, environment: str, profile: str) -> datetime | None:
    """When a dataset was removed last, by the clock of the database; None if it never was."""
    found = connection.execute(
        "SELECT max(removed_at) FROM seed.dataset_removal WHERE tenant_id = %s AND environment = %s AND profile = %s",
        [tenant_id, environment, profile],
    ).fetchone()
    return None if found is None else found[0]
