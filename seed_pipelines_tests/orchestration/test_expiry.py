"""The job that removes expired datasets, and what it says of each."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import dagster as dg
from dagster import DagsterInstance

from seed_pipelines.orchestration.expiry import CRON, JOB_NAME, SCHEDULE_NAME, expiry_definitions, expiry_job
from seed_pipelines.orchestration.manifest_jobs import ENVIRONMENT_TAG
from seed_pipelines_tests.orchestration.dagster_worlds import FakeSeeding
from seed_pipelines_tests.seeding.test_expiry import EXPIRED, OTHER, seeded
from seed_pipelines_tests.worlds import TENANT, World


def executed(world: World, *environments: str) -> dg.ExecuteInProcessResult:
    job = expiry_job(environments or ("staging",), FakeSeeding(world))
    with DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """Of the op's output, or of its failure."""
    for event in result.all_events:
        if event.is_successful_output:
            return {name: value.value for name, value in event.step_output_data.metadata.items()}
        if event.is_step_failure:
            data = event.step_failure_data.user_failure_data
            assert data is not None
            return {name: value.value for name, value in data.metadata.items()}
    raise AssertionError(result.all_events)


def table(result: dg.ExecuteInProcessResult) -> list[dict[str, Any]]:
    return [dict(record.data) for record in metadata(result)["datasets"].records]


def test_it_says_what_it_removed(world: World) -> None:
    """In the table of its output, and on the page of the dataset's asset."""
    seeded(world)
    result = executed(world)
    assert result.success
    assert metadata(result)["rows removed"] == 220
    (record,) = table(result)
    assert record == {
        "environment": "staging",
        "tenant": "tenant-a",
        "profile": "default",
        "expired at": "2025-01-02T00:00Z",
        "what became of it": "removed 220 rows",
    }
    (observed,) = [e.asset_observation_data.asset_observation for e in result.all_events if e.is_asset_observation]
    assert observed.asset_key == dg.AssetKey(["staging", "tenant-a", "default", "database"])
    assert observed.description == "Expired: removed 220 rows."


def test_with_nothing_expired_it_succeeds(world: World) -> None:
    result = executed(world)
    assert result.success
    assert (metadata(result)["datasets removed"], metadata(result)["datasets that stay"]) == (0, 0)


def test_a_tenant_that_is_being_seeded_is_skipped(world: World) -> None:
    """It comes again tomorrow: no failure, but said."""
    seeded(world)
    world.control.expiries = [OTHER, EXPIRED]
    world.control.acquire(OTHER.tenant_id, "staging", uuid4(), "run-9", world.finished.__contains__)
    result = executed(world)
    assert result.success
    assert [record["what became of it"].split(".")[0] for record in table(result)] == [
        "stays: lease_held",
        "removed 220 rows",
    ]


def test_a_dataset_in_use_fails_the_run_after_the_others_are_gone(world: World) -> None:
    seeded(world)
    world.control.expiries = [replace(EXPIRED, tenant="gone", tenant_id=uuid4()), EXPIRED]
    result = executed(world)
    assert not result.success
    assert metadata(result)["datasets removed"] == 1
    assert "stays: tenant_unknown" in table(result)[0]["what became of it"]
    assert world.tables.rows[TENANT.tenant_id, "customers"] == []


def test_a_database_that_is_away_is_reported_and_the_others_go_on(world: World) -> None:
    """Here one that belongs to another environment than the one it was asked for."""
    seeded(world)
    result = executed(world, "dev", "staging")
    assert not result.success
    assert {record["environment"]: record["what became of it"].split(".")[0] for record in table(result)} == {
        "staging": "removed 220 rows",
        "dev": "not known: tenant_mismatch",
    }


def test_its_schedule_is_daily_and_its_runs_count_for_the_environment(world: World) -> None:
    definitions = expiry_definitions("staging", FakeSeeding(world), "stopped")
    schedule = definitions.resolve_schedule_def(SCHEDULE_NAME)
    assert (schedule.cron_schedule, schedule.execution_timezone, schedule.job_name) == (CRON, "UTC", JOB_NAME)
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    assert definitions.resolve_job_def(JOB_NAME).tags[ENVIRONMENT_TAG] == "staging"
