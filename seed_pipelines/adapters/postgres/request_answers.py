"""Answers to requests over HTTP: given once under a key, by one process at a time, and repeated for a day."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg

from seed_pipelines.adapters.postgres.access_decisions import AccessDecision
from seed_pipelines.adapters.postgres.answer_statements import FORGOTTEN_AT_ONCE, begin_alone, forget, store
from seed_pipelines.adapters.postgres.async_database import AsyncDatabase, sent
from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.idempotency import FIND, TTL, Claim, Replay, claim_parameters, replay_of
from seed_pipelines.errors import IdempotencyInProgress

PATIENCE_SECONDS: Final = 10
"""How long a request waits for another one under its key."""


@dataclass(frozen=True)
class Given:
    """An answer."""

    text: str
    """Byte for byte what was stored."""
    repeated: bool
    """Whether it was given before."""


class RequestAnswers:
    """The answers of one database, reached by the control login; belongs to one event loop."""

    def __init__(self, control: Database, exchanges: AsyncDatabase, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._control = control
        self._exchanges = exchanges
        self._patience = f"{round(patience_seconds * 1000)}ms"

    async def find(self, claim: Claim) -> str | None:
        """The answer that was given under the key, None if there is none; IdempotencyConflict."""
        async with self._exchanges.exchange(FIND, claim_parameters(claim)) as (_, (rows,)):
            replay = answer_found(rows[0] if rows else None, claim)
        return None if replay is None else replay.response

    async def once(self, claim: Claim, permission: AccessDecision, answer: Callable[[], Awaitable[str]]) -> Given:
        """The answer under the key: the one that was given, or what `answer` gives now while others wait.

        `permission` is recorded before, whatever becomes of the request. Whatever `answer` raises leaves the key free.
        IdempotencyConflict; IdempotencyInProgress after the patience is over.
        """
        try:
            async with self._exchanges.exchange(*begin_alone(claim, permission, self._patience)) as (connection, found):
                replay = answer_found(found[-1][0] if found[-1] else None, claim)
                if replay is not None:
                    return Given(replay.response, repeated=True)
                text = await answer()
                await sent(connection, *store([(claim, uuid4(), text)]))
                return Given(text, repeated=False)
        except psycopg.errors.LockNotAvailable as error:
            raise IdempotencyInProgress(
                f"Another request under the key {claim.key!r} is at work: ask again when it is done.", key=claim.key
            ) from error

    async def forget_old(self) -> int:
        """Remove the answers that are too old to be repeated, of every tenant; how many there were."""
        total = 0
        while True:
            async with self._exchanges.exchange(*forget()) as (_, (((number,),),)):
                total += int(number)
            if number < FORGOTTEN_AT_ONCE:
                return total

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


def answer_found(row: Sequence[Any] | None, claim: Claim) -> Replay | None:
    """What a row of FIND says; requests are answered without a lease, so there is no holder to ask about."""
    return replay_of(row, claim, None, lambda _token, _holder: False)
