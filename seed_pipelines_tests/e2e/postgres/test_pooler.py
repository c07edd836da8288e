"""Everything that PostgreSQL is asked behind a transaction pooler, where two transactions may meet in one backend."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pytest

from seed_pipelines.adapters.postgres.access_decisions import AccessDecision
from seed_pipelines.adapters.postgres.control import PostgresControl
from seed_pipelines.adapters.postgres.database import TENANT_SETTING, Database
from seed_pipelines.adapters.postgres.leases import LeaseStore
from seed_pipelines.adapters.postgres.migrations import current_revision, migrate
from seed_pipelines.adapters.postgres.readback import counts
from seed_pipelines.adapters.postgres.security_proofs import SecurityProofs
from seed_pipelines.adapters.postgres.seeded_tables import PostgresTables
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.errors import LeaseHeld, LeaseLost
from seed_pipelines_tests.e2e.postgres.conftest import ENVIRONMENT, TENANT_A, TENANT_B, Server, never
from seed_pipelines_tests.e2e.postgres.pooler import BACKENDS, Pooler, find_pgbouncer, pooling
from seed_pipelines_tests.e2e.postgres.rows import END, LOW, TABLES, generated
from seed_pipelines_tests.e2e.postgres.test_leases import PausedLoad, acquire, someone_waits
from seed_pipelines_tests.e2e.postgres.test_loading import load

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="session")
def session_pooler(migrated: Server) -> Iterator[Pooler]:
    """PgBouncer with two backends for each login."""
    program = find_pgbouncer()
    if program is None:
        pytest.skip("pgbouncer is not installed, and `make test` could not fetch it (scripts/fetch_pgbouncer says why)")
    with pooling(program, migrated.socket) as running:
        yield running


@pytest.fixture
def pooler(session_pooler: Pooler, stack: Server) -> Pooler:
    """The pooler; what a test leaves in the tables is removed."""
    del stack
    return session_pooler


@pytest.fixture
def data(pooler: Pooler) -> Database:
    """The data login."""
    return Database(pooler.url("seed_app"))


@pytest.fixture
def control(pooler: Pooler) -> Database:
    """The control login of the services."""
    return Database(pooler.url("seed_service"))


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads for what waits."""
    with ThreadPoolExecutor(8) as threads:
        yield threads


def test_clients_share_backends_and_what_a_session_set_leaks(pooler: Pooler) -> None:
    """What the other tests rest on: this is what a setting of the session, or a prepared statement, would run into."""
    clients = [psycopg.connect(pooler.url("seed_app"), autocommit=True, prepare_threshold=None) for _ in range(6)]
    try:
        clients[0].execute("SELECT set_config('app.leaks', 'yes', false)")
        seen = [
            client.execute("SELECT pg_backend_pid(), current_setting('app.leaks', true)").fetchone()
            for client in clients
        ]
    finally:
        for client in clients:
            client.close()
    assert len({row[0] for row in seen if row is not None}) <= BACKENDS
    assert [row[1] for row in seen if row is not None].count("yes") >= 2


def test_the_tenant_of_a_transaction_does_not_outlive_it(data: Database) -> None:
    """The next transaction of any client acts for nobody."""
    for _ in range(2 * BACKENDS):
        with data.tenant_transaction(TENANT_A.tenant_id) as connection:
            assert connection.execute("SELECT seed.current_tenant()").fetchone() == (TENANT_A.tenant_id,)
        with data.connection() as connection:
            row = connection.execute(
                "SELECT current_setting(%s, true), seed.current_tenant(), current_setting('transaction_timeout')",
                [TENANT_SETTING],
            ).fetchone()
            assert row is not None
            assert (row[0] or "", row[1], row[2]) == ("", None, "0")


def test_a_lease_is_taken_joined_kept_and_given_back(control: Database) -> None:
    leases = LeaseStore(control, ttl_seconds=60)
    lease = acquire(leases, "run-1")
    leases.heartbeat(lease)
    with pytest.raises(LeaseHeld):
        acquire(leases, "run-2")
    assert leases.acquire(lease.tenant_id, ENVIRONMENT, lease.seed_run_id, "run-1", never) == lease
    leases.release(lease)
    assert acquire(leases, "run-2").token > lease.token


def test_one_of_many_gets_the_lease(control: Database, pool: ThreadPoolExecutor) -> None:
    """Eight runs at once over two backends."""
    leases = LeaseStore(control, ttl_seconds=60)
    futures = [pool.submit(acquire, leases, f"run-{number}") for number in range(8)]
    outcomes = [future.exception(60) for future in futures]
    assert sum(outcome is None for outcome in outcomes) == 1
    assert all(outcome is None or isinstance(outcome, LeaseHeld) for outcome in outcomes)


def test_a_takeover_waits_for_a_paused_writer_and_fences_it_out(
    stack: Server, control: Database, data: Database, pool: ThreadPoolExecutor
) -> None:
    """The writer's backend is its own until its transaction ends; heartbeats pass meanwhile."""
    leases = LeaseStore(control, ttl_seconds=60)
    lease = acquire(leases, "run-1")
    paused = PausedLoad(data, lease, pool)
    leases.heartbeat(lease)
    takeover = pool.submit(acquire, leases, "run-2", lambda _: True)
    assert someone_waits(stack)
    assert not takeover.done()
    paused.finish()
    assert takeover.result(20).token > lease.token
    assert counts(data, TENANT_A.tenant_id, TABLES, LOW, END) == {"customers": 10, "bank_accounts": 10}
    with pytest.raises(LeaseLost):
        load(data, lease, generated(3))
    with pytest.raises(LeaseLost):
        leases.heartbeat(lease)


def test_tenants_at_work_at_once_stay_apart(data: Database, control: Database, pool: ThreadPoolExecutor) -> None:
    """Loads, counts and heartbeats of two tenants by eight threads over two backends a login."""
    leases = LeaseStore(control, ttl_seconds=60)
    sizes = {TENANT_A: 40, TENANT_B: 70}
    held = {tenant: acquire(leases, tenant.slug, tenant_id=tenant.tenant_id) for tenant in sizes}
    writers = {tenant: threading.Lock() for tenant in sizes}  # a lease is for one writer at a time
    for tenant, size in sizes.items():
        load(data, held[tenant], generated(size))

    def work(number: int) -> tuple[Tenant, dict[str, int]]:
        tenant = (TENANT_A, TENANT_B)[number % 2]
        if number % 4 < 2:
            with writers[tenant]:
                load(data, held[tenant], generated(sizes[tenant]))
        leases.heartbeat(held[tenant])
        return tenant, dict(counts(data, tenant.tenant_id, TABLES, LOW, END))

    for tenant, found in [future.result(120) for future in [pool.submit(work, number) for number in range(40)]]:
        assert found == {"customers": sizes[tenant], "bank_accounts": sizes[tenant]}


def test_row_security_is_verified_and_decisions_are_recorded(pooler: Pooler, data: Database, stack: Server) -> None:
    """The trials roll back to savepoints of their own transaction; the subject is the login of the client."""
    PostgresTables(data, SecurityProofs()).verify_row_security(TENANT_A, [entity.table for entity in TABLES])
    operator = PostgresControl(Database(pooler.url("seed_operator")), 60)
    assert operator.subject() == "seed_operator"
    operator.record_decision(
        AccessDecision(TENANT_A.tenant_id, ENVIRONMENT, "read", (), ("seed-admin",), None, "ana", str(uuid4()))
    )
    with stack.superuser() as connection:
        last = "SELECT subject FROM seed.access_decision ORDER BY decision_id DESC LIMIT 1"
        assert connection.execute(last).fetchone() == ("seed_operator",)


def test_migrations_pass_it_too(pooler: Pooler) -> None:
    """Their lock belongs to the transaction."""
    url = pooler.url("seed_migrator")
    assert migrate(url, ENVIRONMENT) == current_revision(url)
