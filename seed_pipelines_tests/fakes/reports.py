"""Reports, the outbox and the log of an environment in memory."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from seed_pipelines.adapters.postgres.leases import Lease
from seed_pipelines.adapters.postgres.report_log import LogCheckpoint, LogEntry, Probe
from seed_pipelines.adapters.postgres.reports import Draft, Evidence, LogPosition, Report, Verdict, Waiting
from seed_pipelines.adapters.postgres.seed_runs import SeedRun
from seed_pipelines.domain.evidence.chain import START, ChainHead
from seed_pipelines.errors import LeaseLost
from seed_pipelines_tests.fakes.control import FakeControl

COMPOSED = datetime(2025, 6, 1, 3, 0, tzinfo=UTC)

Attempt = tuple[UUID, int]


@dataclass
class FakeReports:
    """Both the reports and their log; nothing is due later here, and a test says what is overdue."""

    control: FakeControl
    composed: dict[Attempt, Report] = field(default_factory=dict)
    outbox: dict[Attempt, int] = field(default_factory=dict)
    """Tries in vain of each report that waits."""
    problems: dict[Attempt, Mapping[str, Any]] = field(default_factory=dict)
    index: dict[Attempt, Evidence] = field(default_factory=dict)
    checkpoints: list[LogCheckpoint] = field(default_factory=list)
    probe: Probe | None = None
    overdue: bool = False

    def compose(
        self,
        run: SeedRun,
        verdict: Verdict,
        draft: Callable[[LogPosition], Draft],
        *,
        deadline_seconds: float,
        lease: Lease | None = None,
    ) -> Report:
        key = (run.seed_run_id, run.attempt)
        if key in self.composed:
            return self.composed[key]
        self.control.ping()
        if run.ended_at is None:
            if lease is None or self.control.leases.get((lease.tenant_id, lease.environment)) != lease:
                raise LeaseLost("Taken over.")
            self.control.runs[run.seed_run_id] = replace(
                self.control.runs[run.seed_run_id], status="sealing", ended_at=COMPOSED
            )
        mine = [r for r in self.composed.values() if (r.tenant_id, r.environment) == (run.tenant_id, run.environment)]
        after = ChainHead(mine[-1].sequence, mine[-1].sha256) if mine else START
        written = draft(LogPosition(after, len(self.composed), run.ended_at or COMPOSED, None))
        self.composed[key] = Report(
            tenant_id=run.tenant_id,
            seed_run_id=run.seed_run_id,
            attempt=run.attempt,
            environment=run.environment,
            sequence=after.sequence + 1,
            log_index=len(self.composed),
            verdict=verdict,
            envelope=written.envelope,
            sha256=hashlib.sha256(written.envelope).hexdigest(),
            page=written.page,
            answer=written.answer,
            composed_at=COMPOSED,
            deadline_at=COMPOSED + timedelta(seconds=deadline_seconds),
        )
        self.outbox[key] = 0
        return self.composed[key]

    def find(self, tenant_id: UUID, seed_run_id: UUID, attempt: int) -> Report | None:
        return self.composed.get((seed_run_id, attempt))

    def evidence(self, tenant_id: UUID, seed_run_id: UUID, attempt: int) -> Evidence | None:
        return self.index.get((seed_run_id, attempt))

    def waiting(self, environment: str, *, due_only: bool = True, limit: int = 100) -> tuple[Waiting, ...]:
        self.control.ping()
        return tuple(Waiting(self.composed[key], tries, self.overdue) for key, tries in self.outbox.items())[:limit]

    def record_evidence(self, report: Report, evidence: Evidence) -> bool:
        key = (report.seed_run_id, report.attempt)
        run = self.control.runs[report.seed_run_id]
        self.control.release_run(run)
        if self.outbox.pop(key, None) is None:
            return False
        self.index[key] = evidence
        if run.status == "sealing":
            self.control.runs[run.seed_run_id] = replace(run, status=report.verdict)
            self.control.answer_key(run.seed_run_id, report.answer)
        return True

    def postpone(self, report: Report, problem: Mapping[str, Any], seconds: float) -> None:
        key = (report.seed_run_id, report.attempt)
        self.outbox[key] += 1
        self.problems[key] = problem
        run = self.control.runs[report.seed_run_id]
        if self.overdue and run.status == "sealing":
            self.control.runs[run.seed_run_id] = replace(run, status="failed", problem=problem)

    def unreported(self, environment: str) -> tuple[SeedRun, ...]:
        self.control.ping()
        return tuple(
            run
            for run in self.control.runs.values()
            if run.status not in ("running", "sealing")
            and run.fencing_token is not None
            and (run.seed_run_id, run.attempt) not in self.composed
        )

    def silent(self, environment: str) -> tuple[SeedRun, ...]:
        held = {lease.seed_run_id for lease in self.control.leases.values()}
        return tuple(
            run
            for run in self.control.runs.values()
            if run.status == "running" and run.fencing_token is not None and run.seed_run_id not in held
        )

    def end_silent(self, run: SeedRun) -> bool:
        self.control.finish_run(run.seed_run_id, "aborted", LeaseLost("Silent.").problem())
        return True

    def entries(self, environment: str) -> tuple[LogEntry, ...]:
        found = []
        for key, report in self.composed.items():
            sealed = self.index.get(key)
            where = (sealed.object_key, sealed.version_id) if sealed else (None, None)
            run = self.control.runs.get(report.seed_run_id)
            entry = LogEntry(report.log_index, report.tenant_id, *key, report.sequence, report.sha256, *where)
            found.append(replace(entry, origin=run.origin if run else None))
        return tuple(found)

    def last_checkpoint(self, environment: str) -> LogCheckpoint | None:
        return self.checkpoints[-1] if self.checkpoints else None

    def record_checkpoint(self, environment: str, checkpoint: LogCheckpoint) -> None:
        self.checkpoints.append(checkpoint)

    def record_probe(self, environment: str, problem: Mapping[str, Any] | None) -> None:
        self.probe = Probe(COMPOSED, 0.0, problem)

    def last_probe(self, environment: str) -> Probe | None:
        return self.probe
