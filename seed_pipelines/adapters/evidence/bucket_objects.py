"""The versions in a bucket, their bytes and their locks: one request for one question."""

import base64
import hashlib
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from seed_pipelines.adapters.evidence.stored_objects import (
    COMPLIANCE,
    NULL_VERSION,
    DefaultRetention,
    ObjectLock,
    ObjectVersion,
)
from seed_pipelines.errors import WormUnavailable

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

_NO_RETENTION: Final = "NoSuchObjectLockConfiguration"
_METADATA: Final = "ResponseMetadata"


def checksum(body: bytes) -> str:
    """SHA-256 as S3 writes it: base64."""
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def code_of(error: "ClientError") -> str:
    """S3's error code; for HEAD, whose answers have none, the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: "ClientError") -> int:
    """The HTTP status of an error."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


class Position(NamedTuple):
    """Where a listing goes on."""

    key: str
    version_id: str


@dataclass(frozen=True)
class VersionPage:
    """Versions in the order of their keys, newest first, and the server's clock when it listed them."""

    versions: tuple[ObjectVersion, ...]
    following: Position | None
    """None after the last page."""
    server_date: datetime


@dataclass(frozen=True)
class Heading:
    """What stands above a version, in the answers to HEAD and GET."""

    checksum: str | None
    """SHA-256 as the server keeps it, in base64; None if it keeps none."""
    lock: ObjectLock | None


class BucketObjects:
    """Asks one bucket; every failure of a request is raised as botocore has it, what makes no sense as WormUnavailable."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def versioning(self) -> tuple[str | None, datetime]:
        """`Enabled`, `Suspended`, or None where it was never on; and the server's clock."""
        answer = self._s3.get_bucket_versioning(Bucket=self._bucket)
        return answer.get("Status"), self._date(answer)

    def default_retention(self) -> DefaultRetention | None:
        """The default retention, if there is one; WormUnavailable where object lock is not enabled."""
        settings = self._s3.get_object_lock_configuration(Bucket=self._bucket).get("ObjectLockConfiguration", {})
        if settings.get("ObjectLockEnabled") != "Enabled":
            raise self._unfit("has no object lock. Make a bucket with object lock enabled for evidence.")
        default = settings.get("Rule", {}).get("DefaultRetention")
        if not default:
            return None
        return DefaultRetention(default.get("Mode", ""), default.get("Days"), default.get("Years"))

    def page(self, prefix: str, after: Position | None) -> VersionPage:
        """Up to 1,000 versions and delete markers of the keys with a prefix."""
        marker: dict[str, Any] = {}
        if after is not None:
            marker["KeyMarker"] = after.key
        if after is not None and after.version_id:
            marker["VersionIdMarker"] = after.version_id
        answer = self._s3.list_object_versions(Bucket=self._bucket, Prefix=prefix, **marker)
        listed = [
            *(_version(entry) for entry in answer.get("Versions", [])),
            *(_version(entry, is_delete_marker=True) for entry in answer.get("DeleteMarkers", [])),
        ]
        listed.sort(key=lambda version: (version.last_modified, version.is_latest), reverse=True)
        listed.sort(key=lambda version: version.key)
        following = None
        if answer.get("IsTruncated"):
            following = Position(answer.get("NextKeyMarker", ""), answer.get("NextVersionIdMarker", ""))
            if following in (after, Position("", "")):
                raise self._unfit(f"lists the versions of {prefix} without end. See the state of the server.")
        return VersionPage(tuple(listed), following, self._date(answer))

    def history(self, key: str) -> VersionPage:
        """Every version and delete marker of one key, oldest first."""
        found: list[ObjectVersion] = []
        after: Position | None = None
        while True:
            page = self.page(key, after)
            found += [version for version in page.versions if version.key == key]
            after = page.following
            if after is None or after.key != key:
                return VersionPage(tuple(reversed(found)), None, page.server_date)

    def put(
        self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str], retain_until: datetime
    ) -> str | None:
        """Store a first version, locked; its id, or None where something was there before."""
        try:
            answer = self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=body,
                ContentType=content_type,
                Metadata=metadata,
                ChecksumSHA256=checksum(body),
                IfNoneMatch="*",
                ObjectLockMode=COMPLIANCE,
                ObjectLockRetainUntilDate=retain_until,
            )
        except self._s3.exceptions.ClientError as error:
            if status_of(error) == HTTPStatus.PRECONDITION_FAILED:
                return None
            raise
        return answer.get("VersionId", NULL_VERSION)

    def heading(self, key: str, version_id: str) -> Heading:
        """Checksum and lock of a version, by HEAD."""
        answer = self._s3.head_object(Bucket=self._bucket, Key=key, VersionId=version_id, ChecksumMode="ENABLED")
        self._require_version(key, version_id, answer)
        return _heading(answer)

    def lock(self, key: str, version_id: str) -> ObjectLock | None:
        """The retention of a version, by GetObjectRetention; None if it has none."""
        try:
            answer = self._s3.get_object_retention(Bucket=self._bucket, Key=key, VersionId=version_id)
        except self._s3.exceptions.ClientError as error:
            if code_of(error) == _NO_RETENTION:
                return None
            raise
        retention = answer.get("Retention", {})
        mode, until = retention.get("Mode"), retention.get("RetainUntilDate")
        return ObjectLock(mode, until) if mode and until else None

    def content(self, key: str, version_id: str | None, max_bytes: int) -> bytes:
        """The bytes of a version, of the latest without an id; WormUnavailable if they are more than `max_bytes`."""
        version: dict[str, Any] = {"VersionId": version_id} if version_id else {}
        answer = self._s3.get_object(Bucket=self._bucket, Key=key, **version)
        with closing(answer["Body"]) as body:
            if version_id:
                self._require_version(key, version_id, answer)
            return self._read(key, body, max_bytes)

    def content_and_heading(self, key: str, version_id: str, max_bytes: int) -> tuple[bytes, Heading]:
        """The bytes of a version, which have the checksum that the server keeps, and its heading; as `content` otherwise."""
        answer = self._s3.get_object(Bucket=self._bucket, Key=key, VersionId=version_id, ChecksumMode="ENABLED")
        with closing(answer["Body"]) as body:
            self._require_version(key, version_id, answer)
            return self._read(key, body, max_bytes), _heading(answer)

    def _read(self, key: str, body: "StreamingBody", max_bytes: int) -> bytes:
        content: bytes = body.read(max_bytes + 1)
        if len(content) > max_bytes or body.read(1):  # reading past the end also tells whether it was cut off
            raise self._unfit(f"holds more than {max_bytes} bytes as {key}. It is none of this program's reports.")
        return content

    def _require_version(self, key: str, version_id: str, answer: Mapping[str, Any]) -> None:
        given = answer.get("VersionId", NULL_VERSION)
        if given != version_id:
            raise self._unfit(f"was asked for version {version_id} of {key} and gave {given}. It cannot hold evidence.")

    def _date(self, answer: Mapping[str, Any]) -> datetime:
        said = answer[_METADATA].get("HTTPHeaders", {}).get("date", "")
        try:
            return parsedate_to_datetime(said).astimezone(UTC)
        except ValueError as error:
            raise self._unfit("does not say what time it is (header Date). It cannot hold evidence.") from error

    def _unfit(self, words: str) -> WormUnavailable:
        return WormUnavailable(f"The bucket {self._bucket} {words}", bucket=self._bucket)


def _heading(answer: Mapping[str, Any]) -> Heading:
    mode, until = answer.get("ObjectLockMode"), answer.get("ObjectLockRetainUntilDate")
    lock = ObjectLock(mode, until) if mode and until else None
    return Heading(answer.get("ChecksumSHA256"), lock)


def _version(entry: Any, *, is_delete_marker: bool = False) -> ObjectVersion:
    return ObjectVersion(
        key=entry["Key"],
        version_id=entry.get("VersionId", NULL_VERSION),
        size=entry.get("Size", 0),
        last_modified=entry["LastModified"],
        is_latest=entry.get("IsLatest", False),
        is_delete_marker=is_delete_marker,
    )
