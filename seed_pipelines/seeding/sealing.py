"""Sealing: a report is composed and signed once, and then stored where nobody can change it, however often it takes.

Whoever composes it commits the signed bytes before the first of them is stored; whoever stores them, the run itself or the
sensor, finds the same bytes, and the same version where one was stored already.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from seed_pipelines.adapters.postgres.reports import Draft, Evidence, LogPosition, Report, Verdict
from seed_pipelines.domain.evidence.envelope import open_envelope, sealed_envelope, signing_input
from seed_pipelines.domain.evidence.object_keys import public_key_object, report_object
from seed_pipelines.domain.evidence.page import report_page
from seed_pipelines.domain.evidence.report import build_report
from seed_pipelines.domain.evidence.statement import report_statement
from seed_pipelines.errors import WormUnavailable
from seed_pipelines.seeding.answer import as_text, seed_answer
from seed_pipelines.seeding.evidence_services import EvidenceServices
from seed_pipelines.seeding.recorded_work import RecordedWork
from seed_pipelines.seeding.report_facts import run_facts
from seed_pipelines.seeding.run_record import RunRecord
from seed_pipelines.seeding.seed_run import Session
from seed_pipelines.seeding.services import Services
from seed_pipelines.seeding.tracing import tell_end, traced_sealing

ENVELOPE_TYPE: Final = "application/vnd.dsse.envelope.v1+json"
PAGE_TYPE: Final = "text/html; charset=utf-8"
KEY_TYPE: Final = "application/x-pem-file"

_PAUSE_SECONDS: Final = 0.5


@dataclass(frozen=True)
class SealedReport:
    """A report, and where it is sealed."""

    report: Report
    evidence: Evidence


def compose(record: RunRecord, work: RecordedWork, verdict: Verdict) -> Report:
    """The signed report of a run that ended, waiting to be sealed; the same one however often it is asked for.

    The run of a session ends with it, and is `sealing` from then on; LeaseLost, VaultUnavailable, DatabaseUnavailable.
    """
    evidence, run = record.services.evidence, record.run
    lease = record.lease if isinstance(record, Session) else None

    def draft(position: LogPosition) -> Draft:
        report = build_report(run_facts(record, work, verdict, position), position.after)
        envelope = signed_envelope(evidence, report_statement(report))
        sha256 = hashlib.sha256(envelope).hexdigest()
        name = report_object(run.environment, record.tenant.slug, position.after.sequence + 1, sha256)
        page = report_page(report, sha256, f"{name}.dsse.json")
        named = {"sequence": position.after.sequence + 1, "sha256": sha256, "object_key": f"{name}.dsse.json"}
        return Draft(envelope, page, as_text(seed_answer(record, work, report=named)) if lease is not None else None)

    return evidence.reports.compose(run, verdict, draft, deadline_seconds=evidence.deadline_seconds, lease=lease)


def seal(services: Services, report: Report) -> Evidence:
    """Store a report, its page and the keys that verify it, and record where; its run has succeeded then, if all was well.

    Raises WormUnavailable, VaultUnavailable, EvidenceInvalid for a report that Transit's keys do not verify.
    """
    tenant = services.control.tenant(report.tenant_id).slug
    with traced_sealing(services, report, tenant):
        return _stored(services, report, tenant)


def _stored(services: Services, report: Report, tenant: str) -> Evidence:
    evidence, bucket = services.evidence, services.evidence.bucket
    keys = evidence.signer.public_keys()
    open_envelope(report.envelope, keys)
    for key in keys:
        bucket.seal(public_key_object(report.environment, key), key.pem.encode(), KEY_TYPE, {})
    name = report_object(report.environment, tenant, report.sequence, report.sha256)
    metadata = {"seed-run-id": str(report.seed_run_id), "sequence": str(report.sequence), "verdict": report.verdict}
    page = bucket.seal(f"{name}.html", report.page, PAGE_TYPE, metadata, is_new=True)
    envelope = bucket.seal(f"{name}.dsse.json", report.envelope, ENVELOPE_TYPE, metadata, is_new=True)
    sealed = Evidence(
        envelope.bucket, envelope.key, envelope.version_id, page.key, page.version_id, envelope.retain_until
    )
    evidence.reports.record_evidence(report, sealed)
    return sealed


def finish(session: Session) -> SealedReport:
    """End a seed run well: its report is composed, and sealed by the run or waited for; then it has succeeded.

    It is `partial` where it did not see every shard of its plan. WormUnavailable where nobody sealed it before its
    deadline; LeaseLost, VaultUnavailable, DatabaseUnavailable.
    """
    work = RecordedWork.of(session)
    has_all = set(session.plan.shard_keys) <= set(work.shard_reports)
    report = compose(session, work, "succeeded" if has_all else "partial")
    evidence = session.services.evidence
    found = seal(session.services, report) if evidence.seal_by == "run" else _await_seal(evidence, report)
    tell_end(session.services, session.run, session.tenant.slug, report.verdict)
    return SealedReport(report, found)


def _await_seal(evidence: EvidenceServices, report: Report) -> Evidence:
    waiting = Retrying(
        retry=retry_if_result(lambda found: found is None),
        stop=stop_after_delay(evidence.deadline_seconds),
        wait=wait_fixed(_PAUSE_SECONDS),
        retry_error_callback=lambda _: None,
    )
    found = waiting(evidence.reports.evidence, report.tenant_id, report.seed_run_id, report.attempt)
    if found is None:
        raise WormUnavailable(
            f"The sensor did not seal the report within {evidence.deadline_seconds:g} s: see its ticks. It goes on trying."
        )
    return found


def signed_envelope(evidence: EvidenceServices, statement: bytes) -> bytes:
    """The envelope of a statement; VaultUnavailable."""
    signed = evidence.signer.sign(signing_input(statement))
    return sealed_envelope(statement, signed.signature, signed.key)
