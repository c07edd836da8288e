"""The resource through which assets reach the outside systems."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

from dagster import DagsterInstance

from seed_pipelines.adapters.evidence.bucket import EvidenceBucket
from seed_pipelines.adapters.manifest_files import load_file
from seed_pipelines.adapters.outbound import OutboundClient
from seed_pipelines.adapters.postgres.control import PostgresControl
from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.rate_limits import PostgresRateLimits
from seed_pipelines.adapters.postgres.report_log import ReportLog
from seed_pipelines.adapters.postgres.reports import ReportStore
from seed_pipelines.adapters.postgres.security_proofs import SecurityProofs
from seed_pipelines.adapters.postgres.seeded_tables import PostgresTables
from seed_pipelines.adapters.row_files import RowFileStore
from seed_pipelines.adapters.transit_signing import TransitSigner
from seed_pipelines.adapters.vault import TransitKeys
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.orchestration.runs import is_finished
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.seeding.evidence_services import EvidenceServices
from seed_pipelines.seeding.integration_services import IntegrationServices
from seed_pipelines.seeding.services import Services
from seed_pipelines.seeding.telemetry import NOWHERE, Telemetry


class Seeding(Protocol):
    """Gives the use cases what they reach, and reads manifests."""

    def services(self, environment: str, instance: DagsterInstance) -> Services:
        """The outside systems of one environment."""

    def read_manifest(self, path: Path) -> Manifest:
        """The manifest in a file, validated anew."""

    def now(self) -> datetime:
        """The time, in UTC, where no outside system is asked."""


class SeedingFromSettings:
    """The real outside systems, where the settings say they are; connected when first used."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._proofs = SecurityProofs()
        self._databases: dict[str, Database] = {}

    def services(self, environment: str, instance: DagsterInstance) -> Services:
        """The outside systems of one environment; Vault keys are asked for once per process."""
        settings = self._settings
        control = self._database(settings.control_database_url.replace("{environment}", environment))
        target = self._database(settings.database_url.replace("{environment}", environment))
        return Services(
            control=PostgresControl(control, settings.lease_ttl_seconds),
            target=PostgresTables(target, self._proofs),
            keys=self._keys,
            row_files=RowFileStore(settings.data_url, endpoint_url=settings.s3_endpoint_url),
            catalogue=settings.catalogue,
            clock=self.now,
            evidence=EvidenceServices(
                reports=ReportStore(control),
                log=ReportLog(control),
                bucket=self._bucket,
                signer=self._signer(environment),
                seal_by=settings.seal_by,
                deadline_seconds=settings.seal_deadline_seconds,
                git_commit=settings.git_commit,
            ),
            integrations=IntegrationServices(settings.stubs, OutboundClient(), PostgresRateLimits(control), time.sleep),
            lease_ttl_seconds=settings.lease_ttl_seconds,
            holder_finished=lambda holder: is_finished(instance, holder),
            telemetry=self._telemetry,
            connections_kept=lambda: _kept(control, target),
        )

    def read_manifest(self, path: Path) -> Manifest:
        """The manifest in a file, validated anew against the catalogue in force."""
        return load_file(path, self._settings.catalogue, ENTITIES).manifest

    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.now(UTC)

    def _database(self, url: str) -> Database:
        return self._databases.setdefault(url, Database(url))

    @cached_property
    def _bucket(self) -> EvidenceBucket:
        settings = self._settings
        return EvidenceBucket(
            settings.evidence_bucket,
            settings.evidence_retention,
            self.now,
            endpoint_url=settings.evidence_endpoint_url,
        )

    def _signer(self, environment: str) -> TransitSigner:
        settings = self._settings
        return TransitSigner(
            settings.vault_addr,
            settings.read_vault_token,
            settings.vault_evidence_mount,
            settings.vault_evidence_key,
            environment,
        )

    @cached_property
    def _telemetry(self) -> Telemetry:
        if not self._settings.otlp_endpoint:
            return NOWHERE
        from seed_pipelines.adapters.telemetry import telemetry_over_http  # noqa: PLC0415 # slow to import, mostly unused

        return telemetry_over_http()

    @cached_property
    def _keys(self) -> TransitKeys:
        return TransitKeys(self._settings.vault_addr, self._settings.read_vault_token, self._settings.vault_mount)


@contextmanager
def _kept(*databases: Database) -> Iterator[None]:
    with ExitStack() as stack:
        for database in databases:
            stack.enter_context(database.kept())
        yield
