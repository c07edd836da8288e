"""Verifies an envelope by itself: its form, its signature, its statement, its report. Needs nothing but public keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seed_pipelines.domain.evidence.chain import Link
from seed_pipelines.domain.evidence.envelope import OpenedEnvelope, claimed_key, open_envelope, payload_of
from seed_pipelines.domain.evidence.public_key import PublicKey, public_key
from seed_pipelines.domain.evidence.recheck import require_checklist
from seed_pipelines.domain.evidence.report import link_of
from seed_pipelines.domain.evidence.statement import read_report
from seed_pipelines.errors import EvidenceInvalid
from seed_pipelines.seeding.verification.findings import Finding, examined


@dataclass(frozen=True)
class Trust:
    """The public keys that may have signed."""

    keys: tuple[PublicKey, ...] = ()
    pems: tuple[str, ...] = ()
    """PEMs that somebody holds; envelopes say what the keys are called, and their fingerprints whether it is true."""

    def keys_for(self, data: bytes) -> Sequence[PublicKey]:
        """The keys that an envelope may be signed with; EvidenceInvalid for what is no envelope."""
        name, version = claimed_key(data)
        return (*self.keys, *(public_key(name, version, pem) for pem in self.pems))


@dataclass(frozen=True)
class OpenedReport:
    """A report whose signature, statement and contract were verified."""

    data: bytes
    """The envelope."""
    envelope: OpenedEnvelope
    report: Mapping[str, Any]

    @property
    def link(self) -> Link:
        """Its place in its chain; EvidenceInvalid for one that is in no chain."""
        return link_of(self.envelope, self.report)


def open_signed(data: bytes, trust: Trust) -> OpenedEnvelope:
    """An envelope that a trusted key signed; EvidenceInvalid."""
    return open_envelope(data, trust.keys_for(data))


def open_report(data: bytes, trust: Trust) -> OpenedReport:
    """The report in an envelope; EvidenceInvalid says what is wrong and where."""
    envelope = open_signed(data, trust)
    return OpenedReport(data, envelope, read_report(envelope.statement))


def examine_envelope(data: bytes, trust: Trust) -> tuple[tuple[Finding, ...], OpenedReport | None]:
    """What is found of an envelope, one examination after another until one fails; and its report, if it may be believed."""
    form = examined("envelope", lambda: _form(data))
    if form.result == "fail":
        return (form,), None
    signature = examined("signature", lambda: _signature(open_signed(data, trust)))
    if signature.result == "fail":
        return (form, signature), None
    try:
        opened = open_report(data, trust)
    except EvidenceInvalid as error:
        return (form, signature, Finding("statement", "fail", error.detail, error.extensions)), None
    statement = examined("statement", lambda: _statement(opened.report))
    answers = examined("checklist", lambda: _checklist(opened.report))
    return (form, signature, statement, answers), opened


def _form(data: bytes) -> str:
    payload_of(data)
    return f"{len(data):,} bytes in the one form that they may have."


def _signature(envelope: OpenedEnvelope) -> str:
    return f"Signed with {envelope.key.keyid}."


def _statement(report: Mapping[str, Any]) -> str:
    subjects = 1 + (report["dataset_digest"] is not None) + sum(v["merkle_root"] is not None for v in report["volumes"])
    return f"An in-toto statement of a report that keeps its contract; its {subjects} subjects are those of the report."


def _checklist(report: Mapping[str, Any]) -> str:
    answered, shown = require_checklist(report), report["checklist"]
    return (
        f"{answered} items were answered again by the facts of the report; it says {shown['passed']} passed,"
        f" {shown['failed']} failed, {shown['not_applicable']} did not apply."
    )
