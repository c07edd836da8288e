"""Evidence in a bucket with versions and Object Lock: probed, sealed, read back, and never deleted."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from seed_pipelines.adapters.evidence.bucket_objects import BucketObjects, Position, VersionPage
from seed_pipelines.adapters.evidence.stored_objects import (
    COMPLIANCE,
    NULL_VERSION,
    BucketFacts,
    DefaultRetention,
    ObjectLock,
    ObjectVersion,
    SealedObject,
)
from seed_pipelines.adapters.evidence.verification import Expected, sealed_version
from seed_pipelines.domain.retention import Retention
from seed_pipelines.errors import WormUnavailable

if TYPE_CHECKING:
    from seed_pipelines.adapters.evidence.bucket_requests import BucketRequests

PROBES: Final = "probes/"
MAX_BYTES: Final = 16 << 20
IN_FLIGHT: Final = timedelta(hours=1)
"""Far longer than a request takes: a lock is reckoned from before it, and must suffice from when the server stored it."""

_TRUSTED_FOR: Final = timedelta(minutes=5)
_PROBE_LOCK: Final = timedelta(minutes=1)
_PROBE_BODY: Final = b"Written to see whether this bucket locks what it is given.\n"

Answer = TypeVar("Answer")


class EvidenceBucket:
    """One bucket; every method raises WormUnavailable, in words that say what was found and what to do."""

    def __init__(
        self,
        bucket: str,
        retention: Retention,
        clock: Callable[[], datetime],
        *,
        endpoint_url: str | None = None,
        timeout: float = 10,
        max_clock_skew: timedelta = timedelta(minutes=5),
    ) -> None:
        """Credentials come from the usual AWS places; `endpoint_url` is for servers other than AWS.

        `clock` gives our time in UTC, from which the server's may differ by `max_clock_skew`; `timeout` is in seconds,
        for one silence of the server.
        """
        self._bucket = bucket
        self._retention = retention
        self._clock = clock
        self._endpoint_url = endpoint_url
        self._timeout = timeout
        self._max_clock_skew = max_clock_skew
        self._server_clock = _ServerClock()
        self._connection: BucketRequests | None = None

    def preflight(self) -> BucketFacts:
        """Whether the bucket would keep what is sealed in it, tried with an object that is locked for a minute."""
        return self._asked(self._probed)

    def seal(
        self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str], *, is_new: bool = False
    ) -> SealedObject:
        """Store a body for the whole retention, or find it stored, and read the version back.

        What `is_new` most likely is not there yet, and is stored before it is asked about, where the server's time is known.
        However often it is asked and wherever it broke off, a version that is good stays the only one. Versions and
        delete markers that others put above it are in `above`.
        """
        wanted = Expected(self._bucket, key, body, self._retention)
        return self._asked(partial(self._sealed, wanted, content_type, dict(metadata), is_new))

    def fetch(self, key: str, version_id: str | None = None, *, max_bytes: int = MAX_BYTES) -> bytes:
        """The bytes of a version, of the latest without an id, `max_bytes` of them at most."""
        return self._asked(lambda objects: objects.content(key, version_id, max_bytes))

    def lock(self, key: str, version_id: str) -> ObjectLock | None:
        """The retention of a version; None if it has none."""
        return self._asked(lambda objects: objects.lock(key, version_id))

    def versions(self, prefix: str) -> Iterator[ObjectVersion]:
        """Every version and delete marker of the keys with a prefix, by key, newest first."""
        page = self._asked(partial(_page, prefix, None))
        yield from page.versions
        while page.following is not None:
            page = self._asked(partial(_page, prefix, page.following))
            yield from page.versions

    def _asked(self, work: Callable[[BucketObjects], Answer]) -> Answer:
        from seed_pipelines.adapters.evidence.bucket_requests import (  # noqa: PLC0415 # boto3 is slow to import
            BucketRequests,
        )

        if self._connection is None:
            self._connection = BucketRequests(self._bucket, self._endpoint_url, self._timeout)
        return self._connection.asked(lambda s3: work(BucketObjects(s3, self._bucket)))

    def _sealed(
        self, wanted: Expected, content_type: str, metadata: Mapping[str, str], is_new: bool, objects: BucketObjects
    ) -> SealedObject:
        def put(server_date: datetime) -> None:
            until = self._retention.until(server_date + IN_FLIGHT)
            objects.put(wanted.key, wanted.body, content_type, metadata, until)

        server_date = self._server_clock.now() if is_new else None
        if server_date is not None:
            put(server_date)
        history = objects.history(wanted.key)
        self._require_time(history.server_date)
        if not history.versions:
            put(history.server_date)
            history = objects.history(wanted.key)
        return sealed_version(objects, wanted, history)

    def _probed(self, objects: BucketObjects) -> BucketFacts:
        versioning, server_date = objects.versioning()
        skew = self._require_time(server_date)
        if versioning != "Enabled":
            raise self._unfit(f"has versioning {versioning or 'off'}. Enable it, and see who suspended it.")
        default = objects.default_retention()
        self._require_default(default)
        key = f"{PROBES}{server_date:%Y%m%dT%H%M%SZ}-{secrets.token_hex(8)}"
        until = server_date + _PROBE_LOCK
        version_id = objects.put(key, _PROBE_BODY, "text/plain", {}, until)
        if version_id is None or version_id == NULL_VERSION:
            raise self._unfit(f"stored the probe {key} without a version of its own. See who suspended its versioning.")
        lock = self._probe_lock(objects, key, version_id, until)
        return BucketFacts(self._bucket, versioning, default, key, version_id, lock, server_date, skew)

    def _probe_lock(self, objects: BucketObjects, key: str, version_id: str, until: datetime) -> ObjectLock:
        lock, by_head = objects.lock(key, version_id), objects.heading(key, version_id).lock
        if lock is not None and _lasts(lock, until) and _lasts(by_head, until):
            return lock
        raise self._unfit(
            f"was asked to lock the probe {key} in {COMPLIANCE} until {until:%FT%TZ} and kept {lock or 'nothing'},"
            f" by HEAD {by_head or 'nothing'}. It cannot hold evidence: see whether its server knows object lock."
        )

    def _require_default(self, default: DefaultRetention | None) -> None:
        if default is None or (default.mode == COMPLIANCE and default.least >= self._retention.longest):
            return
        raise self._unfit(
            f"has a default retention of {default}. Remove it, or make it {COMPLIANCE} for {self._retention.longest.days}"
            f" days at least ({self._retention})."
        )

    def _require_time(self, server_date: datetime) -> timedelta:
        skew = server_date - self._clock()
        if abs(skew) > self._max_clock_skew:
            whole = timedelta(seconds=round(abs(skew).total_seconds()))
            raise self._unfit(
                f"has a clock that says {server_date:%FT%TZ}, {whole} {'ahead of' if skew > timedelta() else 'behind'} ours."
                f" {self._max_clock_skew} are allowed, as retentions are reckoned by it: set both clocks by NTP."
            )
        self._server_clock.set(server_date)
        return skew

    def _unfit(self, words: str) -> WormUnavailable:
        return WormUnavailable(f"The bucket {self._bucket} {words}", bucket=self._bucket)


class _ServerClock:
    """The time of the server, reckoned from when it was told last, whatever becomes of our own clock."""

    def __init__(self) -> None:
        self._told: tuple[datetime, float] | None = None

    def set(self, server_date: datetime) -> None:
        """It was told now, and is near ours."""
        self._told = server_date, time.monotonic()

    def now(self) -> datetime | None:
        """The time; None where it was not told within a few minutes."""
        if self._told is None:
            return None
        server_date, then = self._told
        passed = timedelta(seconds=time.monotonic() - then)
        return server_date + passed if passed < _TRUSTED_FOR else None


def _page(prefix: str, after: Position | None, objects: BucketObjects) -> VersionPage:
    return objects.page(prefix, after)


def _lasts(lock: ObjectLock | None, until: datetime) -> bool:
    return lock is not None and lock.mode == COMPLIANCE and lock.retain_until >= until
