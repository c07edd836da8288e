"""The asset `evidence` and the sensor that seals: what they do in Dagster, and what people see of it."""

from collections.abc import Iterator
from typing import Any, Literal

import dagster as dg
import pytest
from dagster import DagsterInstance
from dagster._core.definitions.sensor_definition import SensorExecutionData

from seed_pipelines.orchestration.code_location import build_definitions
from seed_pipelines.orchestration.evidence import SENSOR
from seed_pipelines.orchestration.manifest_jobs import EVIDENCE, ManifestJob
from seed_pipelines.seeding.ending import abandon
from seed_pipelines.seeding.seed_run import enter
from seed_pipelines_tests.orchestration.dagster_worlds import FakeSeeding, execute, job_of, problem_of
from seed_pipelines_tests.orchestration.test_assets import EVERYTHING, evaluations, materialized
from seed_pipelines_tests.seeding.test_answer import work
from seed_pipelines_tests.worlds import World, catalogue, manifest, reported


@pytest.fixture
def job(world: World) -> ManifestJob:
    return job_of(world, manifest(in_catalogue=world.catalogue))


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as made:
        yield made


def tick(world: World, job: ManifestJob, instance: DagsterInstance) -> SensorExecutionData:
    """One evaluation of the sensor."""
    sensor = build_definitions([job], FakeSeeding(world)).resolve_sensor_def(SENSOR)
    return sensor.evaluate_tick(dg.build_sensor_context(instance))


def metadata_of(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """What the asset shows."""
    (found,) = [
        event.materialization.metadata
        for event in result.all_events
        if event.is_step_materialization and event.asset_key and event.asset_key.path[-1] == EVIDENCE
    ]
    return {name: value.value for name, value in found.items()}


def test_the_last_step_of_a_run_seals_its_report(world: World, job: ManifestJob) -> None:
    """And says where it is, how to verify it, and what is in it."""
    result = execute(world, job)
    assert result.success
    (report,) = world.reports.composed.values()
    shown = metadata_of(result)
    assert shown["verdict"] == "succeeded"
    assert shown["sequence"] == 1
    assert shown["sha256"] == report.sha256
    assert str(report.seed_run_id) in shown["verify it"]
    assert shown["envelope"].removeprefix("s3://fake-evidence/") in world.bucket.objects
    assert shown["page"].removeprefix("s3://fake-evidence/") in world.bucket.objects
    assert shown["report"]["manifest_hash"] == job.manifest.integrity.manifest_hash
    assert evaluations(result)["sealed"]


def test_a_run_that_cannot_be_sealed_fails_and_is_sealed_by_the_sensor(
    world: World, job: ManifestJob, instance: DagsterInstance
) -> None:
    """Its seed run has succeeded then, and the asset says so."""
    session = work(enter(world.services, world.request(origin="run-1")))
    reported(session)
    world.bucket.away = True
    assert "could not be sealed" in (tick(world, job, instance).skip_message or "")
    world.bucket.away = False
    events = tick(world, job, instance).asset_events
    assert [type(event) for event in events] == [dg.AssetMaterialization, dg.AssetCheckEvaluation]
    (evaluation,) = (event for event in events if isinstance(event, dg.AssetCheckEvaluation))
    assert evaluation.passed
    assert evaluation.asset_key == job.key(EVIDENCE)
    assert {run.status for run in world.control.runs.values()} == {"succeeded"}


@pytest.mark.parametrize("seal_by", ["run", "sensor"])
def test_past_its_deadline_the_check_is_red_and_green_after_the_next_seal(
    world: World, job: ManifestJob, instance: DagsterInstance, seal_by: Literal["run", "sensor"]
) -> None:
    """With the reason, and once it is sealed without; also where the sensor probes the bucket, and finds it away."""
    reported(work(enter(world.services, world.request(origin="run-1"))))
    world.seal_by, world.bucket.away, world.reports.overdue = seal_by, True, True
    (red,) = tick(world, job, instance).asset_events
    assert isinstance(red, dg.AssetCheckEvaluation)
    assert not red.passed
    assert "The fake bucket is away" in (red.description or "")
    world.bucket.away = False
    *_, green = tick(world, job, instance).asset_events
    assert isinstance(green, dg.AssetCheckEvaluation)
    assert green.passed


def test_runs_that_failed_or_died_are_reported_and_sealed_by_the_sensor(
    world: World, job: ManifestJob, instance: DagsterInstance
) -> None:
    """Each once; then there is nothing to do."""
    abandon(enter(world.services, world.request(origin="run-1")), RuntimeError("broken"))
    enter(world.services, world.request(origin="run-2"))
    world.control.leases.clear()
    tick(world, job, instance)
    assert sorted(report.verdict for report in world.reports.composed.values()) == ["aborted", "failed"]
    assert tick(world, job, instance).skip_message == "Every report is sealed."
    assert len(world.reports.index) == 2
    assert len(world.reports.checkpoints) == 1


def test_a_tick_survives_a_database_that_is_away(world: World, job: ManifestJob, instance: DagsterInstance) -> None:
    """The next one goes on."""
    world.control.away = True
    assert tick(world, job, instance).skip_message == "staging: The fake is away."
    world.control.away = False
    tick(world, job, instance)


def test_without_the_bucket_no_run_begins(world: World, job: ManifestJob) -> None:
    """And the failure says why."""
    world.bucket.away = True
    result = execute(world, job)
    assert problem_of(result)["code"] == "worm_unavailable"
    assert world.control.runs == {}


def test_a_run_of_one_shard_is_sealed_as_partial(world: World) -> None:
    """Its evidence is of what it saw."""
    world.catalogue = catalogue(rows_per_shard=9_000)
    sharded = job_of(world, manifest(9_000, 10_800, in_catalogue=world.catalogue))
    one = execute(world, sharded, {"dagster/partition": "0001"})
    assert metadata_of(one)["verdict"] == "partial"
    everything = execute(world, sharded, EVERYTHING)
    assert metadata_of(everything)["verdict"] == "succeeded"
    assert materialized(everything, EVIDENCE) == {None}


def test_the_evidence_alone_has_nothing_to_seal(world: World, job: ManifestJob) -> None:
    """A run that loads nothing says so, and its check is a warning."""
    result = execute(world, job, asset_selection=[job.key(EVIDENCE)])
    assert result.success
    assert metadata_of(result)["what was done"].startswith("Nothing was sealed yet")
    assert not evaluations(result)["sealed"]
    assert {run.status for run in world.control.runs.values()} == {"partial"}
