"""Migrations, tenants, roles and seed runs on a real server."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID, uuid4

import psycopg
import pytest

from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.leases import LeaseStore
from seed_pipelines.adapters.postgres.migrations import current_revision, migrate
from seed_pipelines.adapters.postgres.queue import Queue
from seed_pipelines.adapters.postgres.seed_runs import NewSeedRun, SeedRun, SeedRunStore, died_in_queue
from seed_pipelines.adapters.postgres.tenants import Tenant, TenantDirectory, grant_role, register_tenant
from seed_pipelines.errors import (
    DatabaseUnavailable,
    Forbidden,
    LeaseLost,
    ManifestHashMismatch,
    TargetMismatch,
    TenantMismatch,
    TenantUnknown,
)
from seed_pipelines_tests.e2e.postgres.conftest import ENVIRONMENT, TENANT_A, TENANT_B, Server

pytestmark = pytest.mark.e2e

HEAD = "0016_answers_by_age"


@pytest.fixture
def empty(server: Server) -> Iterator[str]:
    """A database that was never migrated."""
    with server.superuser("postgres") as connection:
        connection.execute("CREATE DATABASE seed_dev OWNER seed_owner")
    yield "seed_dev"
    with server.superuser("postgres") as connection:
        connection.execute("DROP DATABASE seed_dev WITH (FORCE)")


def opened(
    runs: SeedRunStore, origin: str, *, manifest_hash: str = "ab" * 32, tenant_id: UUID = TENANT_A.tenant_id
) -> SeedRun:
    """A seed run, of tenant-a by default."""
    return runs.open(
        NewSeedRun(
            tenant_id=tenant_id,
            environment=ENVIRONMENT,
            profile="default",
            origin=origin,
            manifest_hash=manifest_hash,
            mode="baseline",
            idempotency_key="key",
            requested_by="ana",
            manifest={},
            claimed_roles=("seed-runner",),
        )
    )


def test_migrating_twice_changes_nothing(server: Server, empty: str) -> None:
    """The second migration finds the newest revision."""
    url = server.url("seed_migrator", empty)
    assert current_revision(url) is None
    assert migrate(url, "dev") == HEAD
    assert migrate(url, "dev") == HEAD
    assert current_revision(url) == HEAD
    assert TenantDirectory(Database(server.url("seed_service", empty))).environment() == "dev"


def test_a_database_keeps_its_environment(server: Server, empty: str) -> None:
    """A URL of another environment's database is refused."""
    url = server.url("seed_migrator", empty)
    migrate(url, "dev")
    with pytest.raises(TargetMismatch, match="belongs to environment dev, not to perf"):
        migrate(url, "perf")
    with pytest.raises(TargetMismatch, match="no environment"):
        migrate(url, "production")


def test_only_the_migrator_migrates(server: Server, empty: str) -> None:
    """Another login, and a server that is away, say so in the error tree."""
    with pytest.raises(Forbidden, match="seed_owner"):
        migrate(server.url("seed_app", empty), "dev")
    with pytest.raises(DatabaseUnavailable):
        migrate(server.url("seed_migrator", "seed_nowhere"), "dev")


def test_a_database_that_was_not_migrated_says_so(server: Server, empty: str) -> None:
    """The message has the cure."""
    with server.superuser(empty) as connection:
        connection.execute("GRANT CONNECT ON DATABASE seed_dev TO seed_control")
    with pytest.raises(TargetMismatch, match="seed-data migrate"):
        TenantDirectory(Database(server.url("seed_service", empty))).environment()


def test_tenants_are_found_by_slug_and_id(control: Database) -> None:
    """An unknown one is TenantUnknown."""
    directory = TenantDirectory(control)
    assert directory.environment() == ENVIRONMENT
    assert directory.by_slug("tenant-a") == directory.by_id(TENANT_A.tenant_id) == TENANT_A
    with pytest.raises(TenantUnknown, match="tenant-z"):
        directory.by_slug("tenant-z")
    with pytest.raises(TenantUnknown):
        directory.by_id(uuid4())


def test_roles_are_those_of_the_login(stack: Server, control: Database) -> None:
    """Each login has its own, per tenant and environment."""
    directory = TenantDirectory(control)
    assert directory.subject() == "seed_service"
    assert directory.roles(TENANT_A.tenant_id, ENVIRONMENT) == {"seed-runner"}
    assert directory.roles(TENANT_A.tenant_id, "perf") == frozenset()
    operator = TenantDirectory(Database(stack.url("seed_operator")))
    assert operator.roles(TENANT_B.tenant_id, ENVIRONMENT) == {"seed-admin"}


def test_registering_again_changes_nothing_and_never_renames(stack: Server) -> None:
    """A slug or an id that another tenant has is refused."""
    migrator = stack.url("seed_migrator")
    register_tenant(migrator, TENANT_A)
    grant_role(migrator, "seed_service", "seed-runner", TENANT_A.tenant_id, ENVIRONMENT)
    with pytest.raises(TenantMismatch, match="tenant-a"):
        register_tenant(migrator, Tenant(uuid4(), "tenant-a"))
    with pytest.raises(TenantMismatch):
        register_tenant(migrator, Tenant(TENANT_A.tenant_id, "tenant-c"))


def test_the_control_login_may_not_register_tenants(stack: Server) -> None:
    """Provisioning needs the migrator."""
    with pytest.raises(Forbidden):
        register_tenant(stack.url("seed_service"), TENANT_A)


def test_the_data_login_sees_no_tenants_roles_or_runs(stack: Server) -> None:
    """It has no rights on the control tables."""
    control = ("tenant", "role_grant", "lease", "seed_run", "shard_report", "budget_entry")
    for table in (f"seed.{name}" for name in control):
        with (
            psycopg.connect(stack.url("seed_app")) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(f"SELECT FROM {table}".encode())


def test_everyone_else_has_no_rights(stack: Server) -> None:
    """A role of the cluster that was granted nothing cannot even connect."""
    with stack.superuser() as connection:
        connection.execute("CREATE ROLE stranger LOGIN")
    try:
        with pytest.raises(DatabaseUnavailable, match="permission denied"):
            Database(stack.url("stranger")).ping()
    finally:
        with stack.superuser() as connection:
            connection.execute("DROP ROLE stranger")


def test_an_origin_opens_one_seed_run(control: Database) -> None:
    """Every step that enters gets the same one; another manifest is refused."""
    runs = SeedRunStore(control)
    run = opened(runs, "run-1")
    assert (run.status, run.subject, run.claimed_roles) == ("running", "seed_service", ("seed-runner",))
    assert opened(runs, "run-1") == run == runs.find("run-1", TENANT_A.tenant_id, ENVIRONMENT, "default")
    assert opened(runs, "backfill:1").seed_run_id != run.seed_run_id
    assert runs.find("run-2", TENANT_A.tenant_id, ENVIRONMENT, "default") is None
    with pytest.raises(ManifestHashMismatch):
        opened(runs, "run-1", manifest_hash="cd" * 32)


def test_a_seed_run_ends_once_and_may_be_entered_again(control: Database) -> None:
    """The first end counts, until its origin goes on."""
    runs = SeedRunStore(control)
    run = opened(runs, "run-1")
    problem = LeaseLost("gone").problem()
    assert runs.finish(run.seed_run_id, "failed", problem)
    assert not runs.finish(run.seed_run_id, "succeeded")
    ended = runs.find("run-1", TENANT_A.tenant_id, ENVIRONMENT, "default")
    assert ended is not None
    assert (ended.status, ended.problem) == ("failed", problem)
    assert ended.ended_at is not None
    assert opened(runs, "run-1") == replace(run, attempt=2)


def test_a_run_that_was_taken_over_is_aborted(control: Database) -> None:
    """Whoever takes the lease records the end of the run that lost it."""
    runs, leases = SeedRunStore(control), LeaseStore(control, ttl_seconds=60)
    for origin in ("run-1", "run-2"):
        run = opened(runs, origin)
        lease = leases.acquire(TENANT_A.tenant_id, ENVIRONMENT, run.seed_run_id, run.origin, lambda _: True)
        runs.fence(run, lease)
    over = runs.find("run-1", TENANT_A.tenant_id, ENVIRONMENT, "default")
    going = runs.find("run-2", TENANT_A.tenant_id, ENVIRONMENT, "default")
    assert over is not None
    assert going is not None
    assert over.problem is not None
    assert (over.status, over.problem["code"]) == ("aborted", "lease_lost")
    assert (going.status, going.fencing_token) == ("running", lease.token)


def test_a_run_whose_lease_is_gone_before_it_is_fenced_is_refused(control: Database) -> None:
    """It stood still between the two, and another took over."""
    runs, leases = SeedRunStore(control), LeaseStore(control, ttl_seconds=60)
    first, second = opened(runs, "run-1"), opened(runs, "run-2")
    lost, _ = (
        leases.acquire(TENANT_A.tenant_id, ENVIRONMENT, run.seed_run_id, run.origin, lambda _: True)
        for run in (first, second)
    )
    with pytest.raises(LeaseLost):
        runs.fence(first, lost)


def test_a_run_that_another_fenced_out_is_not_opened_again(control: Database) -> None:
    """Its next step is refused, whether or not the other is still at work."""
    runs, leases = SeedRunStore(control), LeaseStore(control, ttl_seconds=60)
    for origin in ("run-1", "run-2"):
        run = opened(runs, origin)
        lease = leases.acquire(TENANT_A.tenant_id, ENVIRONMENT, run.seed_run_id, run.origin, lambda _: True)
        runs.fence(run, lease)
    leases.release(lease)
    with pytest.raises(LeaseLost, match="start a new run"):
        opened(runs, "run-1")
    over = runs.find("run-1", TENANT_A.tenant_id, ENVIRONMENT, "default")
    assert over is not None
    assert over.status == "aborted"


def test_a_run_that_died_before_it_held_a_token_ends_with_the_next_lease(stack: Server, control: Database) -> None:
    """One that waits in the queue goes on; one whose place nobody asked for any more does not."""
    runs, leases, queue = SeedRunStore(control), LeaseStore(control, ttl_seconds=60), Queue(control)
    for origin in ("silent", "waiting"):
        queue.enter(TENANT_A.tenant_id, ENVIRONMENT, origin)
    opened(runs, "dead"), opened(runs, "silent"), opened(runs, "waiting")
    with stack.superuser() as connection:
        connection.execute(
            "UPDATE seed.queue_entry SET seen_at = seen_at - interval '16 seconds' WHERE origin = 'silent'"
        )
    next_one = opened(runs, "next")
    lease = leases.acquire(TENANT_A.tenant_id, ENVIRONMENT, next_one.seed_run_id, next_one.origin, lambda _: False)
    runs.fence(next_one, lease)
    with stack.superuser() as connection:
        found = connection.execute("SELECT origin, status, problem->>'code' FROM seed.seed_run").fetchall()
    assert set(found) == {
        ("dead", "aborted", "interrupted"),
        ("silent", "aborted", "interrupted"),
        ("waiting", "running", None),
        ("next", "running", None),
    }


def test_a_run_that_begins_anew_is_not_ended_for_the_token_of_its_last_attempt(control: Database) -> None:
    """It waits in the queue while another gets the lease."""
    runs, leases = SeedRunStore(control), LeaseStore(control, ttl_seconds=60)
    again = opened(runs, "again")
    lease = leases.acquire(TENANT_A.tenant_id, ENVIRONMENT, again.seed_run_id, again.origin, lambda _: False)
    runs.fence(again, lease)
    runs.finish(again.seed_run_id, "failed")
    leases.release(lease)
    Queue(control).enter(TENANT_A.tenant_id, ENVIRONMENT, again.origin)
    assert opened(runs, "again") == replace(again, attempt=2)
    other = opened(runs, "other")
    lease = leases.acquire(TENANT_A.tenant_id, ENVIRONMENT, other.seed_run_id, other.origin, lambda _: False)
    runs.fence(other, lease)
    found = runs.find("again", TENANT_A.tenant_id, ENVIRONMENT, "default")
    assert found is not None
    assert (found.status, found.fencing_token) == ("running", None)


def test_a_run_that_was_ended_while_it_stood_still_in_the_queue_gets_no_token(control: Database) -> None:
    """It says so, rather than work in vain."""
    runs, leases = SeedRunStore(control), LeaseStore(control, ttl_seconds=60)
    run = opened(runs, "run-1")
    runs.finish(run.seed_run_id, "aborted", died_in_queue().problem())
    lease = leases.acquire(TENANT_A.tenant_id, ENVIRONMENT, run.seed_run_id, run.origin, lambda _: False)
    with pytest.raises(LeaseLost, match="stood still in the queue"):
        runs.fence(run, lease)
