"""One writer per tenant and environment: leases with fencing tokens, by the clock of the database.

A load holds its token `FOR KEY SHARE`. Whoever changes or removes the token first locks the row `FOR UPDATE`, and so waits
for the writers; a heartbeat changes no key and passes them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from seed_pipelines.adapters.postgres.database import Connection, Database
from seed_pipelines.errors import LeaseHeld, LeaseLost

_ATTEMPTS: Final = 8
"""Reads of a lease that other runs keep changing, before it counts as held."""


@dataclass(frozen=True)
class Lease:
    """The right to write to a tenant of an environment, as long as its token is the current one."""

    tenant_id: UUID
    environment: str
    seed_run_id: UUID
    holder: str
    """The Dagster run or backfill behind the seed run."""
    token: int


@dataclass(frozen=True)
class _Seen:
    token: int
    seed_run_id: UUID
    holder: str
    expires_in_seconds: float


class LeaseStore:
    """The leases of one database."""

    def __init__(self, control: Database, ttl_seconds: float) -> None:
        """A lease outlives its last heartbeat by `ttl_seconds`."""
        self._control = control
        self._ttl_seconds = ttl_seconds

    def acquire(
        self,
        tenant_id: UUID,
        environment: str,
        seed_run_id: UUID,
        holder: str,
        holder_finished: Callable[[str], bool],
    ) -> Lease:
        """The lease, new, taken over, or joined where the same seed run holds it.

        A lease is taken over, with a larger token, when it has expired or `holder_finished` says that its holder is over;
        that waits for the holder's writers. LeaseHeld if neither is so.
        """
        wanted = Lease(tenant_id, environment, seed_run_id, holder, 0)
        for _ in range(_ATTEMPTS):
            seen = self._see(tenant_id, environment)
            if seen is None:
                token = self._create(wanted)
            elif seen.seed_run_id == seed_run_id and seen.expires_in_seconds > 0:
                token = self._extend(wanted, seen.token)
            elif seen.expires_in_seconds <= 0:
                token = self._take(wanted, seen.token, only_expired=True)
            elif holder_finished(seen.holder):
                token = self._take(wanted, seen.token, only_expired=False)
            else:
                break
            if token is not None:
                return Lease(tenant_id, environment, seed_run_id, holder, token)
        raise _held(seen, environment)

    def holder(self, tenant_id: UUID, environment: str) -> str | None:
        """Who holds the lease by the clock of the database; None where nobody does or it has expired."""
        seen = self._see(tenant_id, environment)
        return seen.holder if seen is not None and seen.expires_in_seconds > 0 else None

    def heartbeat(self, lease: Lease) -> None:
        """Move the expiry; LeaseLost if the token is no longer the current one."""
        if self._extend(lease, lease.token) is None:
            raise LeaseLost(
                f"Token {lease.token} is gone: another run took over {lease.environment}.", token=lease.token
            )

    def release(self, lease: Lease) -> None:
        """Give the lease up once its writers are done; nothing happens if the token is gone already."""
        with self._control.connection() as connection:
            connection.execute(
                "DELETE FROM seed.lease WHERE tenant_id = %s AND environment = %s AND token = %s",
                [lease.tenant_id, lease.environment, lease.token],
            )

    def release_run(self, tenant_id: UUID, environment: str, seed_run_id: UUID) -> None:
        """Give up whatever lease a seed run holds, once its writers are done; nothing happens if it holds none."""
        with self._control.connection() as connection:
            connection.execute(
                "DELETE FROM seed.lease WHERE tenant_id = %s AND environment = %s AND seed_run_id = %s",
                [tenant_id, environment, seed_run_id],
            )

    def _see(self, tenant_id: UUID, environment: str) -> _Seen | None:
        with self._control.connection() as connection:
            row = connection.execute(
                "SELECT token, seed_run_id, holder, extract(epoch FROM expires_at - clock_timestamp())::float8"
                " FROM seed.lease WHERE tenant_id = %s AND environment = %s",
                [tenant_id, environment],
            ).fetchone()
        return None if row is None else _Seen(*row)

    def _create(self, wanted: Lease) -> int | None:
        with self._control.connection() as connection:
            return _token(
                connection,
                "INSERT INTO seed.lease (tenant_id, environment, token, seed_run_id, holder, acquired_at, expires_at)"
                " VALUES (%s, %s, nextval('seed.fencing_token'), %s, %s, clock_timestamp(),"
                " clock_timestamp() + make_interval(secs => %s))"
                " ON CONFLICT (tenant_id, environment) DO NOTHING RETURNING token",
                [wanted.tenant_id, wanted.environment, wanted.seed_run_id, wanted.holder, self._ttl_seconds],
            )

    def _extend(self, lease: Lease, token: int) -> int | None:
        with self._control.connection() as connection:
            return _token(
                connection,
                "UPDATE seed.lease SET expires_at = clock_timestamp() + make_interval(secs => %s)"
                " WHERE tenant_id = %s AND environment = %s AND token = %s RETURNING token",
                [self._ttl_seconds, lease.tenant_id, lease.environment, token],
            )

    def _take(self, wanted: Lease, seen_token: int, *, only_expired: bool) -> int | None:
        row = [wanted.tenant_id, wanted.environment, seen_token]
        with self._control.connection() as connection:
            # The wait for writers is here, so that the update below reads the clock after it.
            connection.execute(
                "SELECT FROM seed.lease WHERE tenant_id = %s AND environment = %s AND token = %s FOR UPDATE",
                row,
            )
            return _token(
                connection,
                "UPDATE seed.lease SET token = nextval('seed.fencing_token'), seed_run_id = %s, holder = %s,"
                " acquired_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => %s)"
                " WHERE tenant_id = %s AND environment = %s AND token = %s"
                " AND (NOT %s OR expires_at <= clock_timestamp()) RETURNING token",
                [wanted.seed_run_id, wanted.holder, self._ttl_seconds, *row, only_expired],
            )


def _token(connection: Connection, statement: str, parameters: list[object]) -> int | None:
    row = connection.execute(statement.encode(), parameters).fetchone()
    return None if row is None else int(row[0])


def _held(seen: _Seen | None, environment: str) -> LeaseHeld:
    if seen is None:
        return LeaseHeld(f"Several runs want the lease of {environment} at once.", holder=None, expires_in_seconds=0)
    seconds = max(0, round(seen.expires_in_seconds))
    return LeaseHeld(
        f"Dagster run {seen.holder} is seeding this tenant in {environment}."
        f" If it died, its lease ends in {seconds} s: try again then.",
        holder=seen.holder,
        expires_in_seconds=seconds,
    )
