"""What a run tells those who watch: a span for each step and one for the whole, how long it took and how it ended."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal
from uuid import UUID

from seed_pipelines.adapters.postgres.reports import Report
from seed_pipelines.adapters.postgres.seed_runs import SeedRun
from seed_pipelines.domain.entities import Entity
from seed_pipelines.domain.plan import Shard
from seed_pipelines.domain.tracing import Trace
from seed_pipelines.errors import Interrupted, SeedError
from seed_pipelines.seeding.run_record import RunRecord
from seed_pipelines.seeding.services import Services
from seed_pipelines.seeding.telemetry import Attributes

Step = Literal["generate", "load", "check", "seal"]


@contextmanager
def traced(record: RunRecord, step: Step, shard: Shard, entity: Entity | None = None) -> Iterator[None]:
    """A span around a step of a run for one shard, which says whether it went well."""
    run, of_entity = record.run, {} if entity is None else {"seed.entity": entity.name}
    place = {"seed.environment": run.environment, "seed.tenant": record.tenant.slug}
    more = {"seed.run_id": str(run.seed_run_id), "seed.profile": run.profile, "seed.shard": shard.key}
    with _measured(record.services, _trace(run.seed_run_id, run.attempt), step, place | of_entity, more):
        yield


@contextmanager
def traced_sealing(services: Services, report: Report, tenant: str) -> Iterator[None]:
    """A span around sealing the report of a run, be it by the run itself or by the sensor."""
    place = {"seed.environment": report.environment, "seed.tenant": tenant}
    more: Attributes = {"seed.run_id": str(report.seed_run_id), "seed.report": report.sequence}
    with _measured(services, _trace(report.seed_run_id, report.attempt), "seal", place, more):
        yield


def tell_end(services: Services, run: SeedRun, tenant: str, outcome: str | BaseException) -> None:
    """A run is over: its verdict, or what ended it."""
    place = {"seed.environment": run.environment, "seed.tenant": tenant}
    more = {"seed.run_id": str(run.seed_run_id), "seed.profile": run.profile, "seed.mode": run.mode}
    code = code_of(outcome) if isinstance(outcome, BaseException) else None
    seconds = max(0.0, (services.clock() - run.started_at).total_seconds())
    trace = _trace(run.seed_run_id, run.attempt)
    services.telemetry.run(
        trace, run.started_at, seconds, {**place, **more, "seed.outcome": code or str(outcome)}, code
    )
    services.telemetry.measure("seed.outcomes", 1, {**place, "seed.outcome": code or str(outcome)})


def tell_refusal(services: Services, environment: str, error: BaseException) -> None:
    """A request never became a run."""
    services.telemetry.measure("seed.outcomes", 1, {"seed.environment": environment, "seed.outcome": code_of(error)})


def code_of(error: BaseException) -> str:
    """What a run ended by in one word: the code of its problem, or the kind of an error that has none."""
    if isinstance(error, SeedError):
        return error.code
    return type(error).__name__ if isinstance(error, Exception) else Interrupted.code


@contextmanager
def _measured(services: Services, trace: Trace, step: Step, place: Attributes, more: Attributes) -> Iterator[None]:
    began, started, code = services.clock(), time.monotonic(), None
    try:
        yield
    except BaseException as error:
        code = code_of(error)
        raise
    finally:
        seconds = time.monotonic() - started
        services.telemetry.span(trace, step, began, seconds, {**place, **more}, code)
        services.telemetry.measure("seed.step.duration", seconds, {**place, "seed.step": step})


def _trace(seed_run_id: UUID, attempt: int) -> Trace:
    return Trace.of_attempt(seed_run_id.hex, attempt)
