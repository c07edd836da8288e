"""Answers to requests that are asked for at once, through a real server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar
from uuid import uuid4

import pytest

from seed_pipelines.adapters.postgres.access_decisions import AccessDecision
from seed_pipelines.adapters.postgres.async_database import AsyncDatabase
from seed_pipelines.adapters.postgres.control import PostgresControl
from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.idempotency import Claim
from seed_pipelines.adapters.postgres.request_answers import Given, RequestAnswers
from seed_pipelines.errors import IdempotencyConflict, IdempotencyInProgress, OutsideWindow
from seed_pipelines_tests.e2e.postgres.conftest import ENVIRONMENT, TENANT_A, TENANT_B, Server

pytestmark = pytest.mark.e2e

CLAIM = Claim(TENANT_A.tenant_id, ENVIRONMENT, "validate", "key", "a" * 64, "")
CALLERS = 12
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

Found = TypeVar("Found")


@dataclass(frozen=True)
class Asking:
    """Answers of one event loop, whoever asks being permitted to."""

    answers: RequestAnswers
    permissions: list[AccessDecision] = field(default_factory=list)

    async def once(self, claim: Claim, work: Callable[[], Awaitable[str]]) -> Given:
        return await self.answers.once(claim, self._permitted(claim), work)

    def _permitted(self, claim: Claim) -> AccessDecision:
        identity = (claim.tenant_id, claim.environment)
        decision = AccessDecision(*identity, "read", (), ("seed-read",), None, "token:ci", str(uuid4()))
        self.permissions.append(decision)
        return decision


@asynccontextmanager
async def asking(stack: Server, control: Database, patience_seconds: float = 10) -> AsyncIterator[Asking]:
    exchanges = AsyncDatabase(stack.url("seed_service"))
    try:
        yield Asking(RequestAnswers(control, exchanges, patience_seconds))
    finally:
        await exchanges.close()


def run(work: Coroutine[object, object, Found]) -> Found:
    return asyncio.run(work)


async def done() -> str:
    return "done"


async def never() -> str:
    raise AssertionError("it was answered before")


async def await_waiting(stack: Server, number: int) -> None:
    """Until so many transactions wait for a key."""
    with stack.superuser() as connection:
        connection.autocommit = True
        async with asyncio.timeout(20):
            while connection.execute(WAITING).fetchone() != (number,):
                await asyncio.sleep(0.02)


def test_one_is_worked_on_while_the_others_wait_for_its_answer(stack: Server, control: Database) -> None:
    """The work is not done before all others have come and wait."""
    computed = []

    async def all_at_once() -> list[Given]:
        async def work() -> str:
            await await_waiting(stack, CALLERS - 1)
            computed.append(1)
            return '{"\u00e9": 1}'

        async with asking(stack, control) as asked:
            first = asyncio.create_task(asked.once(CLAIM, work))
            await await_held(stack)
            others = (asked.once(CLAIM, never) for _ in range(CALLERS - 1))
            return [*await asyncio.gather(*others), await first]

    given = run(all_at_once())
    assert len(computed) == 1
    assert {found.text for found in given} == {'{"\u00e9": 1}'}
    assert [found.repeated for found in given] == [True] * (CALLERS - 1) + [False]


async def await_held(stack: Server) -> None:
    """Until a transaction has a key for itself."""
    with stack.superuser() as connection:
        connection.autocommit = True
        async with asyncio.timeout(20):
            while connection.execute(WAITING.replace("NOT ", "")).fetchone() != (1,):
                await asyncio.sleep(0.02)


def test_other_keys_operations_and_tenants_do_not_wait(stack: Server, control: Database) -> None:
    """In the middle of the work for one, each of the others is answered."""
    others = [replace(CLAIM, key="b"), replace(CLAIM, operation="seed_run_cancel")]
    others.append(replace(CLAIM, tenant_id=TENANT_B.tenant_id))

    async def nested() -> str | None:
        async with asking(stack, control, patience_seconds=1) as asked:

            async def work() -> str:
                return str([(await asked.once(other, done)).text for other in others])

            await asked.once(CLAIM, work)
            return await asked.answers.find(CLAIM)

    assert run(nested()) == "['done', 'done', 'done']"


def test_patience_ends(stack: Server, control: Database) -> None:
    """Whoever has waited long enough is told to ask again."""

    async def nested() -> str:
        async with asking(stack, control, patience_seconds=0.1) as asked:

            async def work() -> str:
                with pytest.raises(IdempotencyInProgress):
                    await asked.once(CLAIM, never)
                return "done"

            return (await asked.once(CLAIM, work)).text

    assert run(nested()) == "done"


def test_what_fails_leaves_the_key_free(stack: Server, control: Database) -> None:
    async def fail() -> str:
        raise OutsideWindow("Not now.", opens_at="2025-01-01T00:00:00+00:00")

    async def failed() -> None:
        async with asking(stack, control) as asked:
            with pytest.raises(OutsideWindow):
                await asked.once(CLAIM, fail)
            assert await asked.answers.find(CLAIM) is None
            assert not (await asked.once(replace(CLAIM, manifest_hash="b" * 64), done)).repeated
            with pytest.raises(IdempotencyConflict):
                await asked.answers.find(CLAIM)

    run(failed())


def test_an_id_is_kept_until_its_key_is_answered(stack: Server, control: Database) -> None:
    """Also by a process that died before it answered; another manifest has another one, and so has the next day."""
    answers = RequestAnswers(control, AsyncDatabase(stack.url("seed_service")))
    claim = replace(CLAIM, operation="seed_run_request")
    first = answers.reserved(claim)
    assert answers.reserved(claim) == first
    other = answers.reserved(replace(claim, manifest_hash="b" * 64))
    assert other != first
    with stack.superuser() as connection:
        connection.execute("UPDATE seed.idempotency_key SET claimed_at = claimed_at - interval '1 day'")
    assert answers.reserved(replace(claim, manifest_hash="b" * 64)) != other


def test_roles_are_those_of_the_named_subject(stack: Server, control: Database) -> None:
    """Not those of the login that asks."""
    found = PostgresControl(control, 60)
    with stack.superuser() as connection:
        connection.execute(
            "INSERT INTO seed.role_grant (subject, role, tenant_id, environment) VALUES ('token:ci', 'seed-read', %s, %s)"
            " ON CONFLICT DO NOTHING",
            [TENANT_A.tenant_id, ENVIRONMENT],
        )
    assert found.roles_of("token:ci", TENANT_A.tenant_id, ENVIRONMENT) == {"seed-read"}
    assert found.roles_of("token:stranger", TENANT_A.tenant_id, ENVIRONMENT) == frozenset()
    assert found.roles_of("token:ci", TENANT_B.tenant_id, ENVIRONMENT) == frozenset()
