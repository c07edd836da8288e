"""The log of all reports of an environment: its leaves, its signed heads, and what its bucket was last found to be."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from seed_pipelines.adapters.postgres.database import Database


@dataclass(frozen=True)
class LogCheckpoint:
    """A signed head of the log, as it was sealed."""

    tree_size: int
    root: str
    """Merkle tree hash (RFC 6962), hexadecimal."""
    envelope: bytes
    object_key: str
    version_id: str


@dataclass(frozen=True)
class LogEntry:
    """A report in the log, and where it is sealed."""

    log_index: int
    tenant_id: UUID
    seed_run_id: UUID
    attempt: int
    sequence: int
    sha256: str
    """Of its envelope, hexadecimal."""
    object_key: str | None
    """None while it is not sealed."""
    version_id: str | None
    origin: str | None = None
    """Of its seed run; None where that is no more."""


@dataclass(frozen=True)
class Probe:
    """What was last found of the bucket."""

    probed_at: datetime
    age_seconds: float
    """By the clock of the database."""
    problem: Mapping[str, Any] | None
    """None if it keeps what it is given."""


class ReportLog:
    """The log of one database."""

    def __init__(self, control: Database) -> None:
        self._control = control

    def entries(self, environment: str) -> tuple[LogEntry, ...]:
        """Every report, in the order of the log."""
        with self._control.connection() as connection, connection.cursor(row_factory=class_row(LogEntry)) as cursor:
            return tuple(
                cursor.execute(
                    "SELECT log_index, tenant_id, seed_run_id, report.attempt, sequence, sha256, object_key, version_id,"
                    " origin FROM seed.report LEFT JOIN seed.evidence USING (tenant_id, seed_run_id, attempt)"
                    " LEFT JOIN seed.seed_run USING (tenant_id, seed_run_id)"
                    " WHERE report.environment = %s ORDER BY log_index",
                    [environment],
                ).fetchall()
            )

    def last_checkpoint(self, environment: str) -> LogCheckpoint | None:
        """The head that covers most; None before the first."""
        with (
            self._control.connection() as connection,
            connection.cursor(row_factory=class_row(LogCheckpoint)) as cursor,
        ):
            return cursor.execute(
                "SELECT tree_size, root, envelope, object_key, version_id FROM seed.log_checkpoint"
                " WHERE environment = %s ORDER BY tree_size DESC LIMIT 1",
                [environment],
            ).fetchone()

    def record_checkpoint(self, environment: str, checkpoint: LogCheckpoint) -> None:
        """Keep a sealed head; nothing happens if one of its size is there."""
        with self._control.connection() as connection:
            connection.execute(
                "INSERT INTO seed.log_checkpoint (environment, tree_size, root, envelope, object_key, version_id)"
                " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (environment, tree_size) DO NOTHING",
                [environment, *vars(checkpoint).values()],
            )

    def record_probe(self, environment: str, problem: Mapping[str, Any] | None) -> None:
        """Keep what was found of the bucket now."""
        with self._control.connection() as connection:
            connection.execute(
                "INSERT INTO seed.worm_probe (environment, probed_at, problem) VALUES (%s, clock_timestamp(), %s)"
                " ON CONFLICT (environment) DO UPDATE SET probed_at = excluded.probed_at, problem = excluded.problem",
                [environment, None if problem is None else Jsonb(dict(problem))],
            )

    def last_probe(self, environment: str) -> Probe | None:
        """What was found last; None if it never was."""
        with self._control.connection() as connection, connection.cursor(row_factory=class_row(Probe)) as cursor:
            return cursor.execute(
                "SELECT probed_at, extract(epoch FROM clock_timestamp() - probed_at)::float8 AS age_seconds, problem"
                " FROM seed.worm_probe WHERE environment = %s",
                [environment],
            ).fetchone()
