"""Runs that died without a word: they hold a slot of their tenant's pool, and nobody keeps their lease alive.

Dagster frees the slots of runs that it knows to be over. A process that was killed leaves its run as started, and every
later run of the tenant would wait for its slot.
"""

from collections.abc import Sequence
from datetime import datetime

import dagster as dg
from dagster import DagsterInstance, DagsterRun

from seed_pipelines.errors import SeedError
from seed_pipelines.orchestration.manifest_jobs import ManifestJob
from seed_pipelines.orchestration.resources import Seeding
from seed_pipelines.orchestration.runs import origin_of
from seed_pipelines.seeding.services import Services

_REASON = "The run stopped keeping its lease alive and counts as dead; whatever it had not committed was rolled back."


def end_dead_runs(job: ManifestJob, services: Services, instance: DagsterInstance) -> tuple[str, ...]:
    """Fail the dead runs that hold slots of the job's pool and free the slots; the ids of those runs.

    A run is dead when it began longer ago than a lease lives without a heartbeat and does not hold the lease of its
    tenant. A takeover would have fenced it out: it can write nothing any more.
    """
    environment, tenant, _ = job.identity
    slots = instance.event_log_storage.get_concurrency_info(job.pool).claimed_slots
    suspects = {slot.run_id: instance.get_run_by_id(slot.run_id) for slot in slots}
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
    if record is None or record.start_time is None:
        return False
    alive_since = services.clock() - datetime.fromtimestamp(record.start_time, services.clock().tzinfo)
    return alive_since.total_seconds() > services.lease_ttl_seconds
