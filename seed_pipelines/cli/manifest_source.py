"""Which manifest a command seeds."""

from datetime import UTC, datetime, time
from pathlib import Path
from uuid import UUID

import click

from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.manifest import Manifest, read_manifest
from seed_pipelines.domain.manifest_baseline import minimal_baseline
from seed_pipelines.orchestration.resources import SeedingFromSettings
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.seeding.authorization import Caller, authorize
from seed_pipelines.seeding.services import Services


class ManifestSource:
    """Finds the manifest of a command: the file named, the tenant's own in its folder, or a minimal baseline."""

    def __init__(
        self,
        settings: Settings,
        services: Services,
        tenant_id: UUID,
        environment: str,
        caller: Caller,
        named: Path | None,
    ) -> None:
        self._settings, self._services, self._tenant_id = settings, services, tenant_id
        self._environment, self._caller, self._named = environment, caller, named
        self.path: Path | None = None
        self.profile: str | None = None
        """The manifest's, once it was read."""

    def __call__(self) -> Manifest:
        """Read it; ManifestInvalid and its like, TenantUnknown, Forbidden."""
        manifest = self._read()
        self.profile = manifest.metadata.profile
        return manifest

    def _read(self) -> Manifest:
        tenant = self._services.control.tenant(self._tenant_id)
        default = self._settings.manifests_dir / self._environment / f"{tenant.slug}.yaml"
        path = self._named or default
        if path.exists():
            self.path = path
            return SeedingFromSettings(self._settings).read_manifest(path)
        return self._baseline(tenant, path)

    def _baseline(self, tenant: Tenant, missing: Path) -> Manifest:
        authorize(self._services.control, tenant, self._environment, "read", self._caller)
        loaded = self._services.target.checkpoints(self._tenant_id, self._environment)
        midnight = datetime.combine(datetime.now(UTC).date(), time(), UTC)
        reference = next((c.reference_datetime for c in loaded if c.profile == "default"), midnight)
        salt_version = next((c.salt_version for c in loaded), "v1")
        click.echo(
            f"warning: {missing} does not exist; running a minimal baseline made in memory, with reference_datetime "
            f"{reference:%Y-%m-%dT%H:%M:%SZ}. Point --manifest-path at a versioned manifest.",
            err=True,
        )
        catalogue = self._settings.catalogue
        document = minimal_baseline(
            tenant.slug,
            self._environment,
            reference_datetime=reference,
            catalogue=catalogue,
            salt_version=salt_version,
        )
        return read_manifest(document, catalogue, ENTITIES)
