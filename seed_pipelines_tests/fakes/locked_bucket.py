"""A bucket with versions and Object Lock, in memory."""

import base64
import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from xml.sax.saxutils import escape

from seed_pipelines_tests.fakes.s3_exchanges import Answer, Request, failure


@dataclass(frozen=True)
class Stored:
    """One version; a body of None is a delete marker."""

    key: str
    version_id: str
    body: bytes | None
    stored_at: datetime
    mode: str = ""
    until: str = ""


@dataclass
class LockedBucket:
    """Answers as S3 does to what the program may ask, and to nothing else."""

    now: datetime = datetime(2026, 11, 24, 14, 17, 44, tzinfo=UTC)
    versioning: str = "Enabled"
    lock_configuration: str | None = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"
    knows_conditions: bool = True
    """Whether `If-None-Match` is understood."""
    page_size: int = 1_000
    stored: list[Stored] = field(default_factory=list)
    """Oldest first."""
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        answers: dict[str, Callable[[Request], Answer]] = {
            "GetBucketVersioning": lambda _: self._document(
                "VersioningConfiguration", f"<Status>{self.versioning}</Status>" if self.versioning else ""
            ),
            "GetObjectLockConfiguration": self._configuration,
            "ListObjectVersions": self._listing,
            "GetObjectRetention": self._retention,
            "PutObject": self._put,
            "GetObject": self._get,
            "HeadObject": self._get,
        }
        return answers[request.operation](request)

    def keep(
        self, key: str, body: bytes | None, *, age: timedelta = timedelta(), mode: str = "", until: str = ""
    ) -> str:
        """Store a version, or leave a delete marker, as somebody else; its id."""
        version_id = f"v{next(self.numbers)}" if self.versioning == "Enabled" else "null"
        self.stored.append(Stored(key, version_id, body, self.now - age, mode, until))
        return version_id

    def _configuration(self, request: Request) -> Answer:
        if self.lock_configuration is None:
            return failure(request, 404, "ObjectLockConfigurationNotFoundError")
        return self._document("ObjectLockConfiguration", self.lock_configuration)

    def _listing(self, request: Request) -> Answer:
        prefix, key_marker = request.query.get("prefix", ""), request.query.get("key-marker", "")
        version_marker = request.query.get("version-id-marker", "")
        listed = sorted(
            (it for it in reversed(self.stored) if it.key.startswith(prefix)), key=lambda version: version.key
        )
        begin = next(
            (at + 1 for at, it in enumerate(listed) if (it.key, it.version_id) == (key_marker, version_marker)), 0
        )
        page, rest = listed[begin : begin + self.page_size], listed[begin + self.page_size :]
        more = f"<IsTruncated>{'true' if rest else 'false'}</IsTruncated>"
        if rest:
            more += (
                f"<NextKeyMarker>{escape(page[-1].key)}</NextKeyMarker>"
                f"<NextVersionIdMarker>{page[-1].version_id}</NextVersionIdMarker>"
            )
        return self._document("ListVersionsResult", more + "".join(self._entry(version) for version in page))

    def _entry(self, version: Stored) -> str:
        latest = [it for it in self.stored if it.key == version.key][-1]
        tag = "DeleteMarker" if version.body is None else "Version"
        size = "" if version.body is None else f"<Size>{len(version.body)}</Size>"
        return (
            f"<{tag}><Key>{escape(version.key)}</Key><VersionId>{version.version_id}</VersionId>"
            f"<IsLatest>{'true' if version is latest else 'false'}</IsLatest>"
            f"<LastModified>{version.stored_at:%FT%T.000Z}</LastModified>{size}</{tag}>"
        )

    def _put(self, request: Request) -> Answer:
        current = [it for it in self.stored if it.key == request.key and it.body is not None]
        if self.knows_conditions and request.headers.get("If-None-Match") == "*" and current:
            return failure(request, 412, "PreconditionFailed")
        digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
        if request.headers.get("x-amz-checksum-sha256") != digest:
            return failure(request, 400, "BadDigest")
        version_id = self.keep(
            request.key,
            request.body,
            mode=request.headers.get("x-amz-object-lock-mode", ""),
            until=request.headers.get("x-amz-object-lock-retain-until-date", ""),
        )
        return self._answer({"ETag": '"0"'} | ({"x-amz-version-id": version_id} if version_id != "null" else {}))

    def _get(self, request: Request) -> Answer:
        found = self._find(request)
        if found is None or found.body is None:
            return failure(request, 404, "NoSuchKey")
        headers = {"Content-Length": str(len(found.body)), "x-amz-version-id": found.version_id}
        if found.mode:
            headers |= {"x-amz-object-lock-mode": found.mode, "x-amz-object-lock-retain-until-date": found.until}
        if request.headers.get("x-amz-checksum-mode") == "ENABLED":
            headers["x-amz-checksum-sha256"] = base64.b64encode(hashlib.sha256(found.body).digest()).decode()
        return self._answer(headers, found.body)

    def _retention(self, request: Request) -> Answer:
        found = self._find(request)
        if found is None:
            return failure(request, 404, "NoSuchVersion")
        if not found.mode:
            return failure(request, 404, "NoSuchObjectLockConfiguration")
        return self._document("Retention", f"<Mode>{found.mode}</Mode><RetainUntilDate>{found.until}</RetainUntilDate>")

    def _find(self, request: Request) -> Stored | None:
        wanted = request.query.get("versionId")
        found: Sequence[Stored] = [
            it for it in self.stored if it.key == request.key and wanted in (None, it.version_id)
        ]
        return found[-1] if found else None

    def _document(self, name: str, content: str) -> Answer:
        space = "http://s3.amazonaws.com/doc/2006-03-01/"
        return self._answer({}, f'<?xml version="1.0"?><{name} xmlns="{space}">{content}</{name}>'.encode())

    def _answer(self, headers: dict[str, str], body: bytes = b"") -> Answer:
        return Answer(200, {"Date": format_datetime(self.now, usegmt=True), **headers}, body)
