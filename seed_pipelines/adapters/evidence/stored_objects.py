"""What a bucket says of the objects in it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

COMPLIANCE: Final = "COMPLIANCE"
"""The mode of Object Lock that nobody can lift or shorten, whoever it is."""
NULL_VERSION: Final = "null"
"""The version id of what is stored while versioning is off or suspended; the next write replaces it."""


@dataclass(frozen=True)
class ObjectVersion:
    """One version of an object, or the marker that a deletion left."""

    key: str
    version_id: str
    size: int
    """In bytes; 0 for a delete marker."""
    last_modified: datetime
    """When it was stored, by the server's clock."""
    is_latest: bool
    is_delete_marker: bool


@dataclass(frozen=True)
class ObjectLock:
    """The retention of one version."""

    mode: str
    retain_until: datetime

    def __str__(self) -> str:
        return f"{self.mode} until {self.retain_until:%FT%TZ}"


@dataclass(frozen=True)
class DefaultRetention:
    """What a bucket gives to an object that is stored without a retention of its own."""

    mode: str
    days: int | None
    years: int | None

    @property
    def least(self) -> timedelta:
        """The shortest that it lasts."""
        return timedelta(days=(self.days or 0) + 365 * (self.years or 0))

    def __str__(self) -> str:
        length = f"{self.years} years" if self.years else f"{self.days or 0} days"
        return f"{self.mode}, {length}"


@dataclass(frozen=True)
class BucketFacts:
    """A bucket that can hold evidence, as a probe found it."""

    bucket: str
    versioning: str
    default_retention: DefaultRetention | None
    probe_key: str
    probe_version_id: str
    probe_lock: ObjectLock
    server_date: datetime
    clock_skew: timedelta
    """How far the server's clock is ahead of ours."""


@dataclass(frozen=True)
class SealedObject:
    """An object whose version was read back: its bytes, and a lock that lasts as long as it must."""

    bucket: str
    key: str
    version_id: str
    sha256: str
    """Of the bytes read back, in hexadecimal digits."""
    size: int
    mode: str
    retain_until: datetime
    stored_at: datetime
    """When this version was stored, by the server's clock: the same however often it is asked."""
    server_date: datetime
    """The server's clock when this version was found."""
    above: tuple[ObjectVersion, ...]
    """Later versions and delete markers under the same key, oldest first; a reader without the version id sees the last."""
