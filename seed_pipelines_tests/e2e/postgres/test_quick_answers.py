"""Requests that are admitted and answered together, through a real server."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar
from uuid import UUID, uuid4

import psycopg
import pytest
from tenacity import Retrying, retry_if_exception_type, stop_after_delay

from seed_pipelines.adapters.postgres.access_decisions import AccessDecision
from seed_pipelines.adapters.postgres.admissions import Admission, Admissions, Asking
from seed_pipelines.adapters.postgres.answer_statements import FORGOTTEN_AT_ONCE
from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.idempotency import Claim
from seed_pipelines.adapters.postgres.quick_answers import QuickAnswers, QuickRequest
from seed_pipelines.adapters.postgres.request_answers import Given, RequestAnswers
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.errors import Forbidden, IdempotencyConflict, OutsideWindow, RateLimited, SeedError, TenantUnknown
from seed_pipelines_tests.e2e.postgres.conftest import ENVIRONMENT, TENANT_A, TENANT_B, Server
from seed_pipelines_tests.e2e.postgres.counted_database import Counted

pytestmark = pytest.mark.e2e

ASKING = Asking("token:ci", TENANT_A.tenant_id, TENANT_A.slug, ENVIRONMENT, "api", 1_000, 86_400, 1_000)
CLAIM = Claim(TENANT_A.tenant_id, ENVIRONMENT, "validate", "key", "a" * 64, "")
CALLERS = 12
MANY = 3_000
ROUNDS = 20

Found = TypeVar("Found")


@dataclass(frozen=True)
class Permission:
    """Whether somebody may have an answer."""

    decision: AccessDecision
    refusal: SeedError | None


@dataclass(frozen=True)
class Process:
    """The answers of one event loop, and the permissions that were asked about."""

    database: Counted
    answers: QuickAnswers
    decisions: list[AccessDecision] = field(default_factory=list)

    async def ask(
        self,
        answer: Callable[[], str] = lambda: "found",
        claim: Claim = CLAIM,
        asking: Asking = ASKING,
        refusal: SeedError | None = None,
    ) -> Given | Admission:
        """Ask for an answer; `refusal` is of somebody who may not have it."""
        return await self.answers.ask(
            QuickRequest(asking, claim, partial(self._permission, refusal), lambda _: answer())
        )

    def _permission(self, refusal: SeedError | None, admission: Admission, is_answered: bool) -> Permission:
        if admission.decision is None:
            raise Forbidden("Of another tenant.")
        if not admission.decision.allowed and not is_answered:
            raise RateLimited("Too many.")
        code = None if refusal is None else refusal.code
        identity = (admission.tenant.tenant_id, ENVIRONMENT)
        decision = AccessDecision(*identity, "read", (), ("seed-read",), code, "token:ci", str(uuid4()))
        self.decisions.append(decision)
        return Permission(decision, refusal)


@asynccontextmanager
async def process(stack: Server) -> AsyncIterator[Process]:
    database = Counted(stack.url("seed_service"))
    try:
        yield Process(database, QuickAnswers(database, Admissions(database)))
    finally:
        await database.close()


def run(work: Coroutine[object, object, Found]) -> Found:
    return asyncio.run(work)


def never() -> str:
    raise AssertionError("it was answered before")


def keys(number: int) -> list[Claim]:
    return [replace(CLAIM, key=f"key-{each}") for each in range(number)]


def recorded(stack: Server, decisions: Sequence[AccessDecision]) -> Counter[tuple[object, ...]]:
    """Tenant, whether it was allowed, and what it was refused with, of the decisions: each is on record as it was made."""
    with stack.superuser() as connection:
        rows = connection.execute(
            "SELECT tenant_id, action, claimed_roles, counted_roles, allowed, problem_code, requested_by, origin"
            " FROM seed.access_decision WHERE origin = ANY(%s)",
            [[decision.origin for decision in decisions]],
        ).fetchall()
    made = [
        (
            one.tenant_id,
            one.action,
            list(one.claimed_roles),
            list(one.counted_roles),
            one.problem_code is None,
            one.problem_code,
            one.requested_by,
            one.origin,
        )
        for one in decisions
    ]
    assert sorted(rows, key=lambda row: str(row[-1])) == sorted(made, key=lambda row: row[-1])
    return Counter((row[0], row[4], row[5]) for row in rows)


@pytest.mark.usefixtures("control")
def test_one_key_is_answered_once(stack: Server) -> None:
    """By one of those who come together, or of two processes; the key then stands for that manifest."""
    computed = []

    def work() -> str:
        computed.append(1)
        return "found"

    async def given_by(one: Process) -> Given:
        found = await one.ask(work)
        while isinstance(found, Admission):  # the other process has the key
            found = await one.ask(work)
        return found

    async def all_at_once() -> list[Given]:
        async with process(stack) as one, process(stack) as beside:
            given = await asyncio.gather(*(given_by((one, beside)[number % 2]) for number in range(CALLERS)))
            with pytest.raises(IdempotencyConflict):
                await one.ask(never, replace(CLAIM, manifest_hash="b" * 64))
            return given

    given = run(all_at_once())
    assert len(computed) == 1
    assert {found.text for found in given} == {"found"}
    assert sorted(found.repeated for found in given) == [False] + [True] * (CALLERS - 1)


def test_those_who_come_together_share_an_exchange(stack: Server, control: Database) -> None:
    """What is refused or fails is no matter of the others: their answers are stored, each under its own key, with a record."""
    other = replace(ASKING, tenant_id=TENANT_B.tenant_id, named=str(TENANT_B.tenant_id))
    elsewhere, unknown = replace(ASKING, named="tenant-b"), replace(ASKING, tenant_id=UUID(int=7))

    def fail() -> str:
        raise OutsideWindow("Not now.", opens_at="2025-01-01T00:00:00+00:00")

    async def all_at_once() -> tuple[Sequence[object], int, Sequence[AccessDecision], Sequence[str | None]]:
        async with process(stack) as one:
            claims = keys(CALLERS)
            of_other = replace(claims[0], tenant_id=TENANT_B.tenant_id)
            found = await asyncio.gather(
                *(one.ask(lambda key=claim.key: f'{{"é": "{key}"}}', claim) for claim in claims),  # type: ignore[misc]
                one.ask(lambda: "of tenant-b", of_other, other),
                one.ask(fail, replace(CLAIM, key="failing")),
                one.ask(never, replace(claims[1], manifest_hash="b" * 64)),
                one.ask(never, claims[2], refusal=Forbidden("Not granted.")),
                one.ask(never, claims[3], elsewhere),
                one.ask(never, replace(CLAIM, tenant_id=UUID(int=7)), unknown),
                one.ask(never, claims[4]),
                return_exceptions=True,
            )
            exchanges = one.database.exchanges
            answers = RequestAnswers(control, one.database)
            stored = [await answers.find(claim) for claim in (*claims, of_other, replace(CLAIM, key="failing"))]
            return found, exchanges, one.decisions, stored

    found, exchanges, decisions, stored = run(all_at_once())
    texts = [f'{{"é": "key-{number}"}}' for number in range(CALLERS)]
    assert exchanges == 1
    assert found[:CALLERS] == [Given(text, repeated=False) for text in texts]
    assert found[CALLERS] == Given("of tenant-b", repeated=False)
    kinds = (OutsideWindow, IdempotencyConflict, Forbidden, Forbidden, TenantUnknown)
    assert [type(failure) for failure in found[CALLERS + 1 : -1]] == list(kinds)
    assert found[-1] == Given(texts[4], repeated=True)
    assert stored == [*texts, "of tenant-b", None]
    a, b = TENANT_A.tenant_id, TENANT_B.tenant_id
    assert recorded(stack, decisions) == {(a, True, None): CALLERS + 3, (b, True, None): 1, (a, False, "forbidden"): 1}


def test_whoever_comes_while_another_has_the_key_is_admitted_and_no_more(stack: Server, control: Database) -> None:
    """Once; nothing is answered or recorded."""

    async def asked() -> tuple[Given | Admission, Given | Admission, list[AccessDecision]]:
        async with process(stack) as one:
            inside: list[Given | Admission] = []

            async def work() -> str:
                inside.append(await one.ask(never))
                return "slow"

            decision = AccessDecision(CLAIM.tenant_id, ENVIRONMENT, "read", (), (), None, "token:ci", str(uuid4()))
            await RequestAnswers(control, one.database).once(CLAIM, decision, work)
            return inside[0], await one.ask(never), one.decisions

    meanwhile, after, decisions = run(asked())
    assert isinstance(meanwhile, Admission)
    assert meanwhile.decision is not None
    assert meanwhile.decision.remaining == ASKING.limit - 1
    assert meanwhile.tenant == Tenant(TENANT_A.tenant_id, TENANT_A.slug)
    assert after == Given("slow", repeated=True)
    assert recorded(stack, decisions) == {(TENANT_A.tenant_id, True, None): 1}


@pytest.mark.usefixtures("control")
@pytest.mark.parametrize(("limit", "processes"), [(5, 1), (5, 3), (11, 3), (12, 1), (13, 3)])
def test_no_request_more_than_the_allowance_is_answered(stack: Server, limit: int, processes: int) -> None:
    """Whatever comes together; those beyond it are neither answered nor recorded, but what was answered is repeated."""
    asking = replace(ASKING, limit=limit, burst=limit)

    async def all_at_once() -> tuple[Sequence[object], object, Sequence[AccessDecision]]:
        async with process(stack) as one, process(stack) as two, process(stack) as three:
            several = (one, two, three)[:processes]
            asks = (
                several[number % processes].ask(claim=claim, asking=asking)
                for number, claim in enumerate(keys(CALLERS))
            )
            found = await asyncio.gather(*asks, return_exceptions=True)
            answered = next(place for place, each in enumerate(found) if isinstance(each, Given))
            again = await one.ask(never, keys(CALLERS)[answered], asking)
            return found, again, [*one.decisions, *two.decisions, *three.decisions]

    found, again, decisions = run(all_at_once())
    admitted = min(limit, CALLERS)
    assert Counter(map(type, found)) == Counter({Given: admitted, RateLimited: CALLERS - admitted}) + Counter()
    assert again == Given("found", repeated=True)
    assert recorded(stack, decisions).total() == admitted + 1


@pytest.mark.usefixtures("control")
def test_keys_are_looked_up_by_the_index(stack: Server) -> None:
    """Also in a table of thousands about which PostgreSQL has no statistics."""
    with stack.superuser() as connection:
        store_answers(connection, MANY, "1 hour")
        connection.execute("SELECT pg_stat_force_next_flush()")
        before = _reads(connection)

    async def asked() -> None:
        async with process(stack) as one:
            for number in range(ROUNDS):
                claims = (replace(claim, key=f"{claim.key}-{number}") for claim in keys(8))
                await asyncio.gather(*(one.ask(claim=claim) for claim in claims))

    run(asked())
    with stack.superuser() as connection:
        for attempt in Retrying(retry=retry_if_exception_type(AssertionError), stop=stop_after_delay(30)):
            with attempt:  # the counts of a session are there once it has ended
                after = _reads(connection)
                assert after.lookups >= before.lookups + ROUNDS
        assert after.rows - before.rows < MANY


def test_what_is_too_old_is_forgotten(stack: Server, control: Database) -> None:
    """Of every tenant, however much it is; the rest stays."""
    with stack.superuser() as connection:
        store_answers(connection, FORGOTTEN_AT_ONCE + 1, "25 hours")
        store_answers(connection, 3, "23 hours")

    async def forgotten() -> tuple[int, int]:
        async with process(stack) as one:
            answers = RequestAnswers(control, one.database)
            return await answers.forget_old(), await answers.forget_old()

    assert run(forgotten()) == (FORGOTTEN_AT_ONCE + 1, 0)
    with stack.superuser() as connection:
        assert connection.execute("SELECT count(*) FROM seed.idempotency_key").fetchone() == (3,)


def store_answers(connection: psycopg.Connection[tuple[object, ...]], number: int, age: str) -> None:
    """So many answers that were given then, to two tenants."""
    connection.execute(
        "INSERT INTO seed.idempotency_key (tenant_id, environment, operation, key, manifest_hash, profile, seed_run_id,"
        " completed_at, response) SELECT (%s::uuid[])[1 + number %% 2], %s, 'validate', %s || number, repeat('a', 64), '',"
        " gen_random_uuid(), clock_timestamp() - %s::interval, 'old' FROM generate_series(1, %s) AS number",
        [[TENANT_A.tenant_id, TENANT_B.tenant_id], ENVIRONMENT, age, age, number],
    )


@dataclass(frozen=True)
class Reads:
    """How a table has been read."""

    lookups: int
    """In its indexes."""
    rows: int
    """In them and in itself."""


def _reads(connection: psycopg.Connection[tuple[object, ...]]) -> Reads:
    row = connection.execute(
        "SELECT t.idx_scan, t.seq_tup_read + (SELECT sum(i.idx_tup_read) FROM pg_stat_user_indexes AS i"
        " WHERE i.relid = t.relid) FROM pg_stat_user_tables AS t WHERE t.relid = 'seed.idempotency_key'::regclass"
    ).fetchone()
    assert row is not None
    return Reads(*(int(str(number)) for number in row))
