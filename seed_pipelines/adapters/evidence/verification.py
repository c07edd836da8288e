"""Which version under a key is the sealed one: the earliest that holds the right bytes under a lock long enough."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from seed_pipelines.adapters.evidence.bucket_objects import BucketObjects, Heading, VersionPage, checksum
from seed_pipelines.adapters.evidence.stored_objects import (
    COMPLIANCE,
    NULL_VERSION,
    ObjectLock,
    ObjectVersion,
    SealedObject,
)
from seed_pipelines.domain.retention import Retention
from seed_pipelines.errors import WormUnavailable

_SEAL_AGAIN: Final = "Asking to seal again is safe."


@dataclass(frozen=True)
class Expected:
    """What the sealed version must be."""

    bucket: str
    key: str
    body: bytes
    retention: Retention


def sealed_version(objects: BucketObjects, expected: Expected, history: VersionPage) -> SealedObject:
    """Find the sealed version in the history of its key, read back by GET and GetObjectRetention.

    A version without versioning or with a weaker lock is passed over for a later one. Other bytes before the sealed
    version, and a history without one, are WormUnavailable.
    """
    weak: WormUnavailable | None = None
    for place, version in enumerate(history.versions):
        if version.is_delete_marker:
            continue
        heading = _with_right_bytes(objects, expected, version)
        try:
            lock = _required_lock(objects, expected, version, heading)
        except _WeakVersionError as found:
            weak = weak or _unfit(expected, version, str(found))
            continue
        return _sealed(expected, history, version, lock, above=history.versions[place + 1 :])
    raise weak or _nothing(expected, history.versions)


class _WeakVersionError(Exception):
    """The bytes are right, and could be replaced or deleted too early."""


def _with_right_bytes(objects: BucketObjects, expected: Expected, version: ObjectVersion) -> Heading:
    """The heading of a version that holds the right bytes."""
    if version.size == len(expected.body):
        found, heading = objects.content_and_heading(version.key, version.version_id, version.size)
        if hashlib.sha256(found).digest() == hashlib.sha256(expected.body).digest():
            return heading
    raise _unfit(
        expected,
        version,
        f"holds other bytes ({version.size} of them, {len(expected.body)} expected), stored {version.last_modified:%FT%TZ}."
        " Find out who wrote them, or whether the server damages what it stores; nothing can be sealed under this key.",
    )


def _required_lock(objects: BucketObjects, expected: Expected, version: ObjectVersion, heading: Heading) -> ObjectLock:
    if version.version_id == NULL_VERSION:
        raise _WeakVersionError(
            "was stored without versioning, so that the next write replaces it. Enable versioning, see who suspended it,"
            " and have this version removed."
        )
    if heading.checksum not in (None, checksum(expected.body)):
        raise _unfit(
            expected,
            version,
            "has another checksum by its headers than its bytes have. The server cannot be trusted.",
        )
    lock = objects.lock(version.key, version.version_id)
    if lock is None or heading.lock is None:
        raise _WeakVersionError(f"carries no retention that can be read back. {_cure(expected, version)}")
    for found in (lock, heading.lock):
        if found.mode != COMPLIANCE:
            raise _WeakVersionError(f"is locked in mode {found.mode}, which can be lifted. {_cure(expected, version)}")
        if found.retain_until < expected.retention.until(version.last_modified):
            raise _WeakVersionError(f"is locked until {found.retain_until:%FT%TZ} only. {_cure(expected, version)}")
    return min(lock, heading.lock, key=lambda found: found.retain_until)


def _cure(expected: Expected, version: ObjectVersion) -> str:
    until = expected.retention.until(version.last_modified)
    return (
        f"It must be {COMPLIANCE} until {until:%FT%TZ} ({expected.retention}): have the bucket's administrator lock this"
        f" version so with PutObjectRetention, and check that the server keeps what it is asked for. {_SEAL_AGAIN}"
    )


def _sealed(
    expected: Expected, history: VersionPage, version: ObjectVersion, lock: ObjectLock, above: Sequence[ObjectVersion]
) -> SealedObject:
    return SealedObject(
        bucket=expected.bucket,
        key=version.key,
        version_id=version.version_id,
        sha256=hashlib.sha256(expected.body).hexdigest(),
        size=version.size,
        mode=lock.mode,
        retain_until=lock.retain_until,
        stored_at=version.last_modified,
        server_date=history.server_date,
        above=tuple(above),
    )


def _nothing(expected: Expected, versions: Sequence[ObjectVersion]) -> WormUnavailable:
    found = (
        "only a delete marker. Find out who deleted there; once the marker is removed, sealing goes on."
        if versions
        else f"nothing, although it took the object or said that one is there. See the state of the server. {_SEAL_AGAIN}"
    )
    return WormUnavailable(
        f"The bucket {expected.bucket} lists under {expected.key} {found}", bucket=expected.bucket, key=expected.key
    )


def _unfit(expected: Expected, version: ObjectVersion, words: str) -> WormUnavailable:
    return WormUnavailable(
        f"Version {version.version_id} of {version.key} in the bucket {expected.bucket} {words}",
        bucket=expected.bucket,
        key=version.key,
        version_id=version.version_id,
    )
