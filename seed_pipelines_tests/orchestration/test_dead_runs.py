"""Runs that died and hold a slot of their pool."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRun

from seed_pipelines.orchestration.code_location import build_definitions
from seed_pipelines.orchestration.dead_runs import end_dead_runs
from seed_pipelines.orchestration.manifest_jobs import ManifestJob
from seed_pipelines.seeding.seed_run import enter
from seed_pipelines_tests.orchestration.dagster_worlds import FakeSeeding, job_of
from seed_pipelines_tests.worlds import World, manifest


@pytest.fixture
def job(world: World) -> ManifestJob:
    return job_of(world, manifest(in_catalogue=world.catalogue))


def started(instance: DagsterInstance, world: World, job: ManifestJob) -> DagsterRun:
    """A run that holds the pool's slot, begun now by Dagster's clock."""
    definition = build_definitions([job], FakeSeeding(world)).resolve_job_def(job.job_name)
    run = instance.create_run_for_job(definition, run_id=str(uuid4()))
    instance.handle_run_event(
        run.run_id,
        dg.DagsterEvent(event_type_value="PIPELINE_START", job_name=job.job_name),
        datetime.now(UTC),
    )
    instance.event_log_storage.set_concurrency_slots(job.pool, 1)
    assert instance.event_log_storage.claim_concurrency_slot(job.pool, run.run_id, "customers").is_claimed
    return run


def slots_taken(instance: DagsterInstance, job: ManifestJob) -> int:
    return instance.event_log_storage.get_concurrency_info(job.pool).active_slot_count


def test_a_run_that_lost_its_lease_long_ago_is_failed_and_its_slot_freed(world: World, job: ManifestJob) -> None:
    with DagsterInstance.ephemeral() as instance:
        run = started(instance, world, job)
        world.now = datetime.now(UTC) + timedelta(seconds=61)
        assert end_dead_runs(job, world.services, instance) == (run.run_id,)
        found = instance.get_run_by_id(run.run_id)
        assert found is not None
        assert found.status is dg.DagsterRunStatus.FAILURE
        assert slots_taken(instance, job) == 0


def test_a_run_that_began_in_the_future_is_dead_too(world: World, job: ManifestJob) -> None:
    """It was started where the clock was hours ahead, and does not hold the lease."""
    with DagsterInstance.ephemeral() as instance:
        run = started(instance, world, job)
        world.now = datetime.now(UTC) - timedelta(hours=5)
        assert end_dead_runs(job, world.services, instance) == (run.run_id,)


def test_a_run_that_began_a_moment_ago_is_given_time(world: World, job: ManifestJob) -> None:
    with DagsterInstance.ephemeral() as instance:
        started(instance, world, job)
        world.now = datetime.now(UTC) + timedelta(seconds=5)
        assert end_dead_runs(job, world.services, instance) == ()
        assert slots_taken(instance, job) == 1


def test_a_run_that_waited_long_in_the_queue_is_given_time_to_start(world: World, job: ManifestJob) -> None:
    """It is as old as its launch; what counts is when it left the queue."""
    with DagsterInstance.ephemeral() as instance:
        definition = build_definitions([job], FakeSeeding(world)).resolve_job_def(job.job_name)
        run = instance.create_run_for_job(definition, run_id=str(uuid4()), tags=job.tags)
        left_queue = datetime.now(UTC) + timedelta(hours=1)
        starting = dg.DagsterEvent(event_type_value="PIPELINE_STARTING", job_name=job.job_name)
        instance.handle_run_event(run.run_id, starting, left_queue)
        world.now = left_queue + timedelta(seconds=5)
        assert end_dead_runs(job, world.services, instance) == ()


def test_the_holder_of_the_lease_is_alive_however_old(world: World, job: ManifestJob) -> None:
    with DagsterInstance.ephemeral() as instance:
        run = started(instance, world, job)
        enter(world.services, world.request(origin=run.run_id))
        world.now = datetime.now(UTC) + timedelta(days=1)
        assert end_dead_runs(job, world.services, instance) == ()


def test_a_finished_run_gives_its_slot_back(world: World, job: ManifestJob) -> None:
    with DagsterInstance.ephemeral() as instance:
        run = started(instance, world, job)
        instance.report_run_failed(run)
        end_dead_runs(job, world.services, instance)
        assert slots_taken(instance, job) == 0


def test_the_sensor_names_what_it_ended(world: World, job: ManifestJob) -> None:
    with DagsterInstance.ephemeral() as instance:
        run = started(instance, world, job)
        world.now = datetime.now(UTC) + timedelta(seconds=61)
        sensor = build_definitions([job], FakeSeeding(world)).resolve_sensor_def("end_dead_runs")
        data = sensor.evaluate_tick(dg.build_sensor_context(instance))
        assert run.run_id in (data.skip_message or "")
