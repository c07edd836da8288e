"""Verifies the report of a run against everything that there is of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from seed_pipelines.errors import RequestInvalid, TenantMismatch
from seed_pipelines.seeding.authorization import Caller, authorize
from seed_pipelines.seeding.purging import of_environment
from seed_pipelines.seeding.services import Services
from seed_pipelines.seeding.verification.chain import examine_chain
from seed_pipelines.seeding.verification.envelopes import OpenedReport, Trust, examine_envelope
from seed_pipelines.seeding.verification.findings import Finding, Verification, examined
from seed_pipelines.seeding.verification.log_heads import examine_log
from seed_pipelines.seeding.verification.rows import examine_rows
from seed_pipelines.seeding.verification.sealed_objects import examine_objects, examine_public_key
from seed_pipelines.seeding.verification.subject import (
    Subject,
    entry_of_run,
    examine_record,
    subject_of_entry,
    subject_of_envelope,
)


@dataclass(frozen=True)
class Scope:
    """How much is looked at."""

    chain: bool = True
    """Every report of the tenant and every head of the log, not only this report and the newest head."""
    rows: bool = False
    """The rows that are in the database now."""


def verify_envelope(data: bytes, trust: Trust) -> Verification:
    """An envelope by itself, which nothing but public keys is needed for."""
    findings, opened = examine_envelope(data, trust)
    return Verification(_about(opened), findings)


def verify_run(
    services: Services,
    environment: str,
    run: str,
    caller: Caller,
    *,
    pems: tuple[str, ...] = (),
    attempt: int | None = None,
    scope: Scope = Scope(),
) -> Verification:
    """The report of a seed run, Dagster run or backfill, against the bucket and the database.

    Without `pems` the keys that Transit shows are trusted. Raises RequestInvalid if there is no such report, Forbidden
    unless it may be read, TenantMismatch, DatabaseUnavailable, VaultUnavailable, WormUnavailable.
    """
    of_environment(services, environment)
    entry = entry_of_run(services.evidence.log.entries(environment), run, attempt)
    tenant = services.control.tenant(entry.tenant_id)
    authorize(services.control, tenant, environment, "read", caller)
    subject = subject_of_entry(services, _trust(services, pems), tenant, environment, entry)
    return _verified(subject, *examine_envelope(subject.data, subject.trust), scope)


def verify_sealed_envelope(
    services: Services,
    environment: str,
    data: bytes,
    caller: Caller,
    *,
    pems: tuple[str, ...] = (),
    scope: Scope = Scope(),
) -> Verification:
    """An envelope that somebody kept, against the bucket and the database, which may have lost it; raises as `verify_run`."""
    of_environment(services, environment)
    trust = _trust(services, pems)
    findings, opened = examine_envelope(data, trust)
    if opened is None:
        return Verification({}, findings)
    if opened.report["environment"] != environment:
        raise TenantMismatch(f"The report is of {opened.report['environment']}, not of {environment}.")
    if opened.report["chain"] is None:
        raise RequestInvalid("It is the report of a dry run, which is not sealed: verify it without --environment.")
    tenant = services.control.tenant(UUID(opened.report["tenant"]["id"]))
    authorize(services.control, tenant, environment, "read", caller)
    return _verified(subject_of_envelope(services, trust, tenant, opened), findings, opened, scope)


def _trust(services: Services, pems: tuple[str, ...]) -> Trust:
    return Trust(pems=pems) if pems else Trust(keys=services.evidence.signer.public_keys())


def _verified(
    subject: Subject, findings: tuple[Finding, ...], opened: OpenedReport | None, scope: Scope
) -> Verification:
    found = [*findings, examined("record", lambda: examine_record(subject, opened)), *examine_objects(subject)]
    if opened is not None:
        key = opened.envelope.key
        found.append(examined("public key", lambda: examine_public_key(subject, key)))
    if scope.chain:
        found += examine_chain(subject)
    found += examine_log(subject, every_head=scope.chain)
    difference = None
    if scope.rows and opened is not None:
        of_rows, difference = examine_rows(subject, opened.report)
        found += of_rows
    return Verification(_about(opened), tuple(found), difference)


def _about(opened: OpenedReport | None) -> Mapping[str, Any]:
    """What a report says that it is of."""
    if opened is None:
        return {}
    report, chain = opened.report, opened.report["chain"]
    return {
        "tenant": report["tenant"]["slug"],
        "environment": report["environment"],
        "profile": report["profile"],
        "operation": report["operation"],
        "verdict": report["verdict"],
        "seed_run_id": report["run"]["seed_run_id"],
        "origin": report["run"]["origin"],
        "ended_at": report["run"]["ended_at"],
        "manifest_hash": report["manifest_hash"],
        "dataset_digest": report["dataset_digest"],
        "sequence": None if chain is None else chain["sequence"],
        "sha256": opened.envelope.sha256,
    }
