"""The chain of a tenant's reports: as the bucket has it, envelope by envelope, and as the database has it."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from seed_pipelines.adapters.postgres.report_log import LogEntry
from seed_pipelines.domain.evidence.chain import ChainHead, Link, verify_chain
from seed_pipelines.domain.evidence.object_keys import reports_of
from seed_pipelines.errors import EvidenceInvalid
from seed_pipelines.seeding.verification.envelopes import open_report
from seed_pipelines.seeding.verification.findings import Finding, NotApplicable, examined
from seed_pipelines.seeding.verification.sealed_objects import (
    ENVELOPE_ENDING,
    PAGE_ENDING,
    first_version,
    histories,
)
from seed_pipelines.seeding.verification.subject import Subject

_NAME: Final = re.compile(f"([0-9]{{10,}})-([0-9a-f]{{64}})({re.escape(ENVELOPE_ENDING)}|{re.escape(PAGE_ENDING)})")


@dataclass(frozen=True)
class _Stored:
    """A sealed envelope, by its name."""

    key: str
    version_id: str
    sequence: int
    sha256: str


def examine_chain(subject: Subject) -> tuple[Finding, ...]:
    """What is found of every report of the tenant and environment, of which one at a time is held in memory."""
    stored: list[_Stored] = []

    def listed() -> str:
        stored.extend(_without_later(subject, list(_stored(subject))))
        return (
            f"Sealed envelopes: {len(stored)}; each name has its number and SHA-256, and no other object is among them."
        )

    listing = examined("sealed reports", listed)
    if listing.result == "fail":
        return (listing,)
    return (
        listing,
        examined("database", lambda: _agreement(subject.own_entries, stored)),
        examined("chain", lambda: _chain(subject, stored)),
    )


def _stored(subject: Subject) -> Iterator[_Stored]:
    """The envelope objects of the tenant by number; EvidenceInvalid for what is none."""
    pinned = {entry.object_key: entry.version_id for entry in subject.own_entries if entry.object_key is not None}
    prefix = reports_of(subject.environment, subject.tenant.slug)
    for key, history in histories(subject.services.evidence.bucket, prefix).items():
        named = _NAME.fullmatch(key.removeprefix(prefix))
        if named is None:
            raise EvidenceInvalid(f"{key} is no name of a report: it was not sealed here.")
        if named[3] == PAGE_ENDING:
            continue
        first = first_version(history)
        version_id = pinned.get(key) or (first.version_id if first else None)
        if version_id not in {version.version_id for version in history if not version.is_delete_marker}:
            raise EvidenceInvalid(f"The bucket does not hold the sealed version of {key}.", sequence=int(named[1]))
        yield _Stored(key, str(version_id), int(named[1]), named[2])


def _without_later(subject: Subject, stored: Sequence[_Stored]) -> Sequence[_Stored]:
    """The envelopes but those of runs that ended while the bucket was listed, which the database has by now."""
    known = {entry.sequence for entry in subject.own_entries}
    if all(sealed.sequence in known for sealed in stored):
        return stored
    now = subject.services.evidence.log.entries(subject.environment)
    later = {(entry.tenant_id, entry.sequence, entry.sha256) for entry in now if entry.sequence not in known}
    return [it for it in stored if (subject.tenant.tenant_id, it.sequence, it.sha256) not in later]


def _agreement(entries: Sequence[LogEntry], stored: Sequence[_Stored]) -> str | NotApplicable:
    """The database and the bucket have the same reports; those that wait to be sealed are in the database alone."""
    in_bucket: Mapping[int, _Stored] = {it.sequence: it for it in stored}
    in_database = {entry.sequence: entry for entry in entries}
    if not entries and not stored:
        return NotApplicable("There is no report.")
    for sequence in sorted({*in_bucket, *in_database}):
        sealed, entry = in_bucket.get(sequence), in_database.get(sequence)
        if entry is None:
            raise EvidenceInvalid(
                f"The bucket holds the report with number {sequence}, which the database has lost.", sequence=sequence
            )
        if sealed is None and entry.version_id is not None:
            raise EvidenceInvalid(
                f"The database has the report with number {sequence} as sealed, and the bucket does not hold it.",
                sequence=sequence,
            )
        if sealed is not None and sealed.sha256 != entry.sha256:
            raise EvidenceInvalid(
                f"The report with number {sequence} is {sealed.sha256} in the bucket and {entry.sha256} in the database.",
                sequence=sequence,
            )
    waiting = len(in_database) - len(in_bucket)
    return f"The same reports: {len(in_database)}" + (f"; waiting to be sealed: {waiting}." if waiting else ".")


def _chain(subject: Subject, stored: Sequence[_Stored]) -> str:
    """Each report names the one before it, from the first to the newest that the database knows."""
    links = sorted([*_sealed_links(subject, stored), *_waiting_links(subject, stored)], key=lambda link: link.sequence)
    own = subject.own_entries
    head = ChainHead(own[-1].sequence, own[-1].sha256) if own else None
    newest = verify_chain(links, head=head)
    foreign = next((link for link in links if link.tenant_id != str(subject.tenant.tenant_id)), None)
    if foreign is not None:
        raise EvidenceInvalid(
            f"The reports are of tenant {foreign.tenant_id}, not of {subject.tenant.tenant_id}.",
            sequence=foreign.sequence,
        )
    return (
        f"Numbers 1 to {newest.sequence} follow each other without a gap; each was opened, and its signature verified."
    )


def _sealed_links(subject: Subject, stored: Sequence[_Stored]) -> Iterator[Link]:
    for sealed in stored:
        data = subject.services.evidence.bucket.fetch(sealed.key, sealed.version_id)
        if hashlib.sha256(data).hexdigest() != sealed.sha256:
            raise EvidenceInvalid(
                f"Version {sealed.version_id} of {sealed.key} holds other bytes than its name says.",
                sequence=sealed.sequence,
            )
        yield _link(subject, data, sealed.sequence)


def _waiting_links(subject: Subject, stored: Sequence[_Stored]) -> Iterator[Link]:
    """Those that the database alone has."""
    in_bucket = {sealed.sequence for sealed in stored}
    for entry in subject.own_entries:
        if entry.sequence in in_bucket or entry.version_id is not None:
            continue
        report = subject.services.evidence.reports.find(entry.tenant_id, entry.seed_run_id, entry.attempt)
        if report is not None:
            yield _link(subject, report.envelope, entry.sequence)


def _link(subject: Subject, data: bytes, sequence: int) -> Link:
    try:
        link = open_report(data, subject.trust).link
    except EvidenceInvalid as error:
        raise EvidenceInvalid(f"The report with number {sequence}: {error.detail}", sequence=sequence) from error
    if (link.environment, link.sequence) != (subject.environment, sequence):
        raise EvidenceInvalid(
            f"The report with number {sequence} says of itself that it is number {link.sequence} of {link.environment}.",
            sequence=sequence,
        )
    return link
