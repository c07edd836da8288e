"""A manifest's job: its steps, how they end, and what each leaves behind."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluation

from seed_pipelines.adapters.postgres.budget_entries import BudgetEntry, Spending
from seed_pipelines.adapters.postgres.isolation.attempt import Attempt
from seed_pipelines.adapters.postgres.leases import Lease
from seed_pipelines.domain.checks import CHECKS
from seed_pipelines.errors import DatabaseUnavailable, ParquetMismatch
from seed_pipelines.orchestration.manifest_jobs import ORDERED_MANIFEST_TAG, ManifestJob
from seed_pipelines_tests.orchestration.dagster_worlds import FakeSeeding, execute, job_of, problem_of
from seed_pipelines_tests.worlds import TENANT, World, catalogue, manifest

EVERYTHING = {"dagster/asset_partition_range_start": "0000", "dagster/asset_partition_range_end": "0002"}


@pytest.fixture
def job(world: World) -> ManifestJob:
    return job_of(world, manifest(in_catalogue=world.catalogue))


@pytest.fixture
def sharded(world: World) -> ManifestJob:
    world.catalogue = catalogue(rows_per_shard=9_000)
    return job_of(world, manifest(9_000, 10_800, in_catalogue=world.catalogue))


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    found = [
        event.event_specific_data for event in result.all_events if event.event_type_value == "ASSET_CHECK_EVALUATION"
    ]
    return {data.check_name: data.passed for data in found if isinstance(data, AssetCheckEvaluation)}


def materialized(result: dg.ExecuteInProcessResult, asset: str) -> set[str | None]:
    events = (event for event in result.all_events if event.is_step_materialization)
    return {event.partition for event in events if event.asset_key and event.asset_key.path[-1] == asset}


def test_a_run_seeds_checks_and_reports_and_gives_the_lease_back(world: World, job: ManifestJob) -> None:
    result = execute(world, job)
    assert result.success
    assert evaluations(result) == {**dict.fromkeys(CHECKS, True), "sealed": True}
    assert len(world.tables.rows[TENANT.tenant_id, "customers"]) == 100
    assert len(world.tables.rows[TENANT.tenant_id, "bank_accounts"]) == 120
    (run,) = world.control.runs.values()
    assert run.status == "succeeded"
    assert world.control.leases == {}
    (report,) = world.control.reports[run.seed_run_id].values()
    assert report["passed"]
    assert {check["name"] for check in report["checks"]} == set(CHECKS)


def test_a_run_that_was_ordered_for_another_manifest_seeds_nothing(world: World, job: ManifestJob) -> None:
    """Whoever ordered it was told of that one; another was deployed since, or elsewhere."""
    problem = problem_of(execute(world, job, tags={ORDERED_MANIFEST_TAG: "cd" * 32}))
    assert problem["code"] == "manifest_hash_mismatch"
    assert (problem["expected"], problem["actual"]) == ("cd" * 32, job.manifest.integrity.manifest_hash)
    assert world.control.runs == {}
    tags = {ORDERED_MANIFEST_TAG: job.manifest.integrity.manifest_hash}
    assert execute(world, job, tags=tags).success


def test_a_second_run_leaves_the_rows_alone_and_finds_the_same_digests(world: World, job: ManifestJob) -> None:
    execute(world, job)
    first = next(iter(world.control.reports.values()))["0000"]["roots"]
    assert execute(world, job).success
    assert world.tables.loads == 1
    assert list(world.control.reports.values())[1]["0000"]["roots"] == first


def test_modes_carga_and_dr_rewrite_every_shard(world: World) -> None:
    load = manifest(
        in_catalogue=world.catalogue,
        mode="carga",
        ttl={"carga_days": 1},
        budget={"cost_cap_brl": 10, "error_budget_pct": 1},
    )
    for _ in range(2):
        assert execute(world, job_of(world, load)).success
    assert world.tables.loads == 2


def test_a_range_runs_every_shard_and_one_partition_only_its_own(world: World, sharded: ManifestJob) -> None:
    assert len(sharded.plan.shards) == 3
    one = execute(world, sharded, {"dagster/partition": "0001"})
    assert one.success
    assert materialized(one, "database") == {"0001"}
    everything = execute(world, sharded, EVERYTHING)
    assert everything.success
    assert materialized(everything, "integrity_report") == {"0000", "0001", "0002"}
    assert len(world.tables.rows[TENANT.tenant_id, "customers"]) == 9_000


def test_many_shards_need_a_selection_and_the_refusal_says_which_tags(world: World, sharded: ManifestJob) -> None:
    refused = problem_of(execute(world, sharded))
    assert refused["code"] == "partitions_not_selected"
    assert refused["tags"] == EVERYTHING
    assert world.control.runs == {}


def test_a_refused_run_shows_its_problem_and_no_later_step_runs(world: World, job: ManifestJob) -> None:
    world.tables.holes = ["banking.customer lacks FORCE"]
    result = execute(world, job)
    refused = problem_of(result)
    assert (refused["code"], refused["exit_code"]) == ("rls_not_enforced", 6)
    assert refused["holes"] == ["banking.customer lacks FORCE"]
    assert materialized(result, "customers") == set()


def test_materializing_one_asset_passes_the_guards_and_gives_the_lease_back(world: World, job: ManifestJob) -> None:
    result = execute(world, job, asset_selection=[job.key("customers")])
    assert result.success
    assert world.tables.rows == {}
    (run,) = world.control.runs.values()
    assert run.status == "partial"
    assert world.control.leases == {}


def test_a_red_check_stops_the_run_before_its_report(world: World, job: ManifestJob) -> None:
    execute(world, job)
    rows = world.tables.rows[TENANT.tenant_id, "customers"]
    rows[0] = rows[0] | {"document_number": rows[1]["document_number"]}
    result = execute(world, job, asset_selection=[job.key("integrity_report")])
    assert not result.success
    assert problem_of(result)["code"] == "checks_failed"


def test_a_red_check_is_an_event_and_the_report_is_not_made(world: World, job: ManifestJob) -> None:
    load = world.tables.load

    def corrupting(*arguments: object) -> object:
        loaded = load(*arguments)  # type: ignore[arg-type]  # passed through
        customers = world.tables.rows[TENANT.tenant_id, "customers"]
        customers[0] = customers[0] | {"document_number": "11111111111"}
        return loaded

    world.tables.load = corrupting  # type: ignore[method-assign,assignment]  # the fake's own fault
    result = execute(world, job)
    assert {name for name, passed in evaluations(result).items() if not passed} == {"check_digits", "digests_equal"}
    assert problem_of(result)["checks"] == ["check_digits", "digests_equal"]
    assert materialized(result, "integrity_report") == set()
    (run,) = world.control.runs.values()
    assert run.status == "failed"
    assert world.control.reports[run.seed_run_id]["0000"]["passed"] is False


def test_a_run_that_outspends_its_budget_stops_before_the_next_piece(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here prices rise in the middle of it; what was not begun has left nothing, and the lease is free."""
    charge = world.control.charge

    def dearer(lease: Lease, entry: BudgetEntry) -> Spending:
        return charge(lease, replace(entry, cost_brl=10 * entry.cost_brl))

    monkeypatch.setattr(world.control, "charge", dearer)
    capped = manifest(in_catalogue=world.catalogue, budget={"cost_cap_brl": 0.02, "error_budget_pct": 1})
    result = execute(world, job_of(world, capped))
    refused = problem_of(result)
    assert (refused["code"], refused["exit_code"]) == ("budget_exceeded", 5)
    assert refused["piece"] == "generate/bank_accounts/0000"
    (run,) = world.control.runs.values()
    assert list(world.control.ledger[run.seed_run_id]) == ["masking_keys/0000", "generate/customers/0000"]
    assert [path.parent.name for path in world.directory.rglob("*.parquet")] == ["customers"]
    assert world.tables.rows == {}
    assert run.status == "failed"
    assert world.control.leases == {}


def test_a_run_shows_its_cost_and_warns_when_little_is_left(world: World) -> None:
    """On the asset that came to four fifths of the budget, and not on those before it."""
    capped = manifest(in_catalogue=world.catalogue, budget={"cost_cap_brl": 0.0095, "error_budget_pct": 1})
    result = execute(world, job_of(world, capped))
    assert result.success
    shown = {
        event.asset_key.path[-1]: event.step_materialization_data.materialization.metadata
        for event in result.all_events
        if event.is_step_materialization and event.asset_key
    }
    (run,) = world.control.runs.values()
    spent = world.control.spending(run.seed_run_id).cost_brl
    assert shown["database"]["cost so far"].value == f"{spent} BRL"
    assert shown["database"]["cost cap"].value == "0.0095 BRL"
    assert [name for name, metadata in shown.items() if "budget" in metadata] == ["database"]


def test_a_manifest_that_changed_on_disk_needs_a_reload(world: World) -> None:
    path = Path("manifests/staging/tenant-a.yaml")
    job = job_of(world, manifest(in_catalogue=world.catalogue), path)
    seeding = FakeSeeding(world)
    seeding.files[path] = manifest(90, 90, in_catalogue=world.catalogue)
    assert problem_of(execute(world, job, seeding=seeding))["code"] == "manifest_hash_mismatch"


def test_a_database_that_comes_back_is_waited_for_with_the_manifests_backoff(world: World) -> None:
    quick = {"base_seconds": 0.01, "jitter_factor": 0, "max_retries": 2, "max_interval_seconds": 1}
    job = job_of(world, manifest(in_catalogue=world.catalogue, backoff=quick))
    load, attempts = world.tables.load, []

    def failing(*arguments: object) -> object:
        attempts.append(arguments)
        if len(attempts) < 3:
            raise DatabaseUnavailable("Away for a moment.")
        return load(*arguments)  # type: ignore[arg-type]  # passed through

    world.tables.load = failing  # type: ignore[method-assign,assignment]  # the fake's own failure
    assert execute(world, job).success
    assert len(attempts) == 3


def test_a_database_that_stays_away_fails_the_run_with_its_problem(world: World) -> None:
    quick = {"base_seconds": 0.01, "jitter_factor": 0, "max_retries": 1, "max_interval_seconds": 1}
    job = job_of(world, manifest(in_catalogue=world.catalogue, backoff=quick))

    def failing(*_: object) -> object:
        raise DatabaseUnavailable("Away for good.")

    world.tables.load = failing  # type: ignore[method-assign,assignment]  # the fake's own failure
    result = execute(world, job)
    assert problem_of(result)["code"] == "database_unavailable"
    (run,) = world.control.runs.values()
    assert run.status == "failed"
    assert world.control.leases == {}


def test_a_run_that_is_refused_at_a_later_step_ends_there_and_gives_the_lease_back(
    world: World, job: ManifestJob
) -> None:
    load = world.tables.load

    def closing(*arguments: object) -> object:
        world.now = datetime(2025, 6, 1, 12, tzinfo=UTC)
        return load(*arguments)  # type: ignore[arg-type]  # passed through

    world.tables.load = closing  # type: ignore[method-assign,assignment]  # the window closes meanwhile
    assert problem_of(execute(world, job))["code"] == "outside_window"
    (run,) = world.control.runs.values()
    assert run.status == "failed"
    assert world.control.leases == {}


def test_a_failing_run_of_a_backfill_keeps_the_lease_for_the_others(world: World, job: ManifestJob) -> None:
    def failing(*_: object) -> object:
        raise ParquetMismatch("Gone.")

    world.tables.load = failing  # type: ignore[method-assign,assignment]  # the fake's own failure
    result = execute(world, job, {"dagster/backfill": "x", "dagster/partition": "0000"})
    assert problem_of(result)["code"] == "parquet_mismatch"
    assert [lease.holder for lease in world.control.leases.values()] == ["backfill:x"]


@pytest.mark.parametrize("moment", ["open_run", "acquire", "fence_run"])
def test_a_run_stopped_while_a_step_enters_leaves_no_lease(world: World, job: ManifestJob, moment: str) -> None:
    world.control.interrupted_after = moment
    assert not execute(world, job).success
    (run,) = world.control.runs.values()
    assert run.status == "aborted"
    assert world.control.leases == {}


def test_the_doctor_is_asked_once_for_all_shards_of_a_run_and_stops_it(world: World, sharded: ManifestJob) -> None:
    assert execute(world, sharded, EVERYTHING).success
    assert world.tables.examinations == 1
    world.tables.found = [
        Attempt("banking.seen", "SELECT with row_security off", "no policy restricts it", "DROP VIEW")
    ]
    result = execute(world, sharded, EVERYTHING)
    assert not result.success
    assert evaluations(result)["rls_enforced"] is False
    assert problem_of(result)["checks"] == ["rls_enforced"]
