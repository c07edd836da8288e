"""Runs that cannot go on in their window: each is put to the next one, once.

A step that is refused says in a tag of its run when the window opens next; a sensor launches the run anew then. Outside the
window, only runs that were put into Dagster's queue while it was open are deferred: whoever launches one later, or by a
command, is told so at once. Runs that a stub went on refusing with 429 are deferred however they were started.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg
from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

from seed_pipelines.domain.window import contains, last_opening, next_opening
from seed_pipelines.errors import OutsideWindow, RateLimited
from seed_pipelines.orchestration.manifest_jobs import MANIFEST_TAG, ManifestJob
from seed_pipelines.orchestration.resources import Seeding
from seed_pipelines.orchestration.runs import failed_steps
from seed_pipelines.orchestration.schedules import stamp

DEFERRED_TO: Final = "seed/deferred_to"
"""On the refused run: when the window opens at which it is launched anew."""
DEFERRED_FROM: Final = "seed/deferred_from"
"""On the run that was launched anew: the id of the refused one."""

_PARTITIONS: Final = (PARTITION_NAME_TAG, ASSET_PARTITION_RANGE_START_TAG, ASSET_PARTITION_RANGE_END_TAG)
_WINDOWS_LOOKED_BACK: Final = 3
"""A daemon that was down in the window that a run was put to launches it in one of the next."""


def defer(
    instance: DagsterInstance, run: DagsterRun, job: ManifestJob, now: datetime, refusal: OutsideWindow | RateLimited
) -> datetime | None:
    """Put a run that was refused at `now` to the next window; when that opens, None where it is not to be deferred."""
    if DEFERRED_FROM in run.tags or (isinstance(refusal, OutsideWindow) and not _waited(instance, run, job)):
        return None
    opening = next_opening(job.manifest.window, now)
    instance.add_run_tags(run.run_id, {DEFERRED_TO: stamp(opening)})
    return opening


def _waited(instance: DagsterInstance, run: DagsterRun, job: ManifestJob) -> bool:
    """Whether a run was in Dagster's queue while the window was open."""
    record = instance.get_run_record_by_id(run.run_id)
    queued = instance.get_records_for_run(run.run_id, of_type=DagsterEventType.PIPELINE_ENQUEUED, limit=1).records
    return (
        record is not None and bool(queued) and contains(job.manifest.window, record.create_timestamp.astimezone(UTC))
    )


def deferral_sensor(
    jobs: Sequence[ManifestJob], targets: Sequence[UnresolvedAssetJobDefinition], seeding: Seeding
) -> dg.SensorDefinition:
    """A sensor that launches deferred runs when their window opens; `targets` are the Dagster jobs of `jobs`."""

    @dg.sensor(
        name="begin_deferred_runs",
        jobs=targets,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Launches again, once, what waited in the queue until its off-peak window had closed, or what a stub went on "
            f"refusing: those runs failed with outside_window or rate_limited and carry the tag {DEFERRED_TO}. The new run "
            f"carries {DEFERRED_FROM}."
        ),
    )
    def begin_deferred(context: dg.SensorEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        openings: dict[str, list[ManifestJob]] = {}
        now = seeding.now()
        for job in jobs:
            if contains(job.manifest.window, now):
                opening = last_opening(job.manifest.window, now)
                for days in range(_WINDOWS_LOOKED_BACK):
                    openings.setdefault(stamp(opening - timedelta(days=days)), []).append(job)
        requests = [
            request
            for run in _waiting(context.instance, sorted(openings))
            for job in openings[run.tags[DEFERRED_TO]]
            if (request := _request(context.instance, run, job)) is not None
        ]
        return requests or dg.SkipReason("No deferred run's window has opened.")

    return begin_deferred


def _waiting(instance: DagsterInstance, openings: Sequence[str]) -> Iterator[DagsterRun]:
    """Refused runs that were put to one of these openings and not launched anew."""
    if not openings:
        return
    refused = instance.get_runs(RunsFilter(tags={DEFERRED_TO: openings}, statuses=[DagsterRunStatus.FAILURE]))
    ids = [run.run_id for run in refused]
    again = instance.get_runs(RunsFilter(tags={DEFERRED_FROM: ids})) if ids else []
    done = {run.tags[DEFERRED_FROM] for run in again}
    yield from (run for run in reversed(refused) if run.run_id not in done)


def _request(instance: DagsterInstance, run: DagsterRun, job: ManifestJob) -> dg.RunRequest | None:
    """What a refused run asked of a manifest's job; None where no step of that very manifest was refused so."""
    refused = failed_steps(instance, run.run_id)
    codes = {refused.get(job.step_name(step), {}).get("code") for step in job.steps}
    if not codes & {OutsideWindow.code, RateLimited.code}:
        return None
    if run.tags.get(MANIFEST_TAG, job.tags[MANIFEST_TAG]) != job.tags[MANIFEST_TAG]:
        return None
    selected, checks = run.asset_selection, run.asset_check_selection if run.asset_selection else None
    return dg.RunRequest(
        run_key=f"deferred:{run.run_id}:{job.slug}",
        job_name=job.job_name,
        asset_selection=sorted(key for key in selected if job.has(key)) if selected else None,
        asset_check_keys=None if checks is None else sorted(key for key in checks if job.has(key.asset_key)),
        tags={DEFERRED_FROM: run.run_id, **{tag: run.tags[tag] for tag in _PARTITIONS if tag in run.tags}},
    )
