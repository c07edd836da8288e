"""Rate limits that threads share through a real server."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest

from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.rate_limits import PostgresRateLimits, RateLimitKey
from seed_pipelines.domain.rate_limit import Decision
from seed_pipelines.seeding.integration_services import RateLimits
from seed_pipelines_tests.e2e.postgres.conftest import ENVIRONMENT, TENANT_A, TENANT_B, Server

pytestmark = pytest.mark.e2e

KEY = RateLimitKey(TENANT_A.tenant_id, ENVIRONMENT, "kyc")
OTHER_TENANT = replace(KEY, tenant_id=TENANT_B.tenant_id)
DAY = 86_400


@pytest.fixture
def limits(control: Database) -> RateLimits:
    """The cells, empty."""
    return PostgresRateLimits(control)


def age(stack: Server, seconds: float) -> None:
    """Let time pass for every cell."""
    with stack.superuser() as connection:
        connection.execute("UPDATE seed.rate_limit_cell SET free_at = free_at - make_interval(secs => %s)", [seconds])


def test_threads_together_get_exactly_the_limit_and_starve_no_other_tenant(limits: RateLimits) -> None:
    """36 threads ask 108 times for one tenant, and 12 times for another, whose share is its own."""

    def ask(number: int) -> tuple[RateLimitKey, Decision]:
        key = OTHER_TENANT if number % 10 == 9 else KEY
        return key, limits.take(key, limit=17, window_seconds=DAY, burst=17)

    with ThreadPoolExecutor(36) as threads:
        answers = list(threads.map(ask, range(120)))
    admitted = [key for key, decision in answers if decision.allowed]
    assert (admitted.count(KEY), admitted.count(OTHER_TENANT)) == (17, 12)
    assert sorted(d.remaining for key, d in answers if d.allowed and key == KEY) == list(range(17))
    assert all(0 < d.retry_after_seconds <= DAY / 17 for _, d in answers if not d.allowed)


def test_purposes_and_costs_are_apart(limits: RateLimits) -> None:
    """A request of cost 3 takes three; what does not fit takes nothing."""
    assert limits.take(KEY, 4, DAY, burst=4, cost=3).remaining == 1
    refused = limits.take(KEY, 4, DAY, burst=4, cost=2)
    assert (refused.allowed, refused.remaining) == (False, 1)
    assert limits.take(KEY, 4, DAY, burst=4).allowed
    assert not limits.take(KEY, 4, DAY, burst=4).allowed
    assert limits.take(replace(KEY, purpose="antifraude"), 4, DAY, burst=4).remaining == 3


def test_the_share_comes_back_at_the_sustained_rate(stack: Server, limits: RateLimits) -> None:
    """After one interval one more, after a long time the burst and no more."""
    taken = [limits.take(KEY, 24, DAY, burst=2).allowed for _ in range(3)]
    assert taken == [True, True, False]
    age(stack, DAY / 24)
    assert [limits.take(KEY, 24, DAY, burst=2).allowed for _ in range(2)] == [True, False]
    age(stack, 10 * DAY)
    assert [limits.take(KEY, 24, DAY, burst=2).allowed for _ in range(3)] == [True, True, False]


def test_the_data_login_reaches_no_cell(stack: Server, limits: RateLimits) -> None:
    """It can neither see nor refill one."""
    limits.take(KEY, 1, DAY, burst=1)
    with psycopg.connect(stack.url("seed_app")) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("UPDATE seed.rate_limit_cell SET free_at = now()")
