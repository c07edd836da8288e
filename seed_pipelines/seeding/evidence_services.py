"""The ports that sealing a report takes; the adapters fit them, and so do the fakes of the tests."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from uuid import UUID

from seed_pipelines.adapters.evidence.stored_objects import ObjectLock, ObjectVersion, SealedObject
from seed_pipelines.adapters.postgres.leases import Lease
from seed_pipelines.adapters.postgres.report_log import LogCheckpoint, LogEntry, Probe
from seed_pipelines.adapters.postgres.reports import Draft, Evidence, LogPosition, Report, Verdict, Waiting
from seed_pipelines.adapters.postgres.seed_runs import SeedRun
from seed_pipelines.domain.evidence.public_key import PublicKey, Signed


class Reports(Protocol):
    """The reports of seed runs, composed once and sealed once."""

    def compose(
        self,
        run: SeedRun,
        verdict: Verdict,
        draft: Callable[[LogPosition], Draft],
        *,
        deadline_seconds: float,
        lease: Lease | None = None,
    ) -> Report:
        """The report of a run's attempt: the one that is there, or a new one; LeaseLost, and what `draft` raises."""

    def find(self, tenant_id: UUID, seed_run_id: UUID, attempt: int) -> Report | None:
        """The report of an attempt."""

    def evidence(self, tenant_id: UUID, seed_run_id: UUID, attempt: int) -> Evidence | None:
        """Where the report of an attempt is sealed; None while it is not."""

    def waiting(self, environment: str, *, due_only: bool = True, limit: int = 100) -> tuple[Waiting, ...]:
        """The reports of the outbox, the oldest first; those that are to be tried now, or all."""

    def record_evidence(self, report: Report, evidence: Evidence) -> bool:
        """Take a sealed report out of the outbox; its run has succeeded if that was what it waited for."""

    def postpone(self, report: Report, problem: Mapping[str, Any], seconds: float) -> None:
        """Try a report again after some seconds; past its deadline, its run has failed for that problem."""

    def unreported(self, environment: str) -> tuple[SeedRun, ...]:
        """Seed runs that held a lease, ended, and have no report."""

    def silent(self, environment: str) -> tuple[SeedRun, ...]:
        """Running seed runs whose lease is gone or has expired."""

    def end_silent(self, run: SeedRun) -> bool:
        """End a silent seed run as aborted and take its lease away; False if it is heard of again."""


class ReportLog(Protocol):
    """The log of all reports of an environment."""

    def entries(self, environment: str) -> tuple[LogEntry, ...]:
        """Every report, in the order of the log."""

    def last_checkpoint(self, environment: str) -> LogCheckpoint | None:
        """The signed head of the log that covers most; None before the first."""

    def record_checkpoint(self, environment: str, checkpoint: LogCheckpoint) -> None:
        """Keep a sealed head; nothing happens if one of its size is there."""

    def record_probe(self, environment: str, problem: Mapping[str, Any] | None) -> None:
        """Keep what was found of the bucket now."""

    def last_probe(self, environment: str) -> Probe | None:
        """What was found of the bucket last; None if it never was."""


class EvidenceBucket(Protocol):
    """Objects that nobody can change or delete until their retention ends; every method raises WormUnavailable."""

    def preflight(self) -> object:
        """Whether the bucket would keep what is sealed in it, tried with an object."""

    def seal(
        self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str], *, is_new: bool = False
    ) -> SealedObject:
        """Store a body for the whole retention, or find it stored, and read the version back."""

    def fetch(self, key: str, version_id: str | None = None) -> bytes:
        """The bytes of a version, of the latest without an id."""

    def lock(self, key: str, version_id: str) -> ObjectLock | None:
        """The retention of a version; None if it has none."""

    def versions(self, prefix: str) -> Iterator[ObjectVersion]:
        """Every version and delete marker of the keys with a prefix, by key, newest first."""


class Signer(Protocol):
    """A signing key in all of its versions; every method raises VaultUnavailable."""

    def sign(self, message: bytes) -> Signed:
        """The signature of the key's newest version."""

    def public_keys(self) -> tuple[PublicKey, ...]:
        """Every version that may still be verified with, the oldest first, and at least one."""


@dataclass(frozen=True)
class EvidenceServices:
    """What sealing a report takes."""

    reports: Reports
    log: ReportLog
    bucket: EvidenceBucket
    signer: Signer
    seal_by: Literal["run", "sensor"]
    """Who has the right to write into the bucket: every run, or the sensor alone."""
    deadline_seconds: float
    """How long after its work a run may wait for its report to be sealed before it has failed."""
    git_commit: str | None
    """Of the code that runs, in hex."""
