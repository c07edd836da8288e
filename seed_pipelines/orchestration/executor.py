"""The executor of the manifests' jobs: all steps in the run's own process, and the seed run ends with a run that is stopped.

Dagster interrupts a step at work, which ends its seed run itself. Between two steps there is none to do that: without this, the
seed run would count as running until its lease expires, and then as one whose process died.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import cast

import dagster as dg
from dagster import DagsterEvent, DagsterExecutionInterruptedError, DagsterRun
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.executor.base import Executor
from dagster._core.executor.in_process import InProcessExecutor

from seed_pipelines.errors import SeedError
from seed_pipelines.orchestration.manifest_jobs import ManifestJob
from seed_pipelines.orchestration.resources import Seeding
from seed_pipelines.orchestration.runs import is_of_backfill, origin_of
from seed_pipelines.seeding.ending import end_stopped


def seed_executor(jobs: Sequence[ManifestJob], seeding: Seeding) -> dg.ExecutorDefinition:
    """Dagster's in-process executor, name and configuration included, with that one addition."""
    plain = dg.in_process_executor
    creation = cast("Callable[[dg.InitExecutorContext], InProcessExecutor]", plain.executor_creation_fn)

    def create(context: dg.InitExecutorContext) -> Executor:
        return _EndsSeedRuns(creation(context), jobs, seeding)

    return dg.ExecutorDefinition(
        name=plain.name,
        config_schema=plain.config_schema.as_field(),
        executor_creation_fn=create,
        description=plain.description,
    )


class _EndsSeedRuns(InProcessExecutor):
    def __init__(self, plain: InProcessExecutor, jobs: Sequence[ManifestJob], seeding: Seeding) -> None:
        super().__init__(plain.retries, plain.step_dependency_config, plain.marker_to_close)
        self._jobs = jobs
        self._seeding = seeding

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        """Run the steps; an interruption is passed on once the seed runs have ended."""
        try:
            yield from super().execute(plan_context, execution_plan)
        except (KeyboardInterrupt, DagsterExecutionInterruptedError) as interruption:
            self._end(plan_context, interruption)
            raise

    def _end(self, plan_context: PlanOrchestrationContext, interruption: BaseException) -> None:
        run = plan_context.dagster_run
        for job in self._jobs:
            if not _is_part(job, run):
                continue
            services = self._seeding.services(job.identity[0], plan_context.instance)
            origin, shared = origin_of(run.run_id, run.tags), is_of_backfill(run.tags)
            try:
                end_stopped(services, origin, job.identity, interruption, keep_lease=shared)
            except SeedError as beyond:
                plan_context.log.warning("The end of the seed run could not be recorded: %s", beyond.detail)


def _is_part(job: ManifestJob, run: DagsterRun) -> bool:
    """Whether a run makes assets of a manifest, or checks them."""
    made = run.asset_selection or ()
    checked = [check.asset_key for check in run.asset_check_selection or ()]
    return job.job_name == run.job_name or any(map(job.has, (*made, *checked)))
