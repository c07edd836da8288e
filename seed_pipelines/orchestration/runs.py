"""What a Dagster run says of itself: which shards it is for, which seed run it belongs to, whether it is over."""

from collections.abc import Mapping
from typing import Any, Final

from dagster import DagsterEventType, DagsterInstance, DagsterRun, JsonMetadataValue, RunsFilter
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES
from dagster._core.execution.plan.objects import StepFailureData
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    BACKFILL_ID_TAG,
    PARTITION_NAME_TAG,
)

from seed_pipelines.domain.plan import Plan, Shard
from seed_pipelines.errors import PartitionsNotSelected
from seed_pipelines.orchestration.manifest_jobs import CHECKS_STEP, DATABASE, ManifestJob

PROBLEM_METADATA: Final = "problem"
"""Key of the failure metadata that holds the Problem Details."""

_BACKFILL = "backfill:"


def selected_shards(tags: Mapping[str, str], plan: Plan, job_name: str) -> tuple[Shard, ...]:
    """The shards that a run's partition tags name; PartitionsNotSelected where they name none or no such shard.

    Dagster checks neither that a partitioned job has a tag nor that the tag's partition exists.
    """
    named = _named_partitions(tags)
    unknown = [key for key in named if key not in plan.shard_keys]
    if unknown:
        raise PartitionsNotSelected(
            f"{job_name} has no partition {', '.join(unknown)}; it has {_range_text(plan)}.",
            partitions=list(plan.shard_keys[:100]),
        )
    if len(named) == 1:
        return (plan.shard(named[0]),)
    if len(named) == 2:
        first, last = (plan.shard_keys.index(key) for key in named)
        return plan.shards[min(first, last) : max(first, last) + 1]
    if len(plan.shards) == 1:
        return plan.shards
    first_key, last_key = plan.shard_keys[0], plan.shard_keys[-1]
    everything = {ASSET_PARTITION_RANGE_START_TAG: first_key, ASSET_PARTITION_RANGE_END_TAG: last_key}
    raise PartitionsNotSelected(
        f"{job_name} has {len(plan.shards)} partitions, {_range_text(plan)}: say which with --tags "
        f'\'{{"{PARTITION_NAME_TAG}": "{first_key}"}}\' for one, or all with --tags '
        f'\'{{"{ASSET_PARTITION_RANGE_START_TAG}": "{first_key}", "{ASSET_PARTITION_RANGE_END_TAG}": "{last_key}"}}\'.',
        tags=everything,
    )


def partition_tags(plan: Plan) -> dict[str, str]:
    """The tags of a run over every shard of a plan."""
    if len(plan.shards) == 1:
        return {PARTITION_NAME_TAG: plan.shard_keys[0]}
    return {
        ASSET_PARTITION_RANGE_START_TAG: plan.shard_keys[0],
        ASSET_PARTITION_RANGE_END_TAG: plan.shard_keys[-1],
    }


def key_of_launch(origin: str) -> str:
    """The idempotency key of a launch for which nobody named one: its retries share it, and nothing else does."""
    return f"dagster:{origin}"


def origin_of(run_id: str, tags: Mapping[str, str]) -> str:
    """The seed run a Dagster run belongs to: its backfill's, or its own."""
    return _BACKFILL + tags[BACKFILL_ID_TAG] if BACKFILL_ID_TAG in tags else run_id


def is_of_backfill(tags: Mapping[str, str]) -> bool:
    """Whether a run is one of a backfill's."""
    return BACKFILL_ID_TAG in tags


def is_finished(instance: DagsterInstance, origin: str) -> bool:
    """Whether Dagster knows that nobody works for this origin any more; False where it does not know it."""
    if origin.startswith(_BACKFILL):
        backfill_id = origin.removeprefix(_BACKFILL)
        backfill = instance.get_backfill(backfill_id)
        if backfill is None or backfill.status not in BULK_ACTION_TERMINAL_STATUSES:
            return False
        unfinished = RunsFilter(tags={BACKFILL_ID_TAG: backfill_id}, statuses=NOT_FINISHED_STATUSES)
        return instance.get_runs_count(unfinished) == 0
    run = instance.get_run_by_id(origin)
    return run is not None and run.is_finished


def last_step(job: ManifestJob, run: DagsterRun) -> str:
    """The name of the last of the manifest's steps that a run is for: an asset's, or CHECKS_STEP."""
    if run.asset_selection is None:
        return job.steps[-1]
    selected = {key.path[-1] for key in run.asset_selection if key == job.key(key.path[-1])}
    checked = run.asset_check_selection
    if DATABASE in selected if checked is None else any(check.asset_key == job.key(DATABASE) for check in checked):
        selected.add(CHECKS_STEP)
    return next((step for step in reversed(job.steps) if step in selected), job.steps[-1])


def failed_steps(instance: DagsterInstance, run_id: str) -> Mapping[str, Mapping[str, Any]]:
    """Failed step of a run -> its Problem Details; none where it failed for a reason of another kind."""
    found = {}
    for record in instance.get_records_for_run(run_id, of_type=DagsterEventType.STEP_FAILURE).records:
        event = record.event_log_entry.dagster_event
        if event is not None and event.step_key is not None:
            found[event.step_key] = problem_of(event.step_failure_data) or {}
    return found


def problem_of(failure: StepFailureData) -> Mapping[str, Any] | None:
    """The Problem Details of a failed step, if it has any."""
    metadata = failure.user_failure_data.metadata if failure.user_failure_data else {}
    value = metadata.get(PROBLEM_METADATA)
    return value.value if isinstance(value, JsonMetadataValue) and isinstance(value.value, dict) else None


def shards_asked_for(instance: DagsterInstance, origin: str, run_shards: int) -> int | None:
    """How many shards a seed run is for, over all its Dagster runs; None where Dagster cannot say."""
    if not origin.startswith(_BACKFILL):
        return run_shards
    backfill = instance.get_backfill(origin.removeprefix(_BACKFILL))
    if backfill is None:
        return run_shards
    if backfill.partition_names is not None:
        return len(backfill.partition_names)
    return backfill.asset_backfill_data.get_num_partitions() if backfill.asset_backfill_data else None


def _named_partitions(tags: Mapping[str, str]) -> tuple[str, ...]:
    if PARTITION_NAME_TAG in tags:
        return (tags[PARTITION_NAME_TAG],)
    ends = tuple(tags[tag] for tag in (ASSET_PARTITION_RANGE_START_TAG, ASSET_PARTITION_RANGE_END_TAG) if tag in tags)
    return ends if len(ends) == 2 else ()


def _range_text(plan: Plan) -> str:
    keys = plan.shard_keys
    return keys[0] if len(keys) == 1 else f"{keys[0]} to {keys[-1]}"
