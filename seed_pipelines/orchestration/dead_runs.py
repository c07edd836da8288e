"""Runs that died without a word: nobody keeps their lease alive, and Dagster takes them to be at work.

Dagster frees the slots of runs that it knows to be over. A process that was killed leaves its run as started: it may hold
a slot of its tenant's pool, for which every later run would wait, and it counts against the environment's limit.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import dagster as dg
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter

from seed_pipelines.errors import SeedError
from seed_pipelines.orchestration.manifest_jobs import ENVIRONMENT_TAG, TENANT_TAG, ManifestJob
from seed_pipelines.orchestration.resources import Seeding
from seed_pipelines.orchestration.runs import origin_of
from seed_pipelines.seeding.services import Services

_AT_WORK: Final = (
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
)
_REASON: Final = (
    "The run stopped keeping its lease alive and counts as dead; whatever it had not committed was rolled back."
)


def end_dead_runs(job: ManifestJob, services: Services, instance: DagsterInstance) -> tuple[str, ...]:
    """Fail the dead runs of the job's tenant and free the slots they hold; the ids of those runs.

    A run is dead when it began longer ago than a lease lives without a heartbeat and does not hold the lease of its
    tenant. A takeover would have fenced it out: it can write nothing any more.
    """
    environment, tenant, _ = job.identity
    slots = instance.event_log_storage.get_concurrency_info(job.pool).claimed_slots
    tags = {TENANT_TAG: tenant, ENVIRONMENT_TAG: environment}
    unfinished = instance.get_runs(RunsFilter(tags=tags, statuses=_AT_WORK))
    suspects = {slot.run_id: instance.get_run_by_id(slot.run_id) for slot in slots}
    suspects |= {run.run_id: run for run in unfinished}
    if not suspects:
        return ()
    holder = services.control.lease_holder(services.control.tenant(tenant).tenant_id, environment)
    dead = [run_id for run_id, run in suspects.items() if _is_dead(run, run_id, holder, instance, services)]
    for run_id in dead:
        run = suspects[run_id]
        if run is not None and not run.is_finished:
            instance.report_run_failed(run, _REASON)
        instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    return tuple(dead)


def dead_run_sensor(jobs: Sequence[ManifestJob], seeding: Seeding) -> dg.SensorDefinition:
    """A sensor that ends dead runs of the location's tenants, so that whoever waits for their slots goes on."""

    @dg.sensor(
        name="end_dead_runs",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Fails runs whose process died and frees the pool slots they hold, so that later runs do not wait.",
    )
    def end_dead(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        by_pool = {job.pool: job for job in jobs}
        ended: list[str] = []
        for job in by_pool.values():
            try:
                services = seeding.services(job.identity[0], context.instance)
                ended.extend(end_dead_runs(job, services, context.instance))
            except SeedError as error:
                context.log.warning("%s: %s", job.job_name, error.detail)
        return dg.SkipReason(f"Ended {', '.join(ended)}." if ended else "No run is dead.")

    return end_dead


def _is_dead(
    run: DagsterRun | None, run_id: str, holder: str | None, instance: DagsterInstance, services: Services
) -> bool:
    if run is None or run.is_finished:
        return True
    if origin_of(run_id, run.tags) == holder:
        return False
    record = instance.get_run_record_by_id(run_id)
    if record is None:
        return True
    now = services.clock()
    # One that has not started yet may have waited in the queue since it was created: it changed when it left it.
    began = record.update_timestamp if record.start_time is None else datetime.fromtimestamp(record.start_time, UTC)
    # One that began in the future was started where the clock was wrong.
    return abs((now - began.astimezone(UTC)).total_seconds()) > services.lease_ttl_seconds
