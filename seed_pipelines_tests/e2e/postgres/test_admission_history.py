"""Many runs at once, of which some die: what the database recorded of their leases holds whatever the order."""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pytest
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random

from seed_pipelines.adapters.postgres.control import PostgresControl
from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.leases import Terms
from seed_pipelines.adapters.postgres.queue import TTL_SECONDS
from seed_pipelines.errors import (
    ConcurrencyCap,
    IdempotencyConflict,
    IdempotencyInProgress,
    LeaseHeld,
    LeaseLost,
    QueuePending,
)
from seed_pipelines_tests.e2e.postgres.conftest import (
    ENVIRONMENT,
    TENANT_A,
    TENANT_B,
    UNGRANTED,
    Server,
    never,
    succeed,
)
from seed_pipelines_tests.e2e.postgres.lease_history import LeaseEvent, events, recorded, violations
from seed_pipelines_tests.e2e.postgres.test_admission import HASH, OTHER_HASH, SLOTS, claim_of, opened

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

TENANTS = (TENANT_A, TENANT_B, UNGRANTED)
SEED = 20_251_124
RUNS, THREADS = 120, 16
CRASHED_TTL_SECONDS = 0.3


@pytest.fixture
def superuser(stack: Server) -> "Iterator[psycopg.Connection[tuple[object, ...]]]":
    """A connection that records every change of a lease."""
    with stack.superuser() as connection, recorded(connection):
        yield connection


def run_once(control: Database, number: int, effects: "Counter[str]", lock: threading.Lock) -> str:
    """One run of a random tenant under one of a few keys: it succeeds, fails, or dies holding its lease."""
    drawn = random.Random(SEED + number)  # noqa: S311  # moments, not secrets
    tenant = drawn.choice(TENANTS)
    claim = claim_of(f"key-{drawn.randrange(20)}", drawn.choice((HASH, OTHER_HASH)), tenant)
    fate = drawn.choice(("succeeds", "succeeds", "fails", "dies"))
    state = PostgresControl(control, CRASHED_TTL_SECONDS if fate == "dies" else 30)
    run = opened(state, claim)
    entry = state.enter_queue(tenant.tenant_id, ENVIRONMENT, run.origin)
    try:
        if state.answered(claim, run.seed_run_id, never) is not None:
            return "repeated"
        lease = Retrying(
            retry=retry_if_exception_type((LeaseHeld, ConcurrencyCap, QueuePending)),
            stop=stop_after_delay(TTL_SECONDS),
            wait=wait_random(0, 0.05),
            reraise=True,
            before=lambda _: state.stay_in_queue(entry),
        )(
            state.acquire,
            *(tenant.tenant_id, ENVIRONMENT, run.seed_run_id, run.origin, never, Terms(SLOTS, entry, claim)),
        )
        if fate == "succeeds":
            succeed(state, run, lease, str(uuid4()))
            with lock:
                effects[f"{tenant.slug} {claim.key}"] += 1
        elif fate == "fails":
            state.finish_run(run.seed_run_id, "failed", None)
            state.release(lease)
    except (IdempotencyConflict, IdempotencyInProgress, LeaseLost) as refusal:
        return refusal.code
    finally:
        state.leave_queue(entry)
    return fate


def test_one_holder_few_slots_growing_tokens_and_one_effect_for_each_key(
    control: Database, superuser: "psycopg.Connection[tuple[object, ...]]"
) -> None:
    """A hundred and more runs of three tenants under twenty keys each, a quarter of which die."""
    effects: Counter[str] = Counter()
    lock = threading.Lock()
    with ThreadPoolExecutor(THREADS) as pool:
        ends = Counter(pool.map(lambda number: run_once(control, number, effects, lock), range(RUNS)))
    assert ends["succeeds"] == effects.total() > len(TENANTS)
    assert {"dies", "fails", "repeated", "idempotency_conflict"} <= set(ends)
    assert set(effects.values()) == {1}
    assert violations(events(superuser), SLOTS) == []


def test_the_history_shows_each_violation() -> None:
    """What is looked for is found."""
    a, b, c = (tenant.tenant_id for tenant in TENANTS)
    began = [LeaseEvent("began", tenant, ENVIRONMENT, number, number) for number, tenant in ((1, a), (2, b))]
    assert violations(began, SLOTS) == []
    assert "began while 1 held" in violations([*began, LeaseEvent("began", a, ENVIRONMENT, 3, 1)], SLOTS)[0]
    assert "came after 2" in violations([*began, LeaseEvent("began", c, ENVIRONMENT, 2, None)], SLOTS)[0]
    assert "slots [1, 2, 3]" in violations([*began, LeaseEvent("began", c, ENVIRONMENT, 3, 3)], SLOTS)[0]
    assert "slots [1, 1, 2]" in violations([*began, LeaseEvent("began", c, ENVIRONMENT, 3, 1)], SLOTS)[0]
    assert "had not begun" in violations([LeaseEvent("ended", a, ENVIRONMENT, 1, 1)], SLOTS)[0]
