"""Which report is verified: its place in its chain, what the database has of it, and what may have signed it."""

from dataclasses import dataclass
from uuid import UUID

from seed_pipelines.adapters.postgres.report_log import LogEntry
from seed_pipelines.adapters.postgres.reports import Evidence, Report
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.domain.evidence.object_keys import report_object
from seed_pipelines.errors import EvidenceInvalid, RequestInvalid
from seed_pipelines.seeding.services import Services
from seed_pipelines.seeding.verification.envelopes import OpenedReport, Trust


@dataclass(frozen=True)
class Subject:
    """A report, by where it stands."""

    services: Services
    trust: Trust
    tenant: Tenant
    environment: str
    sequence: int
    sha256: str
    """Of its envelope."""
    data: bytes
    """The envelope, as it was given or as the database has it."""
    entries: tuple[LogEntry, ...]
    """The log of the environment, by the database."""
    report: Report | None
    """What the database has under its number; None if it has nothing there."""
    index: Evidence | None
    """Where the database says that it is sealed; None if it is not, or nobody knows."""

    @property
    def object_name(self) -> str:
        """The key that its objects must have, without their endings."""
        return report_object(self.environment, self.tenant.slug, self.sequence, self.sha256)

    @property
    def own_entries(self) -> tuple[LogEntry, ...]:
        """The entries of its tenant, in the order of their numbers."""
        mine = (entry for entry in self.entries if entry.tenant_id == self.tenant.tenant_id)
        return tuple(sorted(mine, key=lambda entry: entry.sequence))

    @property
    def entry(self) -> LogEntry | None:
        """Its own entry; None if the log has none of its number and content."""
        mine = (entry for entry in self.own_entries if (entry.sequence, entry.sha256) == (self.sequence, self.sha256))
        return next(mine, None)


def entry_of_run(entries: tuple[LogEntry, ...], run: str, attempt: int | None) -> LogEntry:
    """The entry of a run, by the id of its seed run, its Dagster run or its backfill: of an attempt, or the newest.

    RequestInvalid if there is none, or the runs of a backfill have several.
    """
    found = [
        entry for entry in entries if run in (str(entry.seed_run_id), entry.origin) or entry.origin == f"backfill:{run}"
    ]
    seed_runs = dict.fromkeys(str(entry.seed_run_id) for entry in found)
    if len(seed_runs) > 1:
        raise RequestInvalid(f"{run} stands for several seed runs: verify each of {', '.join(seed_runs)}.")
    for entry in reversed(found):
        if attempt in (None, entry.attempt):
            return entry
    raise RequestInvalid(
        f"No report of {run}{'' if attempt is None else f', attempt {attempt}'}. A run that is at work, was refused or never"
        " began has none, and one that died has none until the sensor seal_reports of the Dagster daemon has found it; of one"
        " that had a report, the envelope can be verified in place of the id."
    )


def subject_of_entry(services: Services, trust: Trust, tenant: Tenant, environment: str, entry: LogEntry) -> Subject:
    """The report of an entry; EvidenceInvalid if it went while it was looked for."""
    reports = services.evidence.reports
    report = reports.find(entry.tenant_id, entry.seed_run_id, entry.attempt)
    if report is None:
        raise EvidenceInvalid(
            f"The report with number {entry.sequence} is in the log no more.", sequence=entry.sequence
        )
    return Subject(
        services=services,
        trust=trust,
        tenant=tenant,
        environment=environment,
        sequence=report.sequence,
        sha256=report.sha256,
        data=report.envelope,
        entries=services.evidence.log.entries(environment),
        report=report,
        index=reports.evidence(report.tenant_id, report.seed_run_id, report.attempt),
    )


def subject_of_envelope(services: Services, trust: Trust, tenant: Tenant, opened: OpenedReport) -> Subject:
    """The report of an envelope that somebody kept, whether or not the database still has it.

    EvidenceInvalid if it is in no chain.
    """
    link, reports = opened.link, services.evidence.reports
    entries = services.evidence.log.entries(link.environment)
    numbered = (e for e in entries if (e.tenant_id, e.sequence) == (tenant.tenant_id, link.sequence))
    entry = next(numbered, None)
    identity = None if entry is None else (entry.tenant_id, entry.seed_run_id, entry.attempt)
    return Subject(
        services=services,
        trust=trust,
        tenant=tenant,
        environment=link.environment,
        sequence=link.sequence,
        sha256=link.sha256,
        data=opened.data,
        entries=entries,
        report=None if identity is None else reports.find(*identity),
        index=None if identity is None else reports.evidence(*identity),
    )


def examine_record(subject: Subject, opened: OpenedReport | None) -> str:
    """What the database has of the report; EvidenceInvalid where that is another, or nothing."""
    report = subject.report
    if report is None:
        raise EvidenceInvalid(
            f"The database has no report with number {subject.sequence} of {subject.tenant.slug}: it was removed there.",
            sequence=subject.sequence,
        )
    if report.envelope != subject.data:
        raise EvidenceInvalid(
            f"The database has another envelope with number {subject.sequence}: {report.sha256}, not {subject.sha256}.",
            sequence=subject.sequence,
        )
    if opened is not None:
        _require_own(subject, report, opened)
    return f"Number {report.sequence} of {subject.tenant.slug} in {subject.environment}, place {report.log_index} of the log."


def _require_own(subject: Subject, report: Report, opened: OpenedReport) -> None:
    """The report says of itself what the database says of it."""
    link, run = opened.link, opened.report["run"]
    for what, says, recorded in (
        ("tenant", UUID(link.tenant_id), report.tenant_id),
        ("environment", link.environment, report.environment),
        ("number", link.sequence, report.sequence),
        ("seed run", run["seed_run_id"], str(report.seed_run_id)),
        ("verdict", opened.report["verdict"], report.verdict),
    ):
        if says != recorded:
            raise EvidenceInvalid(
                f"The database has the report of {what} {says} as that of {recorded}.", sequence=subject.sequence
            )
