"""One manifest as Dagster sees it: names, keys, tags, partitions and pool."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import dagster as dg

from seed_pipelines.domain.integration_calls import CALLING_MODES
from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.domain.plan import Plan
from seed_pipelines.orchestration.pools import tenant_pool

OWNER: Final = "team:seed-data"

TENANT_TAG: Final = "seed/tenant"
ENVIRONMENT_TAG: Final = "seed/environment"
MANIFEST_TAG: Final = "seed/manifest"
"""The beginning of the manifest's hash."""
ORDERED_MANIFEST_TAG: Final = "seed/ordered-manifest"
"""The hash of the manifest that somebody outside of Dagster ordered a run of: the run is of that one or of none."""
IDEMPOTENCY_KEY_TAG: Final = "seed/idempotency-key"
"""Of a run that somebody asked for under a key; others have one of their own."""

VALIDATED_MANIFEST: Final = "validated_manifest"
DATABASE: Final = "database"
CHECKS_STEP: Final = "checks"
"""The step that evaluates the checks of the asset `database`."""
INTEGRATIONS: Final = "integrations"
"""Of manifests whose mode calls the stubs of the outside systems."""
INTEGRITY_REPORT: Final = "integrity_report"
EVIDENCE: Final = "evidence"
"""Of the whole dataset, where all others are of a shard."""
SEALED: Final = "sealed"
"""The check of it."""


@dataclass(frozen=True)
class ManifestJob:
    """The names under which a manifest is known in Dagster."""

    manifest: Manifest
    plan: Plan
    path: Path | None
    """The file it was read from; None for a manifest made in memory."""

    @property
    def identity(self) -> tuple[str, str, str]:
        """Environment, tenant, profile."""
        metadata = self.manifest.metadata
        return metadata.environment, metadata.tenant, metadata.profile

    @property
    def slug(self) -> str:
        """`<environment>__<tenant>[__<profile>]` with `-` as `_`; the default profile goes without saying."""
        environment, tenant, profile = self.identity
        parts = (environment, tenant) if profile == "default" else (environment, tenant, profile)
        return "__".join(part.replace("-", "_") for part in parts)

    @property
    def job_name(self) -> str:
        """The Dagster job."""
        return f"seed__{self.slug}"

    @property
    def pool(self) -> str:
        """The concurrency pool of the tenant in its environment: one run at a time."""
        environment, tenant, _ = self.identity
        return tenant_pool(environment, tenant)

    @property
    def tags(self) -> dict[str, str]:
        """Tags of the manifest's runs."""
        environment, tenant, _ = self.identity
        return {
            TENANT_TAG: tenant,
            ENVIRONMENT_TAG: environment,
            MANIFEST_TAG: self.manifest.integrity.manifest_hash[:12],
        }

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of a run in order."""
        entities = (entity.name for entity in self.plan.entities)
        calls = (INTEGRATIONS,) if self.calls_stubs else ()
        return (VALIDATED_MANIFEST, *entities, DATABASE, CHECKS_STEP, *calls, INTEGRITY_REPORT, EVIDENCE)

    @property
    def calls_stubs(self) -> bool:
        """Whether its runs call the stubs of the outside systems."""
        return self.manifest.mode in CALLING_MODES

    def step_name(self, step: str) -> str:
        """One of the steps in Dagster: what it does first, which is what a timeline has room for."""
        return f"{step}__{self.slug}"

    @cached_property
    def partitions(self) -> dg.StaticPartitionsDefinition:
        """The shards."""
        return dg.StaticPartitionsDefinition(list(self.plan.shard_keys))

    def has(self, key: dg.AssetKey) -> bool:
        """Whether an asset is one of the manifest's."""
        return tuple(key.path[:-1]) == self.identity

    def key(self, asset: str) -> dg.AssetKey:
        """The key of one of the manifest's assets."""
        return dg.AssetKey([*self.identity, asset])
