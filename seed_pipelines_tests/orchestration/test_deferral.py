"""Runs that their window closed on: launched anew in the next one, once."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRun
from dagster._core.storage.tags import PARTITION_NAME_TAG

from seed_pipelines.orchestration.code_location import build_definitions
from seed_pipelines.orchestration.deferral import DEFERRED_FROM, DEFERRED_TO
from seed_pipelines.orchestration.manifest_jobs import ManifestJob
from seed_pipelines.orchestration.runs import partition_tags
from seed_pipelines_tests.orchestration.dagster_worlds import FakeSeeding, job_of
from seed_pipelines_tests.worlds import World, manifest

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def window(now: datetime, opens: float, closes: float) -> dict[str, str]:
    """Hours from now."""
    return {
        "start_utc": f"{now + timedelta(hours=opens):%H:%M}",
        "end_utc": f"{now + timedelta(hours=closes):%H:%M}",
    }


@pytest.fixture
def launched() -> datetime:
    """Runs are created at the time of Dagster's clock."""
    return datetime.now(UTC)


@pytest.fixture
def job(world: World, launched: datetime) -> ManifestJob:
    """Its window is open now, for two hours more."""
    return job_of(world, manifest(in_catalogue=world.catalogue, window=window(launched, -1, 2)))


def run(
    instance: DagsterInstance,
    world: World,
    job: ManifestJob,
    *,
    queued: bool = True,
    tags: dict[str, str] | None = None,
    assets: list[dg.AssetKey] | None = None,
) -> DagsterRun:
    """A run as it comes out of the queue at the world's time, or as a command starts it."""
    definition = build_definitions([job], FakeSeeding(world)).resolve_job_def(job.job_name)
    run_id = str(uuid4())
    if queued:
        enqueued = dg.DagsterEvent(event_type_value="PIPELINE_ENQUEUED", job_name=job.job_name)
        instance.report_dagster_event(enqueued, run_id)
    definition.execute_in_process(
        instance=instance,
        run_id=run_id,
        tags={**partition_tags(job.plan), **(tags or {})},
        asset_selection=assets,
        raise_on_error=False,
        run_config=QUIET,
    )
    found = instance.get_run_by_id(run_id)
    assert found is not None
    return found


def requested(instance: DagsterInstance, world: World, job: ManifestJob) -> list[dg.RunRequest]:
    """What the sensor asks for at the world's time."""
    sensor = build_definitions([job], FakeSeeding(world)).resolve_sensor_def("begin_deferred_runs")
    return list(sensor.evaluate_tick(dg.build_sensor_context(instance)).run_requests or ())


def test_a_queued_run_that_its_window_closed_on_is_launched_when_the_next_opens(
    world: World, job: ManifestJob, launched: datetime
) -> None:
    """Not before, with its partitions, and with a tag that says where it came from."""
    with DagsterInstance.ephemeral() as instance:
        world.now = launched + timedelta(hours=3)
        refused = run(instance, world, job)
        opening = launched + timedelta(hours=23)
        assert refused.status is dg.DagsterRunStatus.FAILURE
        assert refused.tags[DEFERRED_TO] == f"{opening:%Y-%m-%dT%H:%MZ}"
        assert requested(instance, world, job) == []
        world.now = launched + timedelta(hours=23, minutes=1)
        (request,) = requested(instance, world, job)
        assert request.job_name == job.job_name
        assert request.run_key == f"deferred:{refused.run_id}:{job.slug}"
        assert request.tags[DEFERRED_FROM] == refused.run_id
        assert request.tags[PARTITION_NAME_TAG] == "0000"
        assert request.asset_selection is None


def test_it_is_launched_once_and_not_deferred_again(world: World, job: ManifestJob, launched: datetime) -> None:
    """Whatever became of it."""
    with DagsterInstance.ephemeral() as instance:
        world.now = launched + timedelta(hours=3)
        refused = run(instance, world, job)
        again = run(instance, world, job, tags={DEFERRED_FROM: refused.run_id})
        assert again.status is dg.DagsterRunStatus.FAILURE
        assert DEFERRED_TO not in again.tags
        world.now = launched + timedelta(hours=24)
        assert requested(instance, world, job) == []


def test_one_that_was_not_queued_is_not_deferred(world: World, job: ManifestJob, launched: datetime) -> None:
    """A command has told whoever gave it."""
    with DagsterInstance.ephemeral() as instance:
        world.now = launched + timedelta(hours=3)
        assert DEFERRED_TO not in run(instance, world, job, queued=False).tags


def test_one_that_was_launched_outside_its_window_is_not_deferred(world: World, launched: datetime) -> None:
    """It was refused for a reason that its launcher could see."""
    job = job_of(world, manifest(in_catalogue=world.catalogue, window=window(launched, 4, 6)))
    with DagsterInstance.ephemeral() as instance:
        world.now = launched + timedelta(minutes=1)
        refused = run(instance, world, job)
        assert refused.status is dg.DagsterRunStatus.FAILURE
        assert DEFERRED_TO not in refused.tags


def test_what_fails_for_another_reason_is_not_launched_anew(world: World, job: ManifestJob, launched: datetime) -> None:
    """Also where it has the tags of a refused run, as one that is executed again from the UI has."""
    with DagsterInstance.ephemeral() as instance:
        world.tables.away, world.now = True, launched
        opening = launched + timedelta(hours=23)
        run(instance, world, job, tags={DEFERRED_TO: f"{opening:%Y-%m-%dT%H:%MZ}"})
        world.now = opening + timedelta(minutes=1)
        assert requested(instance, world, job) == []


def test_some_assets_of_a_manifest_are_deferred_as_they_were_asked_for(
    world: World, job: ManifestJob, launched: datetime
) -> None:
    """And no others."""
    with DagsterInstance.ephemeral() as instance:
        world.now = launched + timedelta(hours=3)
        run(instance, world, job, assets=[job.key("customers")])
        world.now = launched + timedelta(hours=24)
        (request,) = requested(instance, world, job)
        assert request.asset_selection == [job.key("customers")]


def test_a_sensor_that_slept_through_the_window_launches_in_the_next(
    world: World, job: ManifestJob, launched: datetime
) -> None:
    with DagsterInstance.ephemeral() as instance:
        world.now = launched + timedelta(hours=3)
        run(instance, world, job)
        world.now = launched + timedelta(days=2)
        assert len(requested(instance, world, job)) == 1
