"""What every step does around its work: enter the seed run, keep the lease alive, translate how it ended for Dagster."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from logging import Logger
from typing import Any

import dagster as dg

from seed_pipelines.domain.backoff import delay_seconds
from seed_pipelines.domain.plan import Shard
from seed_pipelines.errors import DependencyUnavailable, ManifestHashMismatch, OutsideWindow, RateLimited, SeedError
from seed_pipelines.orchestration.deferral import defer
from seed_pipelines.orchestration.manifest_jobs import EVIDENCE, IDEMPOTENCY_KEY_TAG, ORDERED_MANIFEST_TAG, ManifestJob
from seed_pipelines.orchestration.resources import Seeding
from seed_pipelines.orchestration.runs import (
    PROBLEM_METADATA,
    is_of_backfill,
    key_of_launch,
    last_step,
    origin_of,
    selected_shards,
    shards_asked_for,
)
from seed_pipelines.orchestration.schedules import stamp
from seed_pipelines.seeding.budget import charge_keys
from seed_pipelines.seeding.ending import abandon, give_up
from seed_pipelines.seeding.request import SeedRequest
from seed_pipelines.seeding.sealing import SealedReport, finish
from seed_pipelines.seeding.seed_run import Session, enter, held
from seed_pipelines.seeding.services import Services

Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext


@dataclass(frozen=True)
class Step:
    """One step at work: the seed run it entered and the shards it is for."""

    session: Session
    shards: tuple[Shard, ...]


@contextmanager
def seed_step(context: Context, job: ManifestJob, seeding: Seeding, step: str) -> Iterator[Step]:
    """Enter the seed run for one step; the last one ends it. Errors become Dagster failures with Problem Details."""
    services = seeding.services(job.identity[0], context.instance)
    with services.connections_kept(), _entered(context, job, seeding, services, step) as entered:
        yield entered


@contextmanager
def _entered(context: Context, job: ManifestJob, seeding: Seeding, services: Services, step: str) -> Iterator[Step]:
    request = _request(context, job, seeding)
    shared = is_of_backfill(context.run.tags)
    try:
        shards = _shards(context, job, step)
        session = enter(services, request)
    except BaseException as error:
        give_up(services, request, job.identity[2], error, keep_lease=shared)
        if isinstance(error, OutsideWindow):
            _defer(context, job, services, error)
        if isinstance(error, SeedError):
            raise failure(context.log, error) from error
        raise
    try:
        with held(session):
            if shards:
                charge_keys(session, shards[0])
            yield Step(session, shards)
            if step == last_step(job, context.run) and step != EVIDENCE:
                conclude(context, session, len(shards))
    except DependencyUnavailable as error:
        _retry_or_abandon(context, session, error)
    except SeedError as error:
        abandon(session, error, keep_lease=shared)
        if isinstance(error, RateLimited):
            _defer(context, job, services, error)
        raise failure(context.log, error) from error
    except BaseException as error:
        abandon(session, error, keep_lease=shared)
        raise


def failure(log: Logger, error: SeedError, *, allow_retries: bool = False) -> dg.Failure:
    """The Dagster failure of an error, its Problem Details in the log and as metadata; `allow_retries` by Dagster itself."""
    problem = json.dumps(error.problem(), default=str)
    log.error("Problem Details: %s", problem)
    metadata: Mapping[str, Any] = {
        PROBLEM_METADATA: dg.MetadataValue.json(json.loads(problem)),
        "exit_code": error.exit_code,
    }
    return dg.Failure(description=f"{error.title}. {error.detail}", metadata=metadata, allow_retries=allow_retries)


def _defer(context: Context, job: ManifestJob, services: Services, refusal: OutsideWindow | RateLimited) -> None:
    opening = defer(context.instance, context.run, job, services.clock(), refusal)
    if opening is not None:
        context.log.warning("%s It is launched anew, once, at %s, by the daemon.", refusal.detail, stamp(opening))


def _request(context: Context, job: ManifestJob, seeding: Seeding) -> SeedRequest:
    environment, tenant, _ = job.identity

    here = job.manifest.integrity.manifest_hash
    ordered = context.run.tags.get(ORDERED_MANIFEST_TAG, here)

    def manifest() -> Any:
        if ordered != here:
            raise ManifestHashMismatch(
                f"The run was ordered for manifest {ordered}, and {here} is deployed here: order it anew.",
                expected=ordered,
                actual=here,
            )
        if job.path is None:
            return job.manifest
        found = seeding.read_manifest(job.path)
        if found.integrity.manifest_hash != here:
            raise ManifestHashMismatch(
                f"{job.path} was changed after this code location was loaded: reload the location and launch again."
            )
        return found

    origin = origin_of(context.run.run_id, context.run.tags)
    return SeedRequest(
        origin=origin,
        tenant=tenant,
        environment=environment,
        read_manifest=manifest,
        idempotency_key=context.run.tags.get(IDEMPOTENCY_KEY_TAG, key_of_launch(origin)),
    )


def _shards(context: Context, job: ManifestJob, step: str) -> tuple[Shard, ...]:
    """What the run is for; nothing where it is for the evidence alone, which is of all shards together."""
    alone = step == EVIDENCE and context.run.asset_selection == {job.key(EVIDENCE)}
    return () if alone else selected_shards(context.run.tags, job.plan, job.job_name)


def conclude(context: Context, session: Session, shards_of_run: int) -> SealedReport | None:
    """End the seed run with its last step: reported and sealed, where every shard it was asked for has passed.

    None where others of its shards are still to come, and for a run of some assets only.
    """
    reports = session.services.control.shard_reports(session.run.seed_run_id)
    wanted = shards_asked_for(context.instance, session.run.origin, shards_of_run)
    if wanted and len(reports) >= wanted:
        return finish(session)
    if not is_of_backfill(context.run.tags):
        session.finish("partial")
    return None


def _retry_or_abandon(context: Context, session: Session, error: DependencyUnavailable) -> None:
    backoff = session.manifest.backoff
    attempt = context.op_execution_context.retry_number
    if attempt < backoff.max_retries:
        wait = delay_seconds(backoff, attempt, context.run.run_id)
        context.log.warning("%s Trying again in %.1f s.", error.detail, wait)
        raise dg.RetryRequested(max_retries=backoff.max_retries, seconds_to_wait=wait) from error
    abandon(session, error, keep_lease=is_of_backfill(context.run.tags))
    raise failure(context.log, error) from error
