"""Rate limits that all processes share, by the clock of the database: one statement asks and takes."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.domain.rate_limit import Cell, Decision

TAKE_WHERE: Final = """
INSERT INTO seed.rate_limit_cell AS cell (tenant_id, environment, purpose, free_at, decided_at, admitted)
SELECT %(tenant_id)s, %(environment)s, %(purpose)s, instant + interval '1 microsecond' * %(step)s, instant, true
FROM (SELECT clock_timestamp() AS instant OFFSET 0) AS clock
WHERE {condition}
ON CONFLICT (tenant_id, environment, purpose) DO UPDATE SET (free_at, decided_at, admitted) = (
    SELECT CASE WHEN paid <= instant + interval '1 microsecond' * %(tolerance)s THEN paid ELSE cell.free_at END,
        instant,
        paid <= instant + interval '1 microsecond' * %(tolerance)s
    FROM (
        SELECT instant, greatest(cell.free_at, instant) + interval '1 microsecond' * %(step)s AS paid
        FROM (SELECT clock_timestamp() AS instant, cell.free_at AS of_locked_row OFFSET 0) AS clock OFFSET 0
    ) AS asked
)
RETURNING admitted, (extract(epoch FROM free_at - decided_at) * 1000000)::bigint AS debt
"""
"""Takes from a cell, and tells whether it gave and what is paid for by now; takes nothing unless the condition holds."""

_TAKE: Final = TAKE_WHERE.format(condition="true")


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
        with self._control.connection() as connection:
            row = connection.execute(_TAKE, take_parameters(key, cell)).fetchone()
        if row is None:
            raise LookupError(f"the cell of {key} was removed while it was asked")
        return cell.decision(bool(row[0]), int(row[1]))


def take_parameters(key: RateLimitKey, cell: Cell) -> dict[str, object]:
    """Those of TAKE_WHERE."""
    return {**vars(key), "step": cell.step, "tolerance": cell.tolerance}
