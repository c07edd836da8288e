"""Schedules of manifests: one run in every window, in its first part."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.daily_start import delay
from seed_pipelines.orchestration.manifest_jobs import ManifestJob
from seed_pipelines.orchestration.schedules import off_peak_schedules, schedule_name
from seed_pipelines_tests.orchestration.dagster_worlds import FakeSeeding, job_of
from seed_pipelines_tests.worlds import World, catalogue, manifest

NIGHT = {"start_utc": "23:45", "end_utc": "05:45"}
OPENING = datetime(2025, 6, 1, 23, 45, tzinfo=UTC)


@pytest.fixture
def job(world: World) -> ManifestJob:
    """A manifest of one shard, whose window crosses midnight."""
    return job_of(world, manifest(in_catalogue=world.catalogue, window=NIGHT))


def schedule_of(world: World, job: ManifestJob, initially: str = "stopped") -> dg.ScheduleDefinition:
    (found,) = off_peak_schedules([job], FakeSeeding(world), initially)  # type: ignore[arg-type]  # one of the two
    return found


def evaluated(world: World, job: ManifestJob, scheduled: datetime) -> dg.RunRequest | str:
    """What a tick asks for, or why it asks for nothing."""
    context = dg.build_schedule_context(scheduled_execution_time=scheduled)
    data = schedule_of(world, job).evaluate_tick(context)
    if data.skip_message is not None:
        return data.skip_message
    (request,) = data.run_requests or ()
    return request


def test_it_starts_in_the_window_at_a_minute_of_its_own(world: World, job: ManifestJob) -> None:
    start = OPENING + delay(job.manifest.window, job.identity)
    found = schedule_of(world, job)
    assert found.name == schedule_name(job) == "off_peak__staging__tenant_a"
    assert (found.cron_schedule, found.execution_timezone) == (f"{start.minute} {start.hour} * * *", "UTC")
    assert found.job_name == job.job_name


def test_it_is_stopped_unless_a_deployment_says_otherwise(world: World, job: ManifestJob) -> None:
    assert schedule_of(world, job).default_status is dg.DefaultScheduleStatus.STOPPED
    assert schedule_of(world, job, "running").default_status is dg.DefaultScheduleStatus.RUNNING


def test_a_window_has_one_run_key_before_and_after_midnight(world: World, job: ManifestJob) -> None:
    """Dagster launches a run key once; that of the next night is another."""
    keys = []
    for scheduled in (OPENING, OPENING + timedelta(hours=1), OPENING + timedelta(days=1)):
        world.now = scheduled + timedelta(seconds=5)
        request = evaluated(world, job, scheduled)
        assert isinstance(request, dg.RunRequest)
        keys.append(request.run_key)
    assert keys == ["window:2025-06-01T23:45Z", "window:2025-06-01T23:45Z", "window:2025-06-02T23:45Z"]


@pytest.mark.parametrize("late", [timedelta(hours=7), timedelta(days=1, hours=1)])
def test_a_tick_that_comes_after_its_window_closed_launches_nothing(
    world: World, job: ManifestJob, late: timedelta
) -> None:
    """Nor in the window of another day: that one has a tick of its own."""
    world.now = OPENING + late
    reason = evaluated(world, job, OPENING)
    assert isinstance(reason, str)
    assert "had closed when this was to be launched" in reason


def test_a_tick_that_is_late_within_its_window_still_launches(world: World, job: ManifestJob) -> None:
    world.now = OPENING + timedelta(hours=5)
    assert isinstance(evaluated(world, job, OPENING), dg.RunRequest)


def test_every_shard_is_in_the_one_run(world: World) -> None:
    """By the tags of a range: one Dagster run is one seed run, under one lease, with one report."""
    shards: Catalogue = catalogue(rows_per_shard=9_000)
    world.catalogue, world.now = shards, OPENING
    job = job_of(world, manifest(10_000, 12_000, in_catalogue=shards, window=NIGHT))
    request = evaluated(world, job, OPENING)
    assert isinstance(request, dg.RunRequest)
    assert {name: value for name, value in request.tags.items() if name.startswith("dagster/asset_partition")} == {
        "dagster/asset_partition_range_start": "0000",
        "dagster/asset_partition_range_end": "0002",
    }
    assert "all 3 shards in one run, 22,000 rows" in str(schedule_of(world, job).description)


def test_its_description_says_what_runs_and_when(world: World, job: ManifestJob) -> None:
    """To somebody who has never seen a manifest."""
    said = str(schedule_of(world, job).description)
    minutes = delay(job.manifest.window, job.identity).seconds // 60
    for words in ("tenant-a in staging", "23:45 to 05:45 UTC", f"{minutes} minutes after it opens", "220 rows"):
        assert words in said
