"""When the loaded datasets of a database expire, by its clock."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from seed_pipelines.adapters.postgres.database import Database


@dataclass(frozen=True)
class DatasetExpiry:
    """A row of seed.dataset_expiry."""

    tenant_id: UUID
    tenant: str
    """Its name in manifests."""
    environment: str
    profile: str
    rows: int
    """Of all entities."""
    loaded_at: datetime
    expires_at: datetime | None
    """None for a dataset that was loaded before there was a limit."""
    is_expired: bool


def dataset_expiries(control: Database) -> tuple[DatasetExpiry, ...]:
    """Every dataset that is loaded, by environment, tenant and profile, through the control login."""
    with control.connection() as connection, connection.cursor(row_factory=class_row(DatasetExpiry)) as cursor:
        return tuple(
            cursor.execute(
                "SELECT tenant_id, tenant.slug AS tenant, environment, profile, rows, loaded_at, expires_at,"
                " coalesce(expires_at <= clock_timestamp(), false) AS is_expired"
                " FROM seed.dataset_expiry JOIN seed.tenant USING (tenant_id)"
                " ORDER BY environment, tenant.slug, profile"
            ).fetchall()
        )
