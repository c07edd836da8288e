"""The queue of an environment: runs that wait for a lease and a slot, served in order of arrival.

An entry lives until whoever made it takes it away, until its time is up, or until nobody asks for it any more.
"""

from typing import Final
from uuid import UUID

from psycopg import sql

from seed_pipelines.adapters.postgres.database import Connection, Database
from seed_pipelines.errors import QueueExpired, QueuePending

TTL_SECONDS: Final = 300
UNSEEN_SECONDS: Final = 15
"""An entry that was not asked for so long belongs to a process that is no more."""

_LIVING: Final = sql.SQL(
    "expires_at > clock_timestamp() AND seen_at > clock_timestamp() - make_interval(secs => {})"
).format(sql.Literal(UNSEEN_SECONDS))
_AHEAD: Final = sql.SQL("""
SELECT count(*), count(*) FILTER (WHERE tenant_id = %(tenant)s), count(*) FILTER (
    WHERE NOT EXISTS (
        SELECT FROM seed.lease
        WHERE lease.tenant_id = ahead.tenant_id AND lease.environment = ahead.environment
            AND lease.expires_at > clock_timestamp()
    )
)
FROM seed.queue_entry AS ahead
WHERE entry_id < %(entry)s AND environment = %(environment)s AND {}
""").format(_LIVING)
"""Entries before one: all, those of its tenant, and those that wait for nothing but a slot."""
_DROP_DEAD: Final = sql.SQL("""
DELETE FROM seed.queue_entry WHERE (tenant_id, entry_id) IN (
    SELECT tenant_id, entry_id FROM seed.queue_entry
    WHERE environment = %(environment)s AND entry_id <> %(entry)s
        AND NOT ({})
    FOR UPDATE SKIP LOCKED
)
""").format(_LIVING)


class Queue:
    """The queues of one database."""

    def __init__(self, control: Database) -> None:
        self._control = control

    def enter(self, tenant_id: UUID, environment: str, origin: str) -> int:
        """A new entry behind all others; its id. Entries whose time is up are taken away."""
        with self._control.connection() as connection:
            connection.execute(
                "DELETE FROM seed.queue_entry WHERE environment = %s AND expires_at < clock_timestamp()", [environment]
            )
            (entry_id,) = connection.execute(
                "INSERT INTO seed.queue_entry (tenant_id, environment, origin, expires_at)"
                " VALUES (%s, %s, %s, clock_timestamp() + make_interval(secs => %s)) RETURNING entry_id",
                [tenant_id, environment, origin, TTL_SECONDS],
            ).fetchone() or (0,)
        return int(entry_id)

    def stay(self, entry_id: int) -> None:
        """Keep the place; QueueExpired once its time is up."""
        with self._control.connection() as connection:
            kept = connection.execute(
                "UPDATE seed.queue_entry SET seen_at = clock_timestamp()"
                " WHERE entry_id = %s AND expires_at > clock_timestamp()",
                [entry_id],
            ).rowcount
        if not kept:
            raise QueueExpired(
                f"Entry {entry_id} lost its place: it waited {TTL_SECONDS // 60} minutes, or was not asked for in"
                f" {UNSEEN_SECONDS} s and counted as dead. Try again.",
                queue_entry=entry_id,
            )

    def leave(self, entry_id: int) -> None:
        """Give the place up; nothing happens if it is gone."""
        with self._control.connection() as connection:
            leave_queue(connection, entry_id)


def is_queued(run: str) -> sql.Composed:
    """The condition that a seed run, by its name in a statement, has a living entry."""
    return sql.SQL(
        "EXISTS (SELECT FROM seed.queue_entry AS entry WHERE entry.tenant_id = {run}.tenant_id"
        " AND entry.environment = {run}.environment AND entry.origin = {run}.origin AND {living})"
    ).format(run=sql.Identifier(run), living=_LIVING)


def leave_queue(connection: Connection, entry_id: int) -> None:
    """Take an entry away in a transaction of its caller's."""
    connection.execute("DELETE FROM seed.queue_entry WHERE entry_id = %s", [entry_id])


def await_turn(connection: Connection, entry_id: int, environment: str, tenant_id: UUID, free_slots: int) -> None:
    """QueuePending where an earlier entry is for the same tenant, or earlier ones will take all the free slots.

    Earlier entries whose tenant is being seeded hold nobody up: they wait for a lease, not for a slot. Dead entries are
    taken away by whoever's turn it is.
    """
    wanted = {"tenant": tenant_id, "entry": entry_id, "environment": environment}
    found = connection.execute(_AHEAD, wanted).fetchone()
    ahead, of_tenant, ready = found or (0, 0, 0)
    if of_tenant or ready >= free_slots:
        raise QueuePending(
            f"Entry {entry_id} is number {ahead + 1} in the queue of {environment}: others came first.",
            queue_entry=entry_id,
            ahead=ahead,
        )
    connection.execute(_DROP_DEAD, wanted)
