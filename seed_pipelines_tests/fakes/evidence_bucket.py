"""A bucket in memory that keeps whatever is sealed in it."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from seed_pipelines.adapters.evidence.stored_objects import COMPLIANCE, ObjectLock, ObjectVersion, SealedObject
from seed_pipelines.errors import WormUnavailable

STORED = datetime(2025, 6, 1, 2, 0, tzinfo=UTC)
RETAINED = STORED + timedelta(days=1_856)


@dataclass
class FakeEvidenceBucket:
    """One version of each key; a test says when the bucket is away."""

    away: bool = False
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """The keys that were to be sealed, each time."""
    probes: int = 0

    def preflight(self) -> object:
        self._answer()
        self.probes += 1
        return None

    def seal(
        self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str], *, is_new: bool = False
    ) -> SealedObject:
        self.asked.append(key)
        self._answer()
        if self.objects.setdefault(key, body) != body:
            raise WormUnavailable(f"{key} holds other bytes.")
        return SealedObject(
            bucket="fake-evidence",
            key=key,
            version_id="v1",
            sha256=hashlib.sha256(body).hexdigest(),
            size=len(body),
            mode=COMPLIANCE,
            retain_until=RETAINED,
            stored_at=STORED,
            server_date=STORED,
            above=(),
        )

    def fetch(self, key: str, version_id: str | None = None) -> bytes:
        self._answer()
        if key not in self.objects:
            raise WormUnavailable(f"{key} is not there.")
        return self.objects[key]

    def lock(self, key: str, version_id: str) -> ObjectLock | None:
        self._answer()
        return ObjectLock(COMPLIANCE, RETAINED)

    def versions(self, prefix: str) -> Iterator[ObjectVersion]:
        self._answer()
        for key in sorted(key for key in self.objects if key.startswith(prefix)):
            yield ObjectVersion(key, "v1", len(self.objects[key]), STORED, is_latest=True, is_delete_marker=False)

    def _answer(self) -> None:
        if self.away:
            raise WormUnavailable("The fake bucket is away.")
