"""One writer per tenant and environment: leases with fencing tokens, by the clock of the database.

A load holds its token `FOR KEY SHARE`. Whoever changes or removes the token first locks the row `FOR UPDATE`, and so waits
for the writers; a heartbeat changes no key and passes them. Leases are given out one at a time, under an advisory lock of
the transaction.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import psycopg

from seed_pipelines.adapters.postgres.database import Connection, Database
from seed_pipelines.adapters.postgres.idempotency import Claim, claim_key
from seed_pipelines.adapters.postgres.queue import await_turn, leave_queue
from seed_pipelines.errors import ConcurrencyCap, LeaseHeld, LeaseLost

ADMISSION_LOCK: Final = 0x5EED_0003
"""Advisory lock under which leases are given out."""
_WRITERS_SECONDS: Final = 10
"""How long the writers of a lease that may be taken over are waited for at once: a queue entry dies if it waits for longer."""
_LOCK_LEASE: Final = "SELECT FROM seed.lease WHERE tenant_id = %s AND environment = %s AND token = %s FOR UPDATE"


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
class Terms:
    """What has to be had together with a lease."""

    slots: int | None = None
    """How many runs of the environment may hold one at once; None takes no slot."""
    entry: int | None = None
    """The queue entry whose turn it must be; it is left with the lease."""
    claim: Claim | None = None
    """The idempotency key that is claimed with it."""


NO_TERMS: Final = Terms()


@dataclass(frozen=True)
class _Seen:
    token: int
    holder: str
    expires_in_seconds: float

    def may_be_taken(self, finished: Collection[int]) -> bool:
        """Whether it expired, or its holder is known to be over."""
        return self.expires_in_seconds <= 0 or self.token in finished


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
        terms: Terms = NO_TERMS,
    ) -> Lease:
        """The lease, new, taken over, or joined where the same seed run holds it; all of its terms with it, or nothing.

        A lease is taken over, with a larger token, when it has expired or `holder_finished` says that its holder is over;
        that waits for the holder's writers. LeaseHeld if neither is so, or, with their `token`, if they go on
        for long; ConcurrencyCap, QueuePending, IdempotencyConflict or IdempotencyInProgress by its terms.
        """
        wanted = Lease(tenant_id, environment, seed_run_id, holder, 0)
        if (joined := self.join(tenant_id, environment, seed_run_id)) is not None:
            return joined
        finished = self._finished(environment, holder_finished)
        with self._control.connection() as connection:
            slot = _admitted(connection, wanted, terms, finished)
            if terms.claim is not None:
                claim_key(connection, terms.claim, seed_run_id, finished)
            if terms.entry is not None:
                leave_queue(connection, terms.entry)
            (token,) = connection.execute(
                "INSERT INTO seed.lease AS lease"
                " (tenant_id, environment, token, seed_run_id, holder, slot, acquired_at, expires_at)"
                " VALUES (%s, %s, nextval('seed.fencing_token'), %s, %s, %s, clock_timestamp(),"
                " clock_timestamp() + make_interval(secs => %s))"
                " ON CONFLICT (tenant_id, environment) DO UPDATE SET token = excluded.token,"
                " seed_run_id = excluded.seed_run_id, holder = excluded.holder, slot = excluded.slot,"
                " acquired_at = excluded.acquired_at, expires_at = excluded.expires_at RETURNING token",
                [tenant_id, environment, seed_run_id, holder, slot, self._ttl_seconds],
            ).fetchone() or (0,)
        return Lease(tenant_id, environment, seed_run_id, holder, int(token))

    def join(self, tenant_id: UUID, environment: str, seed_run_id: UUID) -> Lease | None:
        """The living lease of a seed run, kept alive; None if it has none."""
        with self._control.connection() as connection:
            row = connection.execute(
                "UPDATE seed.lease SET expires_at = clock_timestamp() + make_interval(secs => %s)"
                " WHERE tenant_id = %s AND environment = %s AND seed_run_id = %s AND expires_at > clock_timestamp()"
                " RETURNING holder, token",
                [self._ttl_seconds, tenant_id, environment, seed_run_id],
            ).fetchone()
        return None if row is None else Lease(tenant_id, environment, seed_run_id, *row)

    def _finished(self, environment: str, holder_finished: Callable[[str], bool]) -> frozenset[int]:
        """Tokens of living leases whose holders are known to be over."""
        with self._control.connection() as connection:
            living = connection.execute(
                "SELECT token, holder FROM seed.lease WHERE environment = %s AND expires_at > clock_timestamp()",
                [environment],
            ).fetchall()
        return frozenset(token for token, holder in living if holder_finished(holder))

    def holder(self, tenant_id: UUID, environment: str) -> str | None:
        """Who holds the lease by the clock of the database; None where nobody does or it has expired."""
        with self._control.connection() as connection:
            seen = _see(connection, tenant_id, environment)
        return seen.holder if seen is not None and seen.expires_in_seconds > 0 else None

    def heartbeat(self, lease: Lease) -> None:
        """Move the expiry; LeaseLost if the token is no longer the current one."""
        with self._control.connection() as connection:
            kept = connection.execute(
                "UPDATE seed.lease SET expires_at = clock_timestamp() + make_interval(secs => %s)"
                " WHERE tenant_id = %s AND environment = %s AND token = %s",
                [self._ttl_seconds, lease.tenant_id, lease.environment, lease.token],
            ).rowcount
        if not kept:
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
            release_run(connection, tenant_id, environment, seed_run_id)


def release_run(connection: Connection, tenant_id: UUID, environment: str, seed_run_id: UUID) -> None:
    """Give up whatever lease a seed run holds, in a transaction of its caller's; nothing happens if it holds none."""
    connection.execute(
        "DELETE FROM seed.lease WHERE tenant_id = %s AND environment = %s AND seed_run_id = %s",
        [tenant_id, environment, seed_run_id],
    )


def hold_token(connection: Connection, lease: Lease) -> None:
    """Make sure that the lease's token is the current one until the transaction ends; LeaseLost."""
    held = connection.execute(
        "SELECT FROM seed.lease WHERE tenant_id = %s AND environment = %s AND token = %s FOR KEY SHARE",
        [lease.tenant_id, lease.environment, lease.token],
    ).rowcount
    if not held:
        raise LeaseLost(
            f"Token {lease.token} does not hold {lease.environment} any more: another run took over.", token=lease.token
        )


def _admitted(connection: Connection, wanted: Lease, terms: Terms, finished: Collection[int]) -> int | None:
    """Wait for the writers of a lease that may be taken over, then to be the one who is admitted; the slot, if any."""
    seen = _see(connection, wanted.tenant_id, wanted.environment)
    if seen is not None and seen.may_be_taken(finished):
        _await_writers(connection, wanted, seen)
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [ADMISSION_LOCK])
    seen = _see(connection, wanted.tenant_id, wanted.environment)
    if seen is not None and not (seen.may_be_taken(finished) and _is_locked(connection, wanted, seen)):
        raise _held(seen, wanted.environment)
    if terms.slots is None:
        return None
    free = _free_slots(connection, wanted, terms.slots, finished)
    if not free:
        raise ConcurrencyCap(
            f"{terms.slots} runs are seeding {wanted.environment}, which is as many as may at once: try again later.",
            cap=terms.slots,
        )
    if terms.entry is not None:
        await_turn(connection, terms.entry, wanted.environment, wanted.tenant_id, len(free))
    return free[0]


def _await_writers(connection: Connection, wanted: Lease, seen: _Seen) -> None:
    """Lock the row of a lease once nobody writes under it any more; LeaseHeld where that takes long."""
    connection.execute(f"SET LOCAL lock_timeout = '{_WRITERS_SECONDS}s'".encode())
    try:
        connection.execute(_LOCK_LEASE.encode(), [wanted.tenant_id, wanted.environment, seen.token])
    except psycopg.errors.LockNotAvailable as error:
        raise LeaseHeld(
            f"Dagster run {seen.holder} is over or not heard of, but what it was writing in {wanted.environment} has not"
            " ended yet: try again later.",
            holder=seen.holder,
            expires_in_seconds=0,
            token=seen.token,
        ) from error
    connection.execute("SET LOCAL lock_timeout TO DEFAULT")


def _is_locked(connection: Connection, wanted: Lease, seen: _Seen) -> bool:
    """Whether the row is locked for us without waiting: nobody waits for others once they may admit."""
    row = [wanted.tenant_id, wanted.environment, seen.token]
    return connection.execute(f"{_LOCK_LEASE} SKIP LOCKED".encode(), row).rowcount == 1


def _free_slots(connection: Connection, wanted: Lease, slots: int, finished: Collection[int]) -> list[int]:
    """Slots of the environment that nobody has; leases of other tenants that ended without a word lose theirs.

    One whose writer is still at work keeps it: nobody waits for another tenant.
    """
    connection.execute(
        "DELETE FROM seed.lease WHERE token IN (SELECT token FROM seed.lease WHERE environment = %(environment)s"
        " AND tenant_id <> %(tenant)s AND slot IS NOT NULL"
        " AND (expires_at <= clock_timestamp() OR token = ANY(%(finished)s)) FOR UPDATE SKIP LOCKED)",
        {"environment": wanted.environment, "tenant": wanted.tenant_id, "finished": list(finished)},
    )
    taken = connection.execute(
        "SELECT slot FROM seed.lease WHERE environment = %s AND tenant_id <> %s AND slot IS NOT NULL",
        [wanted.environment, wanted.tenant_id],
    ).fetchall()
    return sorted(set(range(1, slots + 1)) - {slot for (slot,) in taken})


def _see(connection: Connection, tenant_id: UUID, environment: str) -> _Seen | None:
    row = connection.execute(
        "SELECT token, holder, extract(epoch FROM expires_at - clock_timestamp())::float8"
        " FROM seed.lease WHERE tenant_id = %s AND environment = %s",
        [tenant_id, environment],
    ).fetchone()
    return None if row is None else _Seen(*row)


def _held(seen: _Seen, environment: str) -> LeaseHeld:
    seconds = max(0, round(seen.expires_in_seconds))
    return LeaseHeld(
        f"Dagster run {seen.holder} is seeding this tenant in {environment}."
        f" If it died, its lease ends in {seconds} s: try again then.",
        holder=seen.holder,
        expires_in_seconds=seconds,
    )
