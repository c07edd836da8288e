"""Runs in a world of fakes that were seeded, reported and sealed, and a bucket that does not keep what it is given."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from seed_pipelines.adapters.evidence.stored_objects import ObjectLock, ObjectVersion
from seed_pipelines.adapters.postgres.reports import Evidence, Report
from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.seeding.generation import generate
from seed_pipelines.seeding.loading import load
from seed_pipelines.seeding.outbox import seal_checkpoint
from seed_pipelines.seeding.reporting import check_and_record
from seed_pipelines.seeding.sealing import finish
from seed_pipelines.seeding.seed_run import Session, enter
from seed_pipelines.seeding.verification.findings import Verification
from seed_pipelines.seeding.verification.run import Scope, verify_run
from seed_pipelines_tests.fakes import FakeEvidenceBucket
from seed_pipelines_tests.fakes.evidence_bucket import STORED
from seed_pipelines_tests.worlds import CALLER, TENANT, World


@dataclass
class OpenBucket(FakeEvidenceBucket):
    """Keeps further versions, delete markers and other locks."""

    later: dict[str, list[bytes | None]] = field(default_factory=dict)
    """Key -> what was put above the sealed version, oldest first; None is a delete marker."""
    locks: dict[str, ObjectLock | None] = field(default_factory=dict)

    def fetch(self, key: str, version_id: str | None = None) -> bytes:
        if version_id in (None, "v1"):
            return super().fetch(key, version_id)
        body = self.later[key][int(str(version_id).removeprefix("v")) - 2]
        assert body is not None
        return body

    def lock(self, key: str, version_id: str) -> ObjectLock | None:
        return self.locks[key] if key in self.locks else super().lock(key, version_id)

    def versions(self, prefix: str) -> Iterator[ObjectVersion]:
        for sealed in super().versions(prefix):
            bodies = self.later.get(sealed.key, [])
            for number, body in reversed(list(enumerate(bodies, start=2))):
                yield ObjectVersion(
                    sealed.key,
                    f"v{number}",
                    len(body or b""),
                    STORED + timedelta(days=number),
                    is_latest=number == len(bodies) + 1,
                    is_delete_marker=body is None,
                )
            yield replace(sealed, is_latest=not bodies)


@dataclass
class SealedWorld(World):
    """A world whose bucket is open to everybody."""

    bucket: OpenBucket = field(default_factory=OpenBucket)

    @property
    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Entity -> the rows of the tenant in the database."""
        return {name: rows for (tenant_id, name), rows in self.tables.rows.items() if tenant_id == TENANT.tenant_id}

    def run(self, origin: str, wanted: Manifest | None = None, *, head: bool = True) -> Report:
        """Seed, report and seal a run, and the head of the log after it."""
        session = self.begin(origin, wanted)
        finish(session)
        if head:
            seal_checkpoint(self.services, "staging")
        return self.reports.composed[session.run.seed_run_id, session.run.attempt]

    def begin(self, origin: str, wanted: Manifest | None = None) -> Session:
        """Seed a run that is still to be reported."""
        session = enter(self.services, self.request(wanted, origin=origin))
        for shard in session.plan.shards:
            for entity in session.plan.entities_of(shard):
                generate(session, entity, shard)
            load(session, shard)
            check_and_record(session, shard)
        return session

    def evidence(self, report: Report) -> Evidence:
        """Where a report is sealed."""
        return self.reports.index[report.seed_run_id, report.attempt]

    def forget(self, report: Report) -> None:
        """Take a report out of the database."""
        self.reports.index.pop((report.seed_run_id, report.attempt), None)
        del self.reports.composed[report.seed_run_id, report.attempt]

    def verified(self, report: Report, *, rows: bool = False, chain: bool = True) -> Verification:
        """What is found of a report, all that is there being looked at."""
        scope = Scope(chain=chain, rows=rows)
        return verify_run(self.services, "staging", str(report.seed_run_id), CALLER, scope=scope)


def sealed_world(directory: Path) -> SealedWorld:
    """A world without runs."""
    return SealedWorld(directory)


def results(found: Verification) -> dict[str, str]:
    """What was looked at -> the result."""
    return {finding.what: finding.result for finding in found.findings}


def failed(found: Verification) -> dict[str, str]:
    """What failed -> what it says."""
    return {finding.what: finding.says for finding in found.failures}


def flipped(data: bytes, place: int = -1) -> bytes:
    """The bytes with one bit changed."""
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)
