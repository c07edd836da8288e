"""Schedules: each manifest once in every off-peak window, all its shards in one run."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

import dagster as dg

from seed_pipelines.domain.daily_start import cron, daily_start, delay, spread
from seed_pipelines.domain.window import contains, last_opening, next_opening
from seed_pipelines.orchestration.manifest_jobs import ManifestJob
from seed_pipelines.orchestration.resources import Seeding
from seed_pipelines.orchestration.runs import partition_tags

InitialState = Literal["stopped", "running"]
"""Whether schedules run before anybody has started or stopped them in the UI."""

STATES: Final = {"stopped": dg.DefaultScheduleStatus.STOPPED, "running": dg.DefaultScheduleStatus.RUNNING}


def off_peak_schedules(
    jobs: Sequence[ManifestJob], seeding: Seeding, initially: InitialState
) -> list[dg.ScheduleDefinition]:
    """A schedule for each manifest, at a minute of its own in the first part of its window."""
    return [_off_peak(job, seeding, initially) for job in jobs]


def schedule_name(job: ManifestJob) -> str:
    """The schedule of a manifest."""
    return f"off_peak__{job.slug}"


def stamp(moment: datetime) -> str:
    """A moment as run keys and tags have it."""
    return f"{moment:%Y-%m-%dT%H:%MZ}"


def _off_peak(job: ManifestJob, seeding: Seeding, initially: InitialState) -> dg.ScheduleDefinition:
    window, start = job.manifest.window, daily_start(job.manifest.window, job.identity)

    @dg.schedule(
        name=schedule_name(job),
        job_name=job.job_name,
        cron_schedule=cron(start),
        execution_timezone="UTC",
        default_status=STATES[initially],
        description=_description(job),
    )
    def begin(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        now = seeding.now()
        opening = last_opening(window, context.scheduled_execution_time)
        if not contains(window, now) or last_opening(window, now) != opening:
            return dg.SkipReason(
                f"The window that opened at {stamp(opening)} had closed when this was to be launched, at {stamp(now)}: "
                f"Dagster's daemon was down or late. The next one opens at {stamp(next_opening(window, now))}."
            )
        return dg.RunRequest(run_key=f"window:{stamp(opening)}", tags=partition_tags(job.plan))

    return begin


def _description(job: ManifestJob) -> str:
    environment, tenant, profile = job.identity
    window = job.manifest.window
    wait, starts = (round(found.total_seconds() / 60) for found in (delay(window, job.identity), spread(window)))
    shards = "its shard" if len(job.plan.shards) == 1 else f"all {len(job.plan.shards):,} shards in one run"
    return (
        f"Seeds {tenant} in {environment} (profile {profile}) once in every off-peak window, "
        f"{window.start_utc:%H:%M} to {window.end_utc:%H:%M} UTC, {wait} minutes after it opens: starts are spread over its "
        f"first {starts} minutes, so that tenants do not all begin at once. Runs {job.job_name} for {shards}, "
        f"{job.plan.total_rows:,} rows. A run that is still in the queue when the window closes is put to the next one, once."
    )
