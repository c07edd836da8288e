"""A whole world for a seed run, made of fakes: what unit tests of the use cases and of Dagster start from."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from uuid import NAMESPACE_DNS, UUID, uuid5

from seed_pipelines.adapters.postgres.reports import Report
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.adapters.row_files import RowFileStore
from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.manifest import Manifest, manifest_hash, read_manifest
from seed_pipelines.domain.manifest_baseline import minimal_baseline
from seed_pipelines.domain.stub_addresses import StubAddresses
from seed_pipelines.seeding.authorization import Caller
from seed_pipelines.seeding.evidence_services import EvidenceServices
from seed_pipelines.seeding.integration_services import IntegrationServices
from seed_pipelines.seeding.recorded_work import RecordedWork
from seed_pipelines.seeding.request import SeedRequest
from seed_pipelines.seeding.sealing import compose
from seed_pipelines.seeding.seed_run import Session
from seed_pipelines.seeding.services import Services
from seed_pipelines_tests.fakes import (
    FakeControl,
    FakeEvidenceBucket,
    FakeKeys,
    FakeReports,
    FakeSigner,
    FakeStubs,
    FakeTables,
    FakeTelemetry,
)
from seed_pipelines_tests.fakes.limits import FakeLimits

REFERENCE = datetime(2025, 1, 1, tzinfo=UTC)
IN_WINDOW = datetime(2025, 6, 1, 2, 0, tzinfo=UTC)
TENANT = Tenant(uuid5(NAMESPACE_DNS, "tenant-a.seed-pipelines.example"), "tenant-a")
OTHER_TENANT = Tenant(uuid5(NAMESPACE_DNS, "tenant-b.seed-pipelines.example"), "tenant-b")
GENERATED = ENTITIES
CALLER = Caller("00000000-0000-4000-8000-000000000001")


def catalogue(rows_per_shard: int = 50_000, caps: int = 10_000_000) -> Catalogue:
    """The packaged catalogue with other caps and another shard size."""
    packaged = Catalogue.packaged()
    larger = {name: {"base": caps, "load": caps} for name in packaged.entities}
    document = packaged.model_dump(mode="json") | {"rows_per_shard": rows_per_shard, "entities": larger}
    return Catalogue.model_validate(document)


def manifest(
    customers: int = 100, bank_accounts: int = 120, *, in_catalogue: Catalogue | None = None, **changes: Any
) -> Manifest:
    """A sealed baseline manifest of tenant-a in staging; `changes` replace top-level members."""
    limits = in_catalogue or catalogue()
    document = minimal_baseline("tenant-a", "staging", reference_datetime=REFERENCE, catalogue=limits)
    document["volumetry"] = {"customers": {"cap": customers}, "bank_accounts": {"cap": bank_accounts}}
    document |= changes
    document["integrity"] = {"manifest_hash": manifest_hash(document)}
    return read_manifest(document, limits, GENERATED)


def manifest_of_every_entity(
    customers: int = 100, *, in_catalogue: Catalogue | None = None, **changes: Any
) -> Manifest:
    """A manifest that names all entities there are, in the proportions of the packaged catalogue."""
    caps = Catalogue.packaged().entities
    per_customer = caps["customers"].base
    volumetry = {e.name: {"cap": max(1, caps[e.name].base * customers // per_customer)} for e in GENERATED}
    return manifest(in_catalogue=in_catalogue, **{"volumetry": volumetry, **changes})


@dataclass
class World:
    """Fakes, a clock that stands still, and the requests that fit them."""

    directory: Path
    now: datetime = IN_WINDOW
    control: FakeControl = field(default_factory=lambda: FakeControl("staging", (TENANT, OTHER_TENANT)))
    tables: FakeTables = field(default_factory=FakeTables)
    keys: FakeKeys = field(default_factory=FakeKeys)
    catalogue: Catalogue = field(default_factory=catalogue)
    finished: set[str] = field(default_factory=set)
    bucket: FakeEvidenceBucket = field(default_factory=FakeEvidenceBucket)
    signer: FakeSigner = field(default_factory=FakeSigner)
    telemetry: FakeTelemetry = field(default_factory=FakeTelemetry)
    seal_by: Literal["run", "sensor"] = "run"
    seal_deadline_seconds: float = 60

    @cached_property
    def reports(self) -> FakeReports:
        """The reports of the world's runs."""
        return FakeReports(self.control)

    stubs: StubAddresses = field(default_factory=StubAddresses)
    stub_client: FakeStubs = field(default_factory=FakeStubs)
    limits: FakeLimits = field(default_factory=FakeLimits)
    paused: list[float] = field(default_factory=list)
    """Seconds that somebody waited."""
    on_pause: Callable[[], object] = lambda: None
    """What happens meanwhile."""

    def pause(self, seconds: float) -> None:
        """Wait, in a test's time."""
        self.paused.append(seconds)
        self.on_pause()

    @property
    def services(self) -> Services:
        """The services of a use case."""
        return Services(
            control=self.control,
            target=self.tables,
            keys=self.keys,
            row_files=RowFileStore(str(self.directory)),
            catalogue=self.catalogue,
            clock=lambda: self.now,
            evidence=EvidenceServices(
                reports=self.reports,
                log=self.reports,
                bucket=self.bucket,
                signer=self.signer,
                seal_by=self.seal_by,
                deadline_seconds=self.seal_deadline_seconds,
                git_commit=None,
            ),
            integrations=IntegrationServices(self.stubs, self.stub_client, self.limits, self.pause),
            lease_ttl_seconds=60,
            holder_finished=self.finished.__contains__,
            telemetry=self.telemetry,
        )

    def request(self, wanted: Manifest | None = None, *, origin: str = "run-1", **changes: Any) -> SeedRequest:
        """A request to seed tenant-a in staging, under a key of its origin."""
        read = wanted or manifest(in_catalogue=self.catalogue)
        tenant: UUID | str = changes.pop("tenant", TENANT.tenant_id)
        environment: str = changes.pop("environment", "staging")
        changes.setdefault("idempotency_key", f"key of {origin}")
        return SeedRequest(origin=origin, tenant=tenant, environment=environment, read_manifest=lambda: read, **changes)


def reported(session: Session) -> Report:
    """The report of a run that did all of its work; it waits to be sealed."""
    return compose(session, RecordedWork.of(session), "succeeded")
