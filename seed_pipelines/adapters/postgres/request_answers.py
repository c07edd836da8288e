"""Answers to requests over HTTP: given once under a key, by one process at a time, and repeated for a day."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

import psycopg

from seed_pipelines.adapters.postgres.database import Connection, Database
from seed_pipelines.adapters.postgres.idempotency import TTL, Claim, answered
from seed_pipelines.errors import IdempotencyInProgress

PATIENCE_SECONDS: Final = 10
"""How long a request waits for another one under its key."""

_CLEARED_ONCE_IN: Final = 64
"""Answers, after which those of the tenant that are too old are removed."""


@dataclass(frozen=True)
class Given:
    """An answer."""

    text: str
    """Byte for byte what was stored."""
    repeated: bool
    """Whether it was given before."""


class RequestAnswers:
    """The answers of one database, reached by the control login."""

    def __init__(self, control: Database, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._control = control
        self._patience_seconds = patience_seconds

    def find(self, claim: Claim) -> str | None:
        """The answer that was given under the key, None if there is none; IdempotencyConflict."""
        with self._control.connection() as connection:
            replay = answered(connection, claim, None, _never)
        return None if replay is None else replay.response

    def once(self, claim: Claim, answer: Callable[[], str]) -> Given:
        """The answer under the key: the one that was given, or what `answer` gives now while others wait.

        Whatever `answer` raises leaves the key free. IdempotencyConflict; IdempotencyInProgress after the patience is over.
        """
        with self._control.connection() as connection:
            self._alone(connection, claim)
            replay = answered(connection, claim, None, _never)
            if replay is not None:
                return Given(replay.response, repeated=True)
            text = answer()
            _store(connection, claim, text)
            return Given(text, repeated=False)

    def reserved(self, claim: Claim) -> UUID:
        """The id for what is made under the key, the same until it is answered; to be asked for within `once` alone."""
        with self._control.connection() as connection:
            row = connection.execute(
                "INSERT INTO seed.idempotency_key AS used"
                " (tenant_id, environment, operation, key, manifest_hash, profile, seed_run_id)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)"
                " ON CONFLICT (tenant_id, environment, operation, key) DO UPDATE SET seed_run_id = CASE"
                " WHEN used.completed_at IS NULL AND used.manifest_hash = excluded.manifest_hash"
                " AND used.claimed_at > clock_timestamp() - %s::interval"
                " THEN used.seed_run_id ELSE excluded.seed_run_id END,"
                " manifest_hash = excluded.manifest_hash, profile = excluded.profile, claimed_at = excluded.claimed_at,"
                " completed_at = NULL, response = NULL RETURNING seed_run_id",
                [*claim.identity, claim.manifest_hash, claim.profile, uuid4(), TTL],
            ).fetchone()
        if row is None:
            raise LookupError(f"the key {claim.key!r} was removed while it was reserved")
        return UUID(str(row[0]))

    def _alone(self, connection: Connection, claim: Claim) -> None:
        """Hold the key until the transaction ends."""
        name = "\x1f".join(map(str, claim.identity))
        patience = f"{round(self._patience_seconds * 1000)}ms"
        connection.execute("SELECT set_config('lock_timeout', %s, true)", [patience])
        try:
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        except psycopg.errors.LockNotAvailable as error:
            raise IdempotencyInProgress(
                f"Another request under the key {claim.key!r} is at work: ask again when it is done.", key=claim.key
            ) from error


def _never(_token: int, _holder: str) -> bool:
    """Requests are answered without a lease, so there is no holder to ask about."""
    return False


def _store(connection: Connection, claim: Claim, text: str) -> None:
    origin = uuid4()
    connection.execute(
        "INSERT INTO seed.idempotency_key AS used (tenant_id, environment, operation, key, manifest_hash, profile,"
        " seed_run_id, completed_at, response) VALUES (%s, %s, %s, %s, %s, %s, %s, clock_timestamp(), %s)"
        " ON CONFLICT (tenant_id, environment, operation, key) DO UPDATE"
        " SET manifest_hash = excluded.manifest_hash, profile = excluded.profile,"
        " claimed_at = excluded.claimed_at, completed_at = excluded.completed_at, response = excluded.response",
        [*claim.identity, claim.manifest_hash, claim.profile, origin, text],
    )
    if origin.int % _CLEARED_ONCE_IN == 0:
        connection.execute(
            "DELETE FROM seed.idempotency_key WHERE tenant_id = %s AND environment = %s"
            " AND completed_at < clock_timestamp() - %s::interval",
            [claim.tenant_id, claim.environment, TTL],
        )
