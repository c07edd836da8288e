"""The ledger of what seed runs had of the outside systems; entries are added and never changed."""

from collections.abc import Sequence
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.leases import Lease, hold_token
from seed_pipelines.domain.service_levels import IntegrationUse

_ADD = """
INSERT INTO seed.integration_use (tenant_id, seed_run_id, integration, shard_key, requests, failed, refused, held_back,
    waited_seconds, elapsed_seconds, latencies_ms, outcomes, fencing_token)
VALUES (%(tenant_id)s, %(seed_run_id)s, %(integration)s, %(shard_key)s, %(requests)s, %(failed)s, %(refused)s, %(held_back)s,
    %(waited_seconds)s, %(elapsed_seconds)s, %(latencies_ms)s, %(outcomes)s, %(token)s)
"""
_OF_RUN = """
SELECT integration, shard_key, requests, failed, refused, held_back, waited_seconds, elapsed_seconds, latencies_ms, outcomes
FROM seed.integration_use WHERE seed_run_id = %s ORDER BY entry_id
"""


class IntegrationUses:
    """The ledger of one database."""

    def __init__(self, control: Database) -> None:
        self._control = control

    def add(self, lease: Lease, uses: Sequence[IntegrationUse]) -> None:
        """Add entries to the seed run that holds the lease; LeaseLost if the token is no longer the current one."""
        held_by = {"tenant_id": lease.tenant_id, "seed_run_id": lease.seed_run_id, "token": lease.token}
        with self._control.connection() as connection:
            hold_token(connection, lease)
            for use in uses:
                values = {**vars(use), "latencies_ms": list(use.latencies_ms), "outcomes": Jsonb(dict(use.outcomes))}
                connection.execute(_ADD, {**values, **held_by})

    def of_run(self, seed_run_id: UUID) -> tuple[IntegrationUse, ...]:
        """Every entry of a seed run, the oldest first."""
        with self._control.connection() as connection:
            rows = connection.cursor(row_factory=dict_row).execute(_OF_RUN, [seed_run_id]).fetchall()
        return tuple(IntegrationUse(**row | {"latencies_ms": tuple(row["latencies_ms"])}) for row in rows)
