"""Answers to requests over HTTP: given once under a key, by one process at a time, and repeated for a day."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

import psycopg

from seed_pipelines.adapters.postgres.access_decisions import ADD, AccessDecision, decision_parameters
from seed_pipelines.adapters.postgres.async_database import AsyncConnection, AsyncDatabase, sent
from seed_pipelines.adapters.postgres.database import BEGIN_SETTINGS, Database
from seed_pipelines.adapters.postgres.idempotency import FIND, TTL, Claim, claim_parameters, replay_of
from seed_pipelines.errors import IdempotencyInProgress

PATIENCE_SECONDS: Final = 10
"""How long a request waits for another one under its key."""

_CLEARED_ONCE_IN: Final = 64
"""Answers, after which those of the tenant that are too old are removed."""

_ALONE: Final = f"""
BEGIN; {BEGIN_SETTINGS}; {ADD}; COMMIT;
BEGIN; {BEGIN_SETTINGS};
SELECT set_config('lock_timeout', %(patience)s, true);
SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0));
"""
"""Records the permission, and holds the key until the transaction ends."""

_STORE_WHERE: Final = """
INSERT INTO seed.idempotency_key AS used (tenant_id, environment, operation, key, manifest_hash, profile, seed_run_id,
    completed_at, response)
SELECT %(tenant_id)s, %(environment)s, %(operation)s, %(key)s, %(manifest_hash)s, %(profile)s, %(seed_run_id)s,
    clock_timestamp(), %(response)s
WHERE {condition}
ON CONFLICT (tenant_id, environment, operation, key) DO UPDATE
SET manifest_hash = excluded.manifest_hash, profile = excluded.profile, claimed_at = excluded.claimed_at,
    completed_at = excluded.completed_at, response = excluded.response
"""
_STORE: Final = _STORE_WHERE.format(condition="true")
_FIND_OR_STORE: Final = f"""
WITH found AS MATERIALIZED ({FIND}), stored AS ({_STORE_WHERE.format(condition="NOT EXISTS (SELECT FROM found)")})
SELECT * FROM found
"""  # noqa: S608  # put together of constants
_CLEAR: Final = """
DELETE FROM seed.idempotency_key WHERE tenant_id = %(tenant_id)s AND environment = %(environment)s
AND completed_at < clock_timestamp() - %(ttl)s::interval;
"""


@dataclass(frozen=True)
class Given:
    """An answer."""

    text: str
    """Byte for byte what was stored."""
    repeated: bool
    """Whether it was given before."""


class RequestAnswers:
    """The answers of one database, reached by the control login."""

    def __init__(self, control: Database, exchanges: AsyncDatabase, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._control = control
        self._exchanges = exchanges
        self._patience = f"{round(patience_seconds * 1000)}ms"

    async def find(self, claim: Claim) -> str | None:
        """The answer that was given under the key, None if there is none; IdempotencyConflict."""
        async with self._exchanges.exchange(FIND, claim_parameters(claim)) as (_, rows):
            replay = replay_of(rows[0] if rows else None, claim, None, _never)
        return None if replay is None else replay.response

    async def once(
        self,
        claim: Claim,
        permission: AccessDecision,
        answer: Callable[[], Awaitable[str]],
        known: str | None = None,
    ) -> Given:
        """The answer under the key: the one that was given, or what `answer` gives now while others wait.

        `known` is what `answer` would give, where that is known. `permission` is recorded before, whatever becomes of the
        request. Whatever `answer` raises leaves the key free. IdempotencyConflict; IdempotencyInProgress after the patience is
        over.
        """
        name = "\x1f".join(map(str, claim.identity))
        parameters = {**decision_parameters(permission), **claim_parameters(claim)}
        origin = uuid4()
        parameters |= {"name": name, "patience": self._patience, "seed_run_id": origin, "response": known}
        query = _ALONE + (FIND if known is None else f"{_FIND_OR_STORE}; {_cleared(origin)} COMMIT")
        try:
            async with self._exchanges.exchange(query, parameters) as (connection, rows):
                replay = replay_of(rows[0] if rows else None, claim, None, _never)
                if replay is not None:
                    return Given(replay.response, repeated=True)
                if known is not None and not rows:
                    return Given(known, repeated=False)
                text = await answer()
                await _store(connection, claim, text)
                return Given(text, repeated=False)
        except psycopg.errors.LockNotAvailable as error:
            raise IdempotencyInProgress(
                f"Another request under the key {claim.key!r} is at work: ask again when it is done.", key=claim.key
            ) from error

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


def _never(_token: int, _holder: str) -> bool:
    """Requests are answered without a lease, so there is no holder to ask about."""
    return False


async def _store(connection: AsyncConnection, claim: Claim, text: str) -> None:
    origin = uuid4()
    parameters = {**claim_parameters(claim), "seed_run_id": origin, "response": text}
    await sent(connection, f"{_STORE}; {_cleared(origin)} COMMIT", parameters)


def _cleared(drawn: UUID) -> str:
    """A statement that removes what is too old, once in a while."""
    return _CLEAR if drawn.int % _CLEARED_ONCE_IN == 0 else ""
