"""The signed heads of an environment's log: what the database has as the log must be what they were signed for."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Final

from seed_pipelines.adapters.evidence.stored_objects import ObjectVersion
from seed_pipelines.adapters.postgres.report_log import LogEntry
from seed_pipelines.domain.evidence import log
from seed_pipelines.domain.evidence.log import Checkpoint
from seed_pipelines.domain.evidence.object_keys import checkpoints_of
from seed_pipelines.errors import EvidenceInvalid
from seed_pipelines.seeding.verification.envelopes import open_signed
from seed_pipelines.seeding.verification.findings import Finding, NotApplicable, examined
from seed_pipelines.seeding.verification.sealed_objects import first_version, histories, require_lock
from seed_pipelines.seeding.verification.subject import Subject

_NAME: Final = re.compile(r"([0-9]{10,})-([0-9a-f]{64})\.dsse\.json")


def examine_log(subject: Subject, *, every_head: bool) -> tuple[Finding, ...]:
    """What is found of the log: its newest signed head, or every one, and the place of the report."""
    heads: list[Checkpoint] = []

    def signed() -> str | NotApplicable:
        heads.extend(_heads(subject, every_head=every_head))
        if not heads:
            return NotApplicable("No head of the log has been sealed yet.")
        return f"Sealed and signed: {len(heads)}." if every_head else "The newest is sealed and signed."

    signatures = examined("log heads", signed)
    if not heads or signatures.result == "fail":
        return (signatures,)
    entries = subject.services.evidence.log.entries(subject.environment)
    return (
        signatures,
        examined("log", lambda: _grown(entries, heads)),
        examined("inclusion", lambda: _inclusion(subject, entries, heads[-1])),
    )


def _heads(subject: Subject, *, every_head: bool) -> Sequence[Checkpoint]:
    """The locked heads in the bucket, the smallest first; EvidenceInvalid for one that is not what its name and signature say."""
    bucket, prefix = subject.services.evidence.bucket, checkpoints_of(subject.environment)
    found: dict[str, ObjectVersion] = {}
    for key, history in histories(bucket, prefix).items():
        first = first_version(history)
        if first is None or not _NAME.fullmatch(key.removeprefix(prefix)):
            raise EvidenceInvalid(f"{key} is no head of the log, or none any more: see who wrote or deleted there.")
        found[key] = first
    last = subject.services.evidence.log.last_checkpoint(subject.environment)
    if last is not None and last.object_key not in found:
        raise EvidenceInvalid(
            f"The database has a head of the log as {last.object_key}, and the bucket does not hold it."
        )
    wanted = [found[key] for key in (sorted(found) if every_head else sorted(found)[-1:])]
    for version in wanted:
        require_lock(bucket, version)
    return [_head(subject, it.key.removeprefix(prefix), bucket.fetch(it.key, it.version_id)) for it in wanted]


def _head(subject: Subject, name: str, data: bytes) -> Checkpoint:
    size, _, rest = name.partition("-")
    if hashlib.sha256(data).hexdigest() != rest.partition(".")[0]:
        raise EvidenceInvalid(f"The head of the log {name} holds other bytes than its name says.")
    try:
        head = log.read_checkpoint(open_signed(data, subject.trust).statement)
    except EvidenceInvalid as error:
        raise EvidenceInvalid(f"The head of the log {name}: {error.detail}") from error
    if (head.environment, head.tree_size) != (subject.environment, int(size)):
        raise EvidenceInvalid(f"The head of the log {name} is one of {head.environment} over {head.tree_size} reports.")
    return head


def _grown(entries: Sequence[LogEntry], heads: Sequence[Checkpoint]) -> str:
    """The log that the database has led to the root of each head, in the order of their times."""
    envelopes = [entry.sha256 for entry in entries]
    missing = next((place for place, entry in enumerate(entries) if entry.log_index != place), None)
    if missing is not None:
        raise EvidenceInvalid(f"The report at place {missing} of the log is missing in the database.")
    roots: Mapping[int, str] = dict(enumerate(log.roots(envelopes), start=1))
    right, before = 0, heads[0]
    for head in heads:
        if head.tree_size > len(envelopes):
            raise EvidenceInvalid(
                f"A head of {head.at:%FT%TZ} was signed over {head.tree_size} reports; the database has {len(envelopes)}:"
                " the newest were removed."
            )
        if roots[head.tree_size] != head.root:
            raise EvidenceInvalid(
                f"The first {head.tree_size} reports of the log have the root {roots[head.tree_size]}, but that signed"
                f" {head.at:%FT%TZ} is {head.root}: a report at one of the places {right} to {head.tree_size - 1} was"
                " changed, removed or put between."
            )
        if head.at < before.at:
            raise EvidenceInvalid(f"The head over {head.tree_size} reports is older than that over {before.tree_size}.")
        right, before = head.tree_size, head
    waiting = len(envelopes) - heads[-1].tree_size
    more = f"; not covered by a head yet: {waiting}" if waiting else ""
    return f"The signed roots are those of the database's reports, up to number {heads[-1].tree_size} of the log{more}."


def _inclusion(subject: Subject, entries: Sequence[LogEntry], newest: Checkpoint) -> str | NotApplicable:
    entry = subject.entry
    if entry is None:
        raise EvidenceInvalid("The log of the database does not have this report.", sequence=subject.sequence)
    if entry.log_index >= newest.tree_size:
        return NotApplicable(f"Place {entry.log_index} of the log, which no signed head covers yet.")
    envelopes = [it.sha256 for it in entries[: newest.tree_size]]
    if len(envelopes) < newest.tree_size:
        raise EvidenceInvalid("The log of the database is shorter than its signed head.", sequence=subject.sequence)
    proof = log.prove_inclusion(entry.log_index, envelopes)
    log.require_inclusion(subject.sha256, entry.log_index, newest, proof)
    return f"Place {entry.log_index} of the {newest.tree_size} that the newest head was signed for, {newest.at:%FT%TZ}."
