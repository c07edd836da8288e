"""One writer per tenant and environment, whoever is slow, paused or dead."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pyarrow as pa
import pytest
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from seed_pipelines.adapters.postgres import leases as lease_store
from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.leases import Lease, LeaseStore
from seed_pipelines.adapters.postgres.loading import end_writers
from seed_pipelines.adapters.postgres.readback import counts
from seed_pipelines.errors import DatabaseUnavailable, LeaseHeld, LeaseLost
from seed_pipelines_tests.e2e.postgres.conftest import ENVIRONMENT, TENANT_A, TENANT_B, UNGRANTED, Server, never
from seed_pipelines_tests.e2e.postgres.rows import END, LOW, TABLES, generated
from seed_pipelines_tests.e2e.postgres.test_loading import load

pytestmark = pytest.mark.e2e


def acquire(
    leases: LeaseStore, holder: str, finished: Callable[[str], bool] = never, tenant_id: object = TENANT_A.tenant_id
) -> Lease:
    """A lease for a new seed run."""
    assert tenant_id in (TENANT_A.tenant_id, TENANT_B.tenant_id)
    known = TENANT_A if tenant_id == TENANT_A.tenant_id else TENANT_B
    return leases.acquire(known.tenant_id, ENVIRONMENT, uuid4(), holder, finished)


@retry(retry=retry_if_result(lambda waits: not waits), stop=stop_after_delay(60), wait=wait_fixed(0.02))
def someone_waits(stack: Server) -> bool:
    """Whether a control login waits for a lock; asked until it is so."""
    with stack.superuser() as connection:
        row = connection.execute(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'seed_service'"
        ).fetchone()
    return row == (True,)


class PausedLoad:
    """A load that stands still in its transaction until it is told to go on."""

    def __init__(self, data: Database, lease: Lease, pool: ThreadPoolExecutor) -> None:
        self._rows = generated(10)
        self._inside, self._go_on = threading.Event(), threading.Event()
        tables = self._rows.with_batches(customers=self._paused())
        self._future = pool.submit(load, data, lease, self._rows, tables)
        assert self._inside.wait(60)

    def _paused(self) -> Iterator[pa.RecordBatch]:
        self._inside.set()
        assert self._go_on.wait(60)
        yield from self._rows.customers.to_batches()

    def finish(self) -> None:
        """Let it go on, and wait for its end."""
        self._go_on.set()
        self._future.result(10)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads for what waits."""
    with ThreadPoolExecutor(8) as threads:
        yield threads


def test_a_held_lease_refuses_another_run(leases: LeaseStore, lease: Lease) -> None:
    """The answer names the holder and when the lease ends; other tenants are free."""
    with pytest.raises(LeaseHeld) as caught:
        acquire(leases, "run-2")
    assert caught.value.extensions["holder"] == "run-1"
    assert 50 < caught.value.extensions["expires_in_seconds"] <= 60
    assert acquire(leases, "run-3", tenant_id=TENANT_B.tenant_id).token > lease.token


def test_the_same_seed_run_joins_its_lease(leases: LeaseStore, lease: Lease) -> None:
    """Steps of one seed run share a token."""
    assert leases.acquire(lease.tenant_id, ENVIRONMENT, lease.seed_run_id, "run-1", never) == lease


def test_an_expired_lease_is_taken_over(control: Database) -> None:
    """The new token is larger, and the old one is lost."""
    leases = LeaseStore(control, ttl_seconds=0)
    old = acquire(leases, "run-1")
    new = acquire(leases, "run-2")
    assert new.token > old.token
    with pytest.raises(LeaseLost):
        leases.heartbeat(old)
    leases.release(old)
    leases.heartbeat(new)


def test_the_lease_of_a_holder_that_is_over_is_taken_over(leases: LeaseStore, lease: Lease) -> None:
    """Nobody waits for the expiry of a run that is known to be over."""
    asked = []

    def finished(holder: str) -> bool:
        asked.append(holder)
        return True

    assert acquire(leases, "run-2", finished).token > lease.token
    assert asked == ["run-1"]


def test_a_lease_that_changed_while_its_holder_was_asked_for_is_not_taken(leases: LeaseStore, lease: Lease) -> None:
    """The takeover holds for the token that was seen, and no other."""

    def finished(holder: str) -> bool:
        if holder == "run-1":
            leases.release(lease)
            acquire(leases, "run-2")
        return holder == "run-1"

    with pytest.raises(LeaseHeld, match="run-2"):
        acquire(leases, "run-3", finished)


def test_whatever_lease_a_seed_run_holds_can_be_given_back(leases: LeaseStore, lease: Lease) -> None:
    """Found by the seed run, whatever its token; one that holds none changes nothing."""
    leases.release_run(lease.tenant_id, ENVIRONMENT, uuid4())
    leases.heartbeat(lease)
    leases.release_run(lease.tenant_id, ENVIRONMENT, lease.seed_run_id)
    acquire(leases, "run-2")


def test_a_released_lease_is_free(leases: LeaseStore, lease: Lease) -> None:
    """Release is idempotent, and does not touch a later lease."""
    leases.release(lease)
    later = acquire(leases, "run-2")
    leases.release(lease)
    leases.heartbeat(later)


def test_one_of_many_gets_the_lease(stack: Server, control: Database, pool: ThreadPoolExecutor) -> None:
    """Eight runs at once: one lease."""
    del stack
    leases = LeaseStore(control, ttl_seconds=60)
    futures: Iterable[Future[Lease]] = [pool.submit(acquire, leases, f"run-{number}") for number in range(8)]
    outcomes = [future.exception(20) for future in futures]
    assert sum(outcome is None for outcome in outcomes) == 1
    assert all(outcome is None or isinstance(outcome, LeaseHeld) for outcome in outcomes)


def test_a_fenced_out_writer_changes_nothing(leases: LeaseStore, lease: Lease, data: Database) -> None:
    """Whoever lost the lease is refused before the first row."""
    acquire(leases, "run-2", lambda _: True)
    with pytest.raises(LeaseLost):
        load(data, lease, generated(10))
    assert counts(data, TENANT_A.tenant_id, TABLES, LOW, END) == {"customers": 0, "bank_accounts": 0}


def test_a_takeover_waits_for_a_paused_writer(
    stack: Server, leases: LeaseStore, lease: Lease, data: Database, pool: ThreadPoolExecutor
) -> None:
    """The writer's transaction ends before anybody else holds a token, and the heartbeat passes meanwhile."""
    paused = PausedLoad(data, lease, pool)
    takeover = pool.submit(acquire, leases, "run-2", lambda _: True)
    assert someone_waits(stack)
    assert not takeover.done()
    paused.finish()
    assert takeover.result(10).token > lease.token
    assert counts(data, TENANT_A.tenant_id, TABLES, LOW, END) == {"customers": 10, "bank_accounts": 10}
    with pytest.raises(LeaseLost):
        load(data, lease, generated(3))


def test_a_writer_that_goes_on_for_long_keeps_a_takeover_out(
    leases: LeaseStore, lease: Lease, data: Database, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits is told in time to keep its place in the queue."""
    monkeypatch.setattr(lease_store, "_WRITERS_SECONDS", 1)
    paused = PausedLoad(data, lease, pool)
    with pytest.raises(LeaseHeld, match="has not ended yet") as refusal:
        acquire(leases, "run-2", lambda _: True)
    assert refusal.value.extensions["holder"] == "run-1"
    paused.finish()
    assert acquire(leases, "run-2", lambda _: True).token > lease.token


def test_a_writer_that_stands_still_in_the_middle_of_copy_can_be_ended(
    leases: LeaseStore, lease: Lease, data: Database, pool: ThreadPoolExecutor
) -> None:
    """No time limit of the server ends it; those who write under another token go on."""
    paused = PausedLoad(data, lease, pool)
    assert end_writers(data, lease.token + 1) == 0
    assert end_writers(data, lease.token) == 1
    assert acquire(leases, "run-2", lambda _: True).token > lease.token
    with pytest.raises(DatabaseUnavailable):
        paused.finish()
    assert counts(data, TENANT_A.tenant_id, TABLES, LOW, END) == {"customers": 0, "bank_accounts": 0}
    with data.connection() as connection:
        assert connection.execute("SELECT current_setting('application_name')").fetchone() == ("seed_pipelines",)


def test_a_heartbeat_passes_while_a_load_holds_the_token(
    leases: LeaseStore, lease: Lease, data: Database, pool: ThreadPoolExecutor
) -> None:
    """A long load does not let its own lease expire."""
    paused = PausedLoad(data, lease, pool)
    try:
        pool.submit(leases.heartbeat, lease).result(5)
    finally:
        paused.finish()


def test_a_takeover_by_expiry_gives_way_to_a_heartbeat(
    stack: Server, control: Database, data: Database, pool: ThreadPoolExecutor
) -> None:
    """A writer that woke up and beat while the takeover waited for it keeps its lease."""
    lease = acquire(LeaseStore(control, ttl_seconds=0), "run-1")
    leases = LeaseStore(control, ttl_seconds=60)
    paused = PausedLoad(data, lease, pool)
    takeover = pool.submit(acquire, leases, "run-2")
    assert someone_waits(stack)
    leases.heartbeat(lease)
    paused.finish()
    assert isinstance(takeover.exception(10), LeaseHeld)
    leases.heartbeat(lease)


def test_a_release_waits_for_a_paused_writer(
    stack: Server, leases: LeaseStore, lease: Lease, data: Database, pool: ThreadPoolExecutor
) -> None:
    """The lease is not given to others while its own writer is at work."""
    paused = PausedLoad(data, lease, pool)
    release = pool.submit(leases.release, lease)
    assert someone_waits(stack)
    paused.finish()
    release.result(10)


def test_the_data_login_reaches_leases_through_the_function_alone(data: Database, lease: Lease) -> None:
    """It cannot read leases, nor hold one of a tenant that it was not granted."""
    with psycopg.connect(data._url) as connection:
        held = connection.execute(
            "SELECT seed.hold_fencing_token(%s, %s, %s), seed.hold_fencing_token(%s, %s, %s)",
            [lease.tenant_id, ENVIRONMENT, lease.token, UNGRANTED.tenant_id, ENVIRONMENT, lease.token],
        ).fetchone()
        assert held == (True, False)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT FROM seed.lease")
