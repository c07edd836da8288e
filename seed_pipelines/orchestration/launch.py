"""Run a manifest's job in this process, recorded in the Dagster instance like any other run."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.execution.plan.objects import StepFailureData
from dagster_shared.error import SerializableErrorInfo

from seed_pipelines.errors import DatabaseUnavailable, Interrupted, SeedError
from seed_pipelines.orchestration.code_location import build_definitions
from seed_pipelines.orchestration.dead_runs import end_dead_runs
from seed_pipelines.orchestration.manifest_jobs import ManifestJob
from seed_pipelines.orchestration.resources import Seeding
from seed_pipelines.orchestration.runs import partition_tags, problem_of

_REPOSITORY_TAG: Final = ".dagster/repository"
_STORAGE_AWAY: Final = {"OperationalError", "InterfaceError", "DatabaseError", "DagsterPostgresException"}
"""What Dagster's storage raises in a step when its server goes away; our own databases are translated where they are used.

psycopg2 has a DatabaseError that is of no other kind where a connection ends in the middle of a statement.
"""
_QUIET: Final = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def launch(job: ManifestJob, seeding: Seeding, instance: DagsterInstance, run_id: str) -> Mapping[str, Any] | None:
    """Seed every shard of a manifest in one Dagster run; the Problem Details of its failure, None if it succeeded."""
    end_dead_runs(job, seeding.services(job.identity[0], instance), instance)
    definitions = build_definitions([job], seeding)
    result = definitions.resolve_job_def(job.job_name).execute_in_process(
        run_config=_QUIET,
        instance=instance,
        run_id=run_id,
        tags={**partition_tags(job.plan), _REPOSITORY_TAG: f"__repository__@{job.identity[0]}"},
        raise_on_error=False,
    )
    if result.success:
        return None
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    run = instance.get_run_by_id(run_id)
    if _was_stopped(failures) or (run is not None and run.status is DagsterRunStatus.CANCELED):
        return Interrupted("The run was stopped; what it had not committed was rolled back.").problem()
    of_steps = [failure.error for failure in failures]
    of_run = [event.job_failure_data.error for event in result.all_events if event.is_job_failure]
    unexplained = _unexplained(run_id, [error for error in of_steps or of_run if error is not None])
    return next((found for failure in failures if (found := problem_of(failure)) is not None), unexplained)


def _was_stopped(failures: Sequence[StepFailureData]) -> bool:
    return any(f.error and f.error.cls_name == DagsterExecutionInterruptedError.__name__ for f in failures)


def _unexplained(run_id: str, errors: Sequence[SerializableErrorInfo]) -> Mapping[str, Any]:
    # What Dagster's storage raises between the lines of a step is wrapped in nothing.
    names = {(error.cause or error).cls_name or "" for error in errors}
    if names and names <= _STORAGE_AWAY:
        return DatabaseUnavailable(
            f"Dagster's storage went away in the middle of a step ({', '.join(sorted(names))}): see run {run_id}."
        ).problem()
    return SeedError(
        f"{', '.join(sorted(names)) or 'No reason was recorded'}: see the log of Dagster run {run_id}."
    ).problem()
