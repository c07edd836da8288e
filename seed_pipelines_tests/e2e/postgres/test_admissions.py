"""Requests that are admitted together, through a real server."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

import pytest

from seed_pipelines.adapters.postgres.admissions import Admission, Admissions, Asking
from seed_pipelines.adapters.postgres.async_database import AsyncDatabase
from seed_pipelines.errors import TenantUnknown
from seed_pipelines_tests.e2e.postgres.conftest import ENVIRONMENT, TENANT_A, TENANT_B, Server
from seed_pipelines_tests.e2e.postgres.counted_database import Counted

pytestmark = pytest.mark.e2e

ASKING = Asking("token:ci", TENANT_A.tenant_id, TENANT_A.slug, ENVIRONMENT, "api", 1, 1, 1)
OTHER = replace(ASKING, tenant_id=TENANT_B.tenant_id, named=str(TENANT_B.tenant_id))
DAY = 86_400


def within(asking: Asking, limit: int) -> Asking:
    """What asks for requests of an allowance of so many a day."""
    return replace(asking, limit=limit, window_seconds=DAY, burst=limit)


@asynccontextmanager
async def admissions(stack: Server, processes: int = 1) -> AsyncIterator[Sequence[Admissions]]:
    """Those of as many processes: they share nothing but the database."""
    databases = [AsyncDatabase(stack.url("seed_service")) for _ in range(processes)]
    try:
        yield [Admissions(database) for database in databases]
    finally:
        for database in databases:
            await database.close()


async def remaining(one: Admissions, asking: Asking, limit: int) -> int | None:
    """What is left after a request that was admitted; None where it was refused."""
    decision = (await one.ask(within(asking, limit))).decision
    assert decision is not None
    return decision.remaining if decision.allowed else None


@pytest.mark.usefixtures("control")
@pytest.mark.parametrize("limit", [17, 99, 100, 101])
def test_no_request_more_than_the_allowance_is_admitted(stack: Server, limit: int) -> None:
    """Of a hundred at once to three processes; each that is admitted is told what is left, and another tenant has its own."""

    async def at_once() -> tuple[list[int | None], list[int | None]]:
        async with admissions(stack, 3) as processes:
            mine = [remaining(processes[number % 3], ASKING, limit) for number in range(100)]
            others = [remaining(processes[number % 3], OTHER, limit) for number in range(12)]
            found = await asyncio.gather(*mine, *others)
            return found[:100], found[100:]

    mine, others = asyncio.run(at_once())
    admitted = min(limit, 100)
    assert sorted(left for left in mine if left is not None) == list(range(limit - admitted, limit))
    assert sorted(left for left in others if left is not None) == list(range(limit - 12, limit))


@pytest.mark.usefixtures("control")
def test_those_who_come_together_share_an_exchange(stack: Server) -> None:
    """Fifty of one subject are one exchange; somebody of another tenant has one of his own."""

    async def at_once() -> int:
        database = Counted(stack.url("seed_service"))
        one = Admissions(database)
        await asyncio.gather(*(one.ask(within(ASKING, 100)) for _ in range(50)), one.ask(within(OTHER, 100)))
        await database.close()
        return database.exchanges

    assert asyncio.run(at_once()) == 2


@pytest.mark.usefixtures("control")
def test_what_is_granted_and_what_is_named(stack: Server) -> None:
    """Roles are the subject's; who names another tenant takes nothing; a tenant that is not there is unknown."""
    with stack.superuser() as connection:
        connection.execute(
            "INSERT INTO seed.role_grant (subject, role, tenant_id, environment) VALUES ('token:ci', 'seed-read', %s, %s)"
            " ON CONFLICT DO NOTHING",
            [TENANT_A.tenant_id, ENVIRONMENT],
        )

    async def asked() -> list[Admission]:
        async with admissions(stack) as (one,):
            with pytest.raises(TenantUnknown):
                await one.ask(replace(ASKING, tenant_id=UUID(int=7)))
            wanted = [replace(ASKING, named="tenant-b"), replace(ASKING, subject="seed_service"), OTHER]
            return [await one.ask(within(each, 5)) for each in (*wanted, ASKING)]

    elsewhere, service, other, mine = asyncio.run(asked())
    assert elsewhere.decision is None
    assert [sorted(found.roles) for found in (mine, other, service)] == [["seed-read"], [], ["seed-runner"]]
    left = Counter(found.decision.remaining for found in (service, other, mine) if found.decision is not None)
    assert left == {4: 2, 3: 1}
