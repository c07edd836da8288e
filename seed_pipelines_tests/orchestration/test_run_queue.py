"""Runs of Dagster's queue, as the API shows them."""

from uuid import uuid4

import pytest
from dagster import DagsterInstance

from seed_pipelines.orchestration.code_location import build_definitions
from seed_pipelines.orchestration.run_queue import RunQueue
from seed_pipelines_tests.orchestration.dagster_worlds import FakeSeeding, job_of
from seed_pipelines_tests.worlds import World, manifest


@pytest.mark.parametrize(("asked_to_end", "state"), [(True, "aborted"), (False, "failed")])
def test_a_run_that_was_cancelled_while_it_began_is_aborted(world: World, asked_to_end: bool, state: str) -> None:
    """Dagster fails it: the process that was being started finds it cancelled and does nothing."""
    job, seeding = job_of(world, manifest(in_catalogue=world.catalogue)), FakeSeeding(world)
    with DagsterInstance.ephemeral() as instance:
        definition = build_definitions([job], seeding).resolve_job_def(job.job_name)
        run = instance.create_run_for_job(definition, run_id=str(uuid4()), tags=job.tags)
        if asked_to_end:
            instance.report_run_canceling(run)
        instance.report_run_failed(run)
        found = RunQueue(instance, seeding, world.catalogue).find(run.run_id)
    assert found is not None
    assert (found.state, found.problem) == (state, None)
