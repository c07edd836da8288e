"""Runs that their window closed on: launched anew in the next one, once."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRun
from dagster._core.storage.tags import PARTITION_NAME_TAG

from seed_pipelines.domain.integration_calls import CALLED
from seed_pipelines.domain.stub_addresses import StubAddresses
from seed_pipelines.orchestration.code_location import build_definitions
from seed_pipelines.orchestration.deferral import DEFERRED_FROM, DEFERRED_TO
from seed_pipelines.orchestration.manifest_jobs import INTEGRATIONS, MANIFEST_TAG, ManifestJob
from seed_pipelines.orchestration.runs import partition_tags
from seed_pipelines_tests.fakes.stubs import answer
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


class TestRefusedByAStub:
    """A stub that goes on answering 429 ends the run; what it asked for is asked once more, in the next window."""

    @pytest.fixture
    def job(self, world: World, launched: datetime) -> ManifestJob:
        """A manifest that calls stubs; its window is open now."""
        world.stubs = StubAddresses("http://127.0.0.1:4010")
        world.now = launched
        wanted = manifest(
            in_catalogue=world.catalogue,
            window=window(launched, -1, 2),
            mode="dr",
            ttl={"dr_days": 1},
            budget={"cost_cap_brl": 100, "error_budget_pct": 1},
            backoff={"base_seconds": 1, "jitter_factor": 0, "max_retries": 1, "max_interval_seconds": 5},
        )
        return job_of(world, wanted)

    def test_a_run_of_a_command_is_launched_when_the_next_window_opens(
        self, world: World, job: ManifestJob, launched: datetime
    ) -> None:
        """Once, whatever becomes of it."""
        world.stub_client.then = lambda _: answer(429)
        with DagsterInstance.ephemeral() as instance:
            refused = run(instance, world, job, queued=False, tags=job.tags)
            assert refused.status is dg.DagsterRunStatus.FAILURE
            assert refused.tags[DEFERRED_TO] == f"{launched + timedelta(hours=23):%Y-%m-%dT%H:%MZ}"
            (seed_run,) = world.control.runs.values()
            assert (seed_run.status, (seed_run.problem or {})["code"]) == ("failed", "rate_limited")
            assert not world.control.leases
            assert requested(instance, world, job) == []
            world.now = launched + timedelta(hours=23, minutes=1)
            (request,) = requested(instance, world, job)
            assert request.tags[DEFERRED_FROM] == refused.run_id
            again = run(instance, world, job, tags={**job.tags, DEFERRED_FROM: refused.run_id})
            assert again.status is dg.DagsterRunStatus.FAILURE
            assert DEFERRED_TO not in again.tags
            assert requested(instance, world, job) == []

    def test_another_manifest_is_not_launched_in_its_place(
        self, world: World, job: ManifestJob, launched: datetime
    ) -> None:
        """A command may have seeded one that was never deployed, or was not any more."""
        world.stub_client.then = lambda _: answer(429)
        with DagsterInstance.ephemeral() as instance:
            run(instance, world, job, queued=False, tags={**job.tags, MANIFEST_TAG: "0" * 12})
            world.now = launched + timedelta(hours=23, minutes=1)
            assert requested(instance, world, job) == []

    def test_a_run_whose_stubs_answer_goes_through(self, world: World, job: ManifestJob) -> None:
        """And says what they were asked."""
        with DagsterInstance.ephemeral() as instance:
            done = run(instance, world, job, queued=False)
            assert done.status is dg.DagsterRunStatus.SUCCESS
            event = instance.get_latest_materialization_event(job.key(INTEGRATIONS))
            assert event is not None
            shown = event.asset_materialization.metadata if event.asset_materialization else {}
            calls = shown["calls"]
            assert isinstance(calls, dg.TableMetadataValue)
            assert [record.data["system"] for record in calls.records] == list(CALLED)
            assert calls.records[0].data["decisions"] == "APPROVED 10"

    def test_a_run_without_stubs_says_so(self, world: World, job: ManifestJob) -> None:
        world.stubs = StubAddresses()
        with DagsterInstance.ephemeral() as instance:
            assert run(instance, world, job, queued=False).status is dg.DagsterRunStatus.SUCCESS
            event = instance.get_latest_materialization_event(job.key(INTEGRATIONS))
            assert event is not None
            shown = event.asset_materialization.metadata if event.asset_materialization else {}
            assert shown["what was done"].value == "nothing: no stub has an address"
