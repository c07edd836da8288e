"""One manifest as Dagster sees it: names, keys, tags, partitions and pool."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import dagster as dg

from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.domain.plan import Plan

OWNER = "team:seed-data"


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
        """The concurrency pool of the tenant in its environment: one step at a time."""
        environment, tenant, _ = self.identity
        return f"seed/{environment}/{tenant}".replace("-", "_")

    @property
    def tags(self) -> dict[str, str]:
        """Tags of the manifest's runs."""
        environment, tenant, _ = self.identity
        return {
            "seed/tenant": tenant,
            "seed/environment": environment,
            "seed/manifest": self.manifest.integrity.manifest_hash[:12],
        }

    @cached_property
    def partitions(self) -> dg.StaticPartitionsDefinition:
        """The shards."""
        return dg.StaticPartitionsDefinition(list(self.plan.shard_keys))

    def key(self, asset: str) -> dg.AssetKey:
        """The key of one of the manifest's assets."""
        return dg.AssetKey([*self.identity, asset])
