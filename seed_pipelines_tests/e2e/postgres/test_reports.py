"""Reports in a real database: composed once, in order, one at a time, and never changed."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest

from seed_pipelines.adapters.postgres.budget_entries import BudgetEntry
from seed_pipelines.adapters.postgres.control import PostgresControl
from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.idempotency import Claim
from seed_pipelines.adapters.postgres.leases import Lease, Terms
from seed_pipelines.adapters.postgres.report_log import LogCheckpoint, ReportLog
from seed_pipelines.adapters.postgres.reports import Draft, Evidence, LogPosition, Report, ReportStore
from seed_pipelines.adapters.postgres.seed_runs import SeedRun, SeedRunStore
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.errors import LeaseLost, VaultUnavailable
from seed_pipelines_tests.e2e.postgres.conftest import ENVIRONMENT, TENANT_A, TENANT_B, Server, never
from seed_pipelines_tests.e2e.postgres.test_control import opened

pytestmark = pytest.mark.e2e

PIECE = BudgetEntry("load/0000", "load", "", "0000", 4, 0, 0, Decimal("0.1"), Decimal("0.01"), "v1")
PROBLEM = {"code": "worm_unavailable", "detail": "The bucket is away."}


@pytest.fixture
def state(control: Database) -> PostgresControl:
    """Runs and leases."""
    return PostgresControl(control, 60)


@pytest.fixture
def reports(control: Database) -> ReportStore:
    """The reports."""
    return ReportStore(control)


def at_work(state: PostgresControl, control: Database, tenant: Tenant = TENANT_A) -> tuple[SeedRun, Lease]:
    """A running seed run that holds its lease and its key."""
    run = opened(SeedRunStore(control), f"run-{uuid4()}", tenant_id=tenant.tenant_id)
    claim = Claim(tenant.tenant_id, ENVIRONMENT, "seed_run", run.origin, "ab" * 32, "default")
    lease = state.acquire(tenant.tenant_id, ENVIRONMENT, run.seed_run_id, run.origin, never, Terms(claim=claim))
    state.fence_run(run, lease)
    return replace(run, fencing_token=lease.token), lease


def draft(position: LogPosition) -> Draft:
    """A report that no other equals."""
    return Draft(f"{position.after.sequence + 1}: {uuid4()}".encode(), b"page", "answer")


def composed(reports: ReportStore, run: SeedRun, lease: Lease | None, deadline: float = 60) -> Report:
    """The report of a run that did its work."""
    return reports.compose(run, "succeeded", draft, deadline_seconds=deadline, lease=lease)


def sealed(reports: ReportStore, report: Report) -> bool:
    """Record that a report is sealed."""
    name = f"{report.sequence}-{report.sha256}"
    return reports.record_evidence(
        report, Evidence("bucket", f"{name}.json", "v1", f"{name}.html", "v2", report.deadline_at)
    )


def status(state: PostgresControl, run: SeedRun) -> str:
    """How a run stands."""
    found = state.find_run(run.origin, run.tenant_id, run.environment, run.profile)
    assert found is not None
    return found.status


def test_a_report_is_composed_once_and_ends_the_work_of_its_run(
    state: PostgresControl, control: Database, reports: ReportStore
) -> None:
    run, lease = at_work(state, control)
    report = composed(reports, run, lease)
    assert status(state, run) == "sealing"
    assert report.sha256 == hashlib.sha256(report.envelope).hexdigest()
    assert composed(reports, run, None) == report
    assert reports.find(run.tenant_id, run.seed_run_id, 1) == report
    assert [waiting.report for waiting in reports.waiting(ENVIRONMENT)] == [report]
    state.finish_run(run.seed_run_id, "failed", None)
    assert status(state, run) == "sealing"


def test_its_evidence_ends_the_run_answers_its_key_and_frees_its_lease(
    state: PostgresControl, control: Database, reports: ReportStore
) -> None:
    run, lease = at_work(state, control)
    report = composed(reports, run, lease)
    assert sealed(reports, report)
    assert status(state, run) == "succeeded"
    assert state.answer_of(run) == "answer"
    assert state.lease_holder(run.tenant_id, ENVIRONMENT) is None
    assert reports.waiting(ENVIRONMENT) == ()
    found = reports.evidence(run.tenant_id, run.seed_run_id, 1)
    assert found is not None
    assert found.version_id == "v1"
    assert not sealed(reports, report), "twice"


def test_sequences_have_no_gap_and_name_the_one_before(
    state: PostgresControl, control: Database, reports: ReportStore
) -> None:
    """Each tenant has its own, the log has one; a draft that fails takes no number."""
    seen: list[LogPosition] = []

    def noting(position: LogPosition) -> Draft:
        seen.append(position)
        return draft(position)

    def failing(_position: LogPosition) -> Draft:
        raise VaultUnavailable("sealed")

    made = []
    for tenant in (TENANT_A, TENANT_B, TENANT_A):
        run, lease = at_work(state, control, tenant)
        with pytest.raises(VaultUnavailable):
            reports.compose(run, "succeeded", failing, deadline_seconds=60, lease=lease)
        assert status(state, run) == "running"
        made.append(reports.compose(run, "succeeded", noting, deadline_seconds=60, lease=lease))
        sealed(reports, made[-1])
    first, other, third = made
    assert third.sequence == first.sequence + 1
    assert (seen[2].after.sequence, seen[2].after.sha256) == (first.sequence, first.sha256)
    assert seen[2].earlier_token is not None
    assert [report.log_index for report in made] == [first.log_index, first.log_index + 1, first.log_index + 2]
    assert other.tenant_id == TENANT_B.tenant_id
    entries = ReportLog(control).entries(ENVIRONMENT)
    assert [entry.log_index for entry in entries] == list(range(len(entries)))
    assert [entry.sha256 for entry in entries[-3:]] == [report.sha256 for report in made]


def test_reports_that_are_composed_at_once_take_turns(
    state: PostgresControl, control: Database, reports: ReportStore
) -> None:
    """Twenty of them, of runs that failed, get twenty numbers in a row."""
    runs = []
    for _ in range(20):
        run, lease = at_work(state, control)
        state.finish_run(run.seed_run_id, "failed", None)
        state.release(lease)
        runs.append(run)
    ended = [run for run in reports.unreported(ENVIRONMENT) if run.seed_run_id in {r.seed_run_id for r in runs}]
    assert len(ended) == 20
    with ThreadPoolExecutor(8) as pool:
        twice = list(pool.map(lambda run: reports.compose(run, "failed", draft, deadline_seconds=60), [*ended, *ended]))
    numbers = sorted({report.sequence for report in twice})
    assert numbers == list(range(numbers[0], numbers[0] + 20))
    assert reports.unreported(ENVIRONMENT) == ()


def test_without_its_lease_a_run_does_not_end_well(
    state: PostgresControl, control: Database, reports: ReportStore
) -> None:
    run, lease = at_work(state, control)
    state.release(lease)
    for held in (None, lease):
        with pytest.raises(LeaseLost):
            composed(reports, run, held)
    assert reports.find(run.tenant_id, run.seed_run_id, 1) is None
    assert status(state, run) == "running"


def test_what_is_postponed_waits_and_past_its_deadline_its_run_has_failed(
    state: PostgresControl, control: Database, reports: ReportStore
) -> None:
    """It stays in the outbox, and sealed late it does not succeed any more."""
    run, lease = at_work(state, control)
    report = composed(reports, run, lease, deadline=3600)
    reports.postpone(report, PROBLEM, 3600)
    assert reports.waiting(ENVIRONMENT) == ()
    (waiting,) = reports.waiting(ENVIRONMENT, due_only=False)
    assert (waiting.tries, waiting.is_overdue) == (1, False)
    assert status(state, run) == "sealing"
    late, lease = at_work(state, control, TENANT_B)
    report = composed(reports, late, lease, deadline=0)
    reports.postpone(report, PROBLEM, 0)
    assert status(state, late) == "failed"
    (waiting,) = reports.waiting(ENVIRONMENT)
    assert waiting.is_overdue
    assert sealed(reports, report)
    assert status(state, late) == "failed"
    assert state.answer_of(late) is None


def test_a_silent_run_is_ended_and_can_write_nothing_more(
    state: PostgresControl, control: Database, reports: ReportStore, stack: Server
) -> None:
    run, lease = at_work(state, control)
    assert reports.silent(ENVIRONMENT) == ()
    assert not reports.end_silent(run), "it is alive"
    with stack.superuser() as connection:
        connection.execute("UPDATE seed.lease SET expires_at = now() - interval '1 second'")
    assert [found.seed_run_id for found in reports.silent(ENVIRONMENT)] == [run.seed_run_id]
    assert reports.end_silent(run)
    assert status(state, run) == "aborted"
    with pytest.raises(LeaseLost):
        state.heartbeat(lease)
    assert [found.seed_run_id for found in reports.unreported(ENVIRONMENT)] == [run.seed_run_id]


def test_a_run_that_died_in_the_queue_is_silent_and_has_nothing_to_report(
    state: PostgresControl, control: Database, reports: ReportStore
) -> None:
    """One that waits there is neither."""
    entry = state.enter_queue(TENANT_A.tenant_id, ENVIRONMENT, "waiting")
    waiting, dead = (opened(SeedRunStore(control), origin) for origin in ("waiting", "dead"))
    assert [found.origin for found in reports.silent(ENVIRONMENT)] == ["dead"]
    assert not reports.end_silent(waiting)
    assert reports.end_silent(dead)
    ended = SeedRunStore(control).find("dead", TENANT_A.tenant_id, ENVIRONMENT, "default")
    assert ended is not None
    assert ended.problem is not None
    assert (ended.status, ended.problem["code"]) == ("aborted", "interrupted")
    assert reports.unreported(ENVIRONMENT) == ()
    state.leave_queue(entry)
    assert [found.origin for found in reports.silent(ENVIRONMENT)] == ["waiting"]


def test_a_run_that_was_heard_of_since_is_not_ended(
    state: PostgresControl, control: Database, reports: ReportStore, stack: Server
) -> None:
    """It begins anew, or gets a token, after it was looked for."""
    run, lease = at_work(state, control)
    state.release(lease)
    (silent,) = reports.silent(ENVIRONMENT)
    state.finish_run(run.seed_run_id, "failed", None)
    again = opened(SeedRunStore(control), run.origin)
    assert not reports.end_silent(silent), "another attempt"
    token = state.acquire(TENANT_A.tenant_id, ENVIRONMENT, run.seed_run_id, run.origin, never)
    state.fence_run(again, token)
    with stack.superuser() as connection:
        connection.execute("UPDATE seed.lease SET expires_at = now() - interval '1 second'")
    assert not reports.end_silent(again), "it has a token that it had not"
    assert status(state, run) == "running"


def test_what_landed_is_reported_though_the_run_began_anew_in_vain(
    state: PostgresControl, control: Database, reports: ReportStore
) -> None:
    """It did not get the lease again before its first end was reported."""
    run, lease = at_work(state, control)
    state.charge(lease, PIECE)
    state.finish_run(run.seed_run_id, "failed", None)
    state.release(lease)
    again = opened(SeedRunStore(control), run.origin)
    state.finish_run(again.seed_run_id, "failed", None)
    (ended,) = reports.unreported(ENVIRONMENT)
    assert (ended.seed_run_id, ended.attempt, ended.fencing_token) == (run.seed_run_id, 2, None)
    reports.compose(ended, "failed", draft, deadline_seconds=60, lease=None)
    assert reports.unreported(ENVIRONMENT) == ()


def test_a_run_that_ended_in_vain_begins_anew_with_the_next_attempt(
    state: PostgresControl, control: Database, reports: ReportStore
) -> None:
    """One that succeeded or waits to be sealed does not."""
    runs = SeedRunStore(control)
    run, lease = at_work(state, control)
    state.finish_run(run.seed_run_id, "failed", None)
    again = opened(runs, run.origin)
    assert (again.seed_run_id, again.attempt, again.status) == (run.seed_run_id, 2, "running")
    report = composed(reports, again, lease)
    assert (opened(runs, run.origin).attempt, opened(runs, run.origin).status) == (2, "sealing")
    sealed(reports, report)
    assert (opened(runs, run.origin).attempt, opened(runs, run.origin).status) == (2, "succeeded")


@pytest.mark.parametrize("table", ["report", "evidence", "log_checkpoint"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET environment = 'dev'", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_nobody_changes_or_removes_them(stack: Server, table: str, statement: str) -> None:
    """The owner of the tables and a superuser included, as long as they leave the trigger in place."""
    statement = statement.replace("environment = 'dev'", "bucket = ''") if table == "evidence" else statement
    with stack.superuser() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        connection.execute(statement.format(f"seed.{table}").encode())


def test_the_log_keeps_its_heads_and_what_was_found_of_the_bucket(control: Database) -> None:
    log = ReportLog(control)
    before = log.last_checkpoint(ENVIRONMENT)
    size = (before.tree_size if before else 0) + 1
    head = LogCheckpoint(size, "ab" * 32, b"envelope", "log/1.json", "v1")
    log.record_checkpoint(ENVIRONMENT, head)
    log.record_checkpoint(ENVIRONMENT, replace(head, object_key="another"))
    assert log.last_checkpoint(ENVIRONMENT) == head
    assert log.last_probe(ENVIRONMENT) is None
    for problem in (PROBLEM, None):
        log.record_probe(ENVIRONMENT, problem)
        found = log.last_probe(ENVIRONMENT)
        assert found is not None
        assert found.problem == problem
        assert 0 <= found.age_seconds < 60


def test_environments_do_not_mix(control: Database) -> None:
    """Entries and outbox are asked by environment."""
    assert ReportLog(control).entries("perf") == ()
    assert ReportStore(control).waiting("perf") == ()
