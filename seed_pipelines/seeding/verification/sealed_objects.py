"""The objects of a report in the bucket: the version that was sealed, its lock, and whatever else is under its key."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby

from seed_pipelines.adapters.evidence.stored_objects import COMPLIANCE, ObjectLock, ObjectVersion
from seed_pipelines.domain.evidence.object_keys import public_key_object
from seed_pipelines.domain.evidence.public_key import PublicKey
from seed_pipelines.domain.retention import Retention
from seed_pipelines.errors import EvidenceInvalid
from seed_pipelines.seeding.evidence_services import EvidenceBucket
from seed_pipelines.seeding.verification.findings import Finding, NotApplicable, examined
from seed_pipelines.seeding.verification.subject import Subject

ENVELOPE_ENDING = ".dsse.json"
PAGE_ENDING = ".html"

Histories = Mapping[str, Sequence[ObjectVersion]]
"""Key -> its versions and delete markers, oldest first."""


def histories(bucket: EvidenceBucket, prefix: str) -> Histories:
    """Everything that a bucket holds under a prefix; WormUnavailable."""
    by_key = groupby(bucket.versions(prefix), key=lambda version: version.key)
    return {key: tuple(reversed(list(versions))) for key, versions in by_key}


def first_version(history: Sequence[ObjectVersion]) -> ObjectVersion | None:
    """The version that whoever sealed it stored; None if there are delete markers alone."""
    return next((version for version in history if not version.is_delete_marker), None)


def require_lock(bucket: EvidenceBucket, version: ObjectVersion, least: datetime | None = None) -> ObjectLock:
    """The lock of a version: in COMPLIANCE, for the time that evidence is kept at least, and until `least`.

    EvidenceInvalid, with `key` and `version_id`, if it has none or a weaker one; WormUnavailable.
    """
    until = Retention().until(version.last_modified)
    until = until if least is None else max(until, least)
    lock = bucket.lock(version.key, version.version_id)
    if lock is None or lock.mode != COMPLIANCE or lock.retain_until < until:
        raise EvidenceInvalid(
            f"Version {version.version_id} of {version.key} is {f'locked in {lock}' if lock else 'not locked'};"
            f" it must be in {COMPLIANCE} until {until:%FT%TZ}.",
            key=version.key,
            version_id=version.version_id,
        )
    return lock


def examine_objects(subject: Subject) -> tuple[Finding, ...]:
    """What is found of the envelope and the page of a report in the bucket."""
    index = subject.index
    if index is None:
        return (examined("sealed envelope", lambda: _unindexed(subject)),)
    found = histories(subject.services.evidence.bucket, subject.object_name)
    envelope_key, page_key = subject.object_name + ENVELOPE_ENDING, subject.object_name + PAGE_ENDING
    page = subject.report.page if subject.report else b""
    pinned = {envelope_key: index.version_id, page_key: index.page_version_id}
    return (
        examined("sealed envelope", lambda: _envelope(subject, found, index.object_key, pinned)),
        examined("sealed page", lambda: _sealed(subject, found, index.page_key, pinned, page)),
        examined("retention", lambda: _retention(subject, found, pinned, index.retain_until)),
        examined("other versions", lambda: _others(subject.services.evidence.bucket, found, pinned)),
    )


def examine_public_key(subject: Subject, key: PublicKey) -> str:
    """The copy of the public key in the bucket; EvidenceInvalid if there is none, or another."""
    bucket, name = subject.services.evidence.bucket, public_key_object(subject.environment, key)
    version = first_version(histories(bucket, name).get(name, ()))
    if version is None:
        if subject.index is None:
            return "Its public key is sealed with the report."
        raise EvidenceInvalid(f"The bucket has no copy of the public key: {name}.")
    if bucket.fetch(name, version.version_id) != key.pem.encode():
        raise EvidenceInvalid(f"The bucket holds another key as {name}, version {version.version_id}.")
    require_lock(bucket, version)
    return f"{name}, version {version.version_id}."


def _unindexed(subject: Subject) -> str | NotApplicable:
    """Of an envelope that the database has lost: whether the bucket still has it."""
    if subject.entry is not None:
        return NotApplicable("It waits to be sealed.")
    bucket, key = subject.services.evidence.bucket, subject.object_name + ENVELOPE_ENDING
    version = first_version(histories(bucket, key).get(key, ()))
    if version is None:
        raise EvidenceInvalid(f"The bucket does not hold {key}.", sequence=subject.sequence)
    if bucket.fetch(key, version.version_id) != subject.data:
        raise EvidenceInvalid(f"Version {version.version_id} of {key} holds other bytes.", sequence=subject.sequence)
    lock = require_lock(bucket, version)
    return f"{key}, version {version.version_id}, {lock}: the database has lost it, the bucket has not."


def _envelope(subject: Subject, found: Histories, key: str, pinned: Mapping[str, str]) -> str:
    if hashlib.sha256(subject.data).hexdigest() != subject.sha256:
        raise EvidenceInvalid("The envelope is not the one that its name is the SHA-256 of.", sequence=subject.sequence)
    return _sealed(subject, found, key, pinned, subject.data)


def _sealed(subject: Subject, found: Histories, key: str, pinned: Mapping[str, str], body: bytes) -> str:
    bucket, number = subject.services.evidence.bucket, subject.sequence
    if key not in pinned:
        raise EvidenceInvalid(
            f"The database has it sealed as {key}, but its name is {subject.object_name}.", sequence=number
        )
    version_id = pinned[key]
    if version_id not in {version.version_id for version in found.get(key, ()) if not version.is_delete_marker}:
        raise EvidenceInvalid(f"The bucket does not hold version {version_id} of {key}.", sequence=number)
    stored = bucket.fetch(key, version_id)
    if stored != body:
        raise EvidenceInvalid(
            f"Version {version_id} of {key} holds other bytes than the database:"
            f" SHA-256 {hashlib.sha256(stored).hexdigest()}, not {hashlib.sha256(body).hexdigest()}.",
            sequence=number,
        )
    return f"{key}, version {version_id}: byte for byte what the database has."


def _retention(
    subject: Subject, found: Histories, pinned: Mapping[str, str], recorded: datetime
) -> str | NotApplicable:
    """Both versions are locked for the time that reports are kept at least, the envelope as long as the database has it."""
    seen = []
    for key, version_id in pinned.items():
        version = next((it for it in found.get(key, ()) if it.version_id == version_id), None)
        if version is None:
            continue
        least = recorded if key.endswith(ENVELOPE_ENDING) else None
        seen.append(str(require_lock(subject.services.evidence.bucket, version, least)))
    return f"{' and '.join(dict.fromkeys(seen))}." if seen else NotApplicable("Nothing is there that could be locked.")


def _others(bucket: EvidenceBucket, found: Histories, pinned: Mapping[str, str]) -> str:
    """Nothing was put beside the sealed versions that a reader without their ids would see in their place."""
    again, strange = 0, []
    for key, history in found.items():
        sealed = next((it.version_id for it in history if it.version_id == pinned.get(key)), None)
        for version in history:
            if version.version_id == sealed:
                continue
            if version.is_delete_marker:
                strange.append(f"delete marker {version.version_id} on {key} of {version.last_modified:%FT%TZ}")
            elif sealed is not None and _same(bucket, key, version.version_id, sealed):
                again += 1
            else:
                strange.append(
                    f"version {version.version_id} of {key}, {version.size:,} bytes of {version.last_modified:%FT%TZ}"
                )
    if strange:
        raise EvidenceInvalid(f"Beside what was sealed there is: {'; '.join(strange)}. Find out who put it there.")
    return f"None, but for {again} with the same bytes." if again else "None."


def _same(bucket: EvidenceBucket, key: str, one: str, other: str) -> bool:
    return bucket.fetch(key, one) == bucket.fetch(key, other)
