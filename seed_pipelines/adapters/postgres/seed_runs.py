"""Seed runs: one attempt to seed a dataset, entered by every Dagster step and run that takes part in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from seed_pipelines.adapters.postgres.database import Connection, Database
from seed_pipelines.adapters.postgres.idempotency import free_key
from seed_pipelines.adapters.postgres.leases import Lease, hold_token
from seed_pipelines.adapters.postgres.queue import is_queued
from seed_pipelines.errors import Interrupted, LeaseLost, ManifestHashMismatch

Status = Literal["running", "sealing", "succeeded", "partial", "failed", "aborted"]
"""`sealing` is a run that has done its work and whose report is not sealed yet; `partial` one of some assets or shards only."""


@dataclass(frozen=True)
class NewSeedRun:
    """What a seed run is opened with; the database adds who its login is."""

    tenant_id: UUID
    environment: str
    profile: str
    origin: str
    """The Dagster run id, or `backfill:<id>`."""
    manifest_hash: str
    mode: str
    idempotency_key: str
    requested_by: str
    manifest: Mapping[str, Any]
    """The document that the hash is of."""
    claimed_roles: tuple[str, ...] = ()
    window_override_reason: str | None = None


@dataclass(frozen=True)
class SeedRun:
    """A row of seed.seed_run."""

    seed_run_id: UUID
    tenant_id: UUID
    environment: str
    profile: str
    origin: str
    """The Dagster run id, or `backfill:<id>`."""
    manifest_hash: str
    mode: str
    idempotency_key: str
    status: Status
    subject: str
    """The control login that started it."""
    requested_by: str
    claimed_roles: tuple[str, ...]
    window_override_reason: str | None
    fencing_token: int | None
    """The newest token that this attempt held."""
    started_at: datetime
    ended_at: datetime | None
    problem: Mapping[str, Any] | None
    """Problem Details object (RFC 9457) of what ended it."""
    attempt: int
    """Counts how often it was begun."""
    manifest: Mapping[str, Any] | None
    """The document that the hash is of; None for runs of before reports were made."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "claimed_roles", tuple(self.claimed_roles))


_COLUMNS: Final = sql.SQL(", ").join(map(sql.Identifier, SeedRun.__dataclass_fields__))


class SeedRunStore:
    """The seed runs of one database."""

    def __init__(self, control: Database) -> None:
        self._control = control

    def open(self, wanted: NewSeedRun) -> SeedRun:
        """Open the seed run of an origin: a new one, or the one it opened before, which begins anew if it had ended in vain.

        The subject is the login that the database authenticated. ManifestHashMismatch if the origin opened it for
        another manifest, LeaseLost if another seed run took over from it: what that one wrote must stay.
        """
        with self._control.connection() as connection:
            connection.execute(
                "INSERT INTO seed.seed_run (tenant_id, environment, profile, origin, manifest_hash, mode,"
                " idempotency_key, requested_by, claimed_roles, window_override_reason, manifest, subject)"
                " VALUES (%(tenant_id)s, %(environment)s, %(profile)s, %(origin)s, %(manifest_hash)s, %(mode)s,"
                " %(idempotency_key)s, %(requested_by)s, %(claimed_roles)s, %(window_override_reason)s, %(manifest)s,"
                " session_user::text)"
                " ON CONFLICT ON CONSTRAINT seed_run_origin_key"
                " DO UPDATE SET status = 'running', ended_at = NULL, problem = NULL, fencing_token = NULL,"
                " attempt = seed_run.attempt + 1"
                " WHERE seed_run.manifest_hash = excluded.manifest_hash"
                " AND seed_run.status IN ('partial', 'failed', 'aborted')"
                " AND NOT (seed_run.status = 'aborted' AND seed_run.problem->>'code' = %(fenced_out)s)",
                vars(wanted)
                | {
                    "claimed_roles": list(wanted.claimed_roles),
                    "manifest": Jsonb(wanted.manifest),
                    "fenced_out": LeaseLost.code,
                },
            )
            run = _find(connection, wanted.origin, wanted.tenant_id, wanted.environment, wanted.profile)
        if run is None:
            raise LookupError(f"the seed run of {wanted.origin} was removed while it was opened")
        if run.manifest_hash != wanted.manifest_hash:
            raise ManifestHashMismatch(
                f"{wanted.origin} began with manifest {run.manifest_hash} and goes on with {wanted.manifest_hash}:"
                " start a new run.",
                expected=run.manifest_hash,
                actual=wanted.manifest_hash,
            )
        if run.status == "aborted":
            raise LeaseLost(
                f"Another run took over from {wanted.origin} while it stood still: start a new run.",
                token=run.fencing_token,
            )
        return run

    def find(self, origin: str, tenant_id: UUID, environment: str, profile: str) -> SeedRun | None:
        """Find the seed run that an origin opened."""
        with self._control.connection() as connection:
            return _find(connection, origin, tenant_id, environment, profile)

    def of_origins(self, tenant_id: UUID, environment: str, origins: Sequence[str]) -> tuple[SeedRun, ...]:
        """Whatever seed runs these origins opened for a tenant, in the order in which they began."""
        condition = sql.SQL("tenant_id = %s AND environment = %s AND origin = ANY(%s)")
        with self._control.connection() as connection:
            return find_all(connection, condition, [tenant_id, environment, list(origins)])

    def fence(self, run: SeedRun, lease: Lease) -> None:
        """Record the fencing token that a running seed run holds; LeaseLost if it is gone.

        Those it took over from end as aborted, lease_lost; those that died in the queue as aborted, interrupted.
        """
        token = lease.token
        lost = LeaseLost(f"{run.origin} took over with token {token}.", token=token)
        with self._control.connection() as connection:
            hold_token(connection, lease)
            connection.execute(
                "UPDATE seed.seed_run SET fencing_token = %s WHERE seed_run_id = %s AND status = 'running'",
                [token, run.seed_run_id],
            )
            if connection.execute(
                "SELECT FROM seed.seed_run WHERE seed_run_id = %s AND status = 'aborted'", [run.seed_run_id]
            ).rowcount:
                raise LeaseLost(
                    f"{run.origin} stood still in the queue, counted as dead and was ended: start a new run.",
                    token=token,
                )
            connection.execute(
                "UPDATE seed.seed_run SET status = 'aborted', problem = %s, ended_at = clock_timestamp()"
                " WHERE status = 'running' AND tenant_id = %s AND environment = %s AND fencing_token < %s",
                [Jsonb(lost.problem()), run.tenant_id, run.environment, token],
            )
            connection.execute(
                sql.SQL(
                    "UPDATE seed.seed_run AS dead SET status = 'aborted', problem = %(problem)s,"
                    " ended_at = clock_timestamp() WHERE status = 'running' AND tenant_id = %(tenant)s"
                    " AND environment = %(environment)s AND fencing_token IS NULL AND NOT {}"
                ).format(is_queued("dead")),
                {"problem": Jsonb(died_in_queue().problem()), "tenant": run.tenant_id, "environment": run.environment},
            )

    def finish(self, seed_run_id: UUID, status: Status, problem: Mapping[str, Any] | None = None) -> bool:
        """End a running seed run without an answer, its key free again; False, and no change, if it had ended before."""
        with self._control.connection() as connection:
            ended = end(connection, seed_run_id, status, problem)
            free_key(connection, seed_run_id)
            return ended


def died_in_queue() -> Interrupted:
    """What ended a seed run that has neither a token nor a living place in the queue."""
    return Interrupted("The run was not heard of any more before it held the lease.")


def end(connection: Connection, seed_run_id: UUID, status: Status, problem: Mapping[str, Any] | None) -> bool:
    """End a running seed run in a transaction of its caller's; False if it had ended before."""
    ended = connection.execute(
        "UPDATE seed.seed_run SET status = %s, problem = %s, ended_at = clock_timestamp()"
        " WHERE seed_run_id = %s AND status = 'running'",
        [status, None if problem is None else Jsonb(dict(problem)), seed_run_id],
    )
    return ended.rowcount == 1


def find_all(connection: Connection, condition: sql.Composable, parameters: Sequence[object]) -> tuple[SeedRun, ...]:
    """The seed runs that meet a condition, in the order in which they began."""
    query = sql.SQL("SELECT {} FROM seed.seed_run AS run WHERE {} ORDER BY started_at")
    with connection.cursor(row_factory=class_row(SeedRun)) as cursor:
        return tuple(cursor.execute(query.format(_COLUMNS, condition), parameters).fetchall())


def _find(connection: Connection, origin: str, tenant_id: UUID, environment: str, profile: str) -> SeedRun | None:
    query = sql.SQL(
        "SELECT {} FROM seed.seed_run WHERE tenant_id = %s AND environment = %s AND profile = %s AND origin = %s"
    )
    with connection.cursor(row_factory=class_row(SeedRun)) as cursor:
        return cursor.execute(query.format(_COLUMNS), [tenant_id, environment, profile, origin]).fetchone()
