"""What is still to be sealed: runs that ended without a report, reports that wait, and the head of the log."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final
from uuid import UUID

from seed_pipelines.adapters.postgres.report_log import LogCheckpoint
from seed_pipelines.adapters.postgres.reports import Evidence, Report, Verdict, Waiting
from seed_pipelines.adapters.postgres.seed_runs import SeedRun
from seed_pipelines.domain.backoff import delay_seconds
from seed_pipelines.domain.evidence import log
from seed_pipelines.domain.evidence.object_keys import checkpoint_object
from seed_pipelines.domain.manifest import Backoff
from seed_pipelines.errors import Interrupted, SeedError, WormUnavailable
from seed_pipelines.seeding.recorded_work import RecordedWork
from seed_pipelines.seeding.run_record import RunRecord
from seed_pipelines.seeding.sealing import ENVELOPE_TYPE, compose, seal, signed_envelope
from seed_pipelines.seeding.services import Services
from seed_pipelines.seeding.tracing import tell_end

logger = logging.getLogger(__name__)

_BACKOFF: Final = Backoff(base_seconds=2, jitter_factor=0.2, max_retries=0, max_interval_seconds=300)
"""Between tries, of which there is no end."""


@dataclass(frozen=True)
class SealingAttempt:
    """What became of one report of the outbox."""

    report: Report
    evidence: Evidence | None
    """None if it could not be sealed."""
    problem: Mapping[str, Any] | None
    is_overdue: bool
    """Whether its deadline had passed before."""


def report_ended_runs(services: Services, environment: str) -> Mapping[UUID, SeedError]:
    """Compose the reports of runs that ended without one: failed, stopped, or dead without a word.

    Seed run -> why it could not be reported; DatabaseUnavailable where nothing can be known.
    """
    reports, refused = services.evidence.reports, {}
    for run in reports.silent(environment):
        if not _may_go_on(services, run) and reports.end_silent(run):
            tell_end(services, run, services.control.tenant(run.tenant_id).slug, Interrupted("Nothing is heard of it."))
    for run in reports.unreported(environment):
        try:
            _compose(services, run)
        except SeedError as error:
            refused[run.seed_run_id] = error
    return refused


def seal_ended(services: Services, ended: SeedRun) -> SealingAttempt | None:
    """Report and seal a run that ended without success; None where it has nothing to report, or still goes on."""
    reports = services.evidence.reports
    run = next((run for run in reports.unreported(ended.environment) if run.seed_run_id == ended.seed_run_id), None)
    if run is not None:
        _compose(services, run)
    if services.evidence.seal_by == "sensor":
        return None
    mine = (it for it in reports.waiting(ended.environment) if it.report.seed_run_id == ended.seed_run_id)
    return next((_try(services, waiting) for waiting in mine), None)


def seal_waiting(services: Services, environment: str, *, due_only: bool = True) -> tuple[SealingAttempt, ...]:
    """Try every report of the outbox that is due, then the head of the log; what cannot be sealed is tried again, ever later.

    What became of the reports is told whatever becomes of the head.
    """
    attempts = [
        _try(services, waiting) for waiting in services.evidence.reports.waiting(environment, due_only=due_only)
    ]
    overdue = [it for it in services.evidence.reports.waiting(environment, due_only=False) if it.is_overdue]
    services.telemetry.measure("seed.sealing.overdue", len(overdue), {"seed.environment": environment})
    try:
        seal_checkpoint(services, environment)
    except SeedError as error:
        logger.warning("The head of the log of %s is not sealed yet: %s", environment, error.detail)
    return tuple(attempts)


def seal_checkpoint(services: Services, environment: str) -> LogCheckpoint | None:
    """Sign and seal the head of the log over every report up to the first that is not sealed; None if nothing is new."""
    evidence = services.evidence
    entries = evidence.log.entries(environment)
    sealed = [entry.sha256 for entry in takewhile(lambda entry: entry.version_id is not None, entries)]
    last = evidence.log.last_checkpoint(environment)
    if len(sealed) <= (last.tree_size if last else 0):
        return None
    taken = log.checkpoint(environment, sealed, services.clock())
    envelope = signed_envelope(evidence, log.checkpoint_statement(taken))
    stored = evidence.bucket.seal(checkpoint_object(taken, envelope), envelope, ENVELOPE_TYPE, {}, is_new=True)
    checkpoint = LogCheckpoint(taken.tree_size, taken.root, envelope, stored.key, stored.version_id)
    evidence.log.record_checkpoint(environment, checkpoint)
    return checkpoint


def probe(services: Services, environment: str) -> None:
    """Try the bucket and keep what was found, for runs that may not write into it themselves."""
    try:
        services.evidence.bucket.preflight()
    except WormUnavailable as error:
        services.evidence.log.record_probe(environment, error.problem())
        raise
    services.evidence.log.record_probe(environment, None)


def _try(services: Services, waiting: Waiting) -> SealingAttempt:
    report = waiting.report
    try:
        return SealingAttempt(report, seal(services, report), None, waiting.is_overdue)
    except SeedError as error:
        pause = delay_seconds(_BACKOFF, waiting.tries, str(report.seed_run_id))
        services.evidence.reports.postpone(report, error.problem(), pause)
        return SealingAttempt(report, None, error.problem(), waiting.is_overdue)


def _may_go_on(services: Services, run: SeedRun) -> bool:
    """Whether others of the seed run may still come: a backfill has gaps in which nobody holds its lease."""
    return run.origin.startswith("backfill:") and not services.holder_finished(run.origin)


def _compose(services: Services, run: SeedRun) -> None:
    record = RunRecord.of(services, run)
    compose(record, RecordedWork.of(record), _verdict(run))


def _verdict(run: SeedRun) -> Verdict:
    if run.status not in ("failed", "aborted", "partial"):
        raise LookupError(f"seed run {run.seed_run_id} is {run.status} and has no report")
    return run.status
