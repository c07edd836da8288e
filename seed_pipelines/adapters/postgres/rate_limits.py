"""Rate limits that all processes share, by the clock of the database: one statement asks and takes."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.domain.rate_limit import Cell, Decision

_TAKE: Final = """
INSERT INTO seed.rate_limit_cell AS cell (tenant_id, environment, purpose, free_at, decided_at, admitted)
SELECT %(tenant_id)s, %(environment)s, %(purpose)s, instant + interval '1 microsecond' * %(step)s, instant, true
FROM (SELECT clock_timestamp() AS instant OFFSET 0) AS clock
ON CONFLICT (tenant_id, environment, purpose) DO UPDATE SET (free_at, decided_at, admitted) = (
    SELECT CASE WHEN paid <= instant + interval '1 microsecond' * %(tolerance)s THEN paid ELSE cell.free_at END,
        instant,
        paid <= instant + interval '1 microsecond' * %(tolerance)s
    FROM (
        SELECT instant, greatest(cell.free_at, instant) + interval '1 microsecond' * %(step)s AS paid
        FROM (SELECT clock_timestamp() AS instant, cell.free_at AS of_locked_row OFFSET 0) AS clock OFFSET 0
    ) AS asked
)
RETURNING admitted, (extract(epoch FROM free_at - decided_at) * 1000000)::bigint
"""


@dataclass(frozen=True)
class RateLimitKey:
    """What is limited."""

    tenant_id: UUID
    environment: str
    purpose: str
    """Such as the name of a service that is called."""


class PostgresRateLimits:
    """The cells of one database, reached by the control login."""

    def __init__(self, control: Database) -> None:
        self._control = control

    def take(self, key: RateLimitKey, limit: int, window_seconds: int, burst: int, cost: int = 1) -> Decision:
        """Admit a request or say when to come back; ValueError for numbers that never admit it, DatabaseUnavailable."""
        cell = Cell.of(limit, window_seconds, burst, cost)
        numbers = {"step": cell.step, "tolerance": cell.tolerance}
        with self._control.connection() as connection:
            row = connection.execute(_TAKE, {**vars(key), **numbers}).fetchone()
        if row is None:
            raise LookupError(f"the cell of {key} was removed while it was asked")
        return cell.decision(bool(row[0]), int(row[1]))
