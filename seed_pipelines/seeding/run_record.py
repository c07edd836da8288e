"""A seed run with what it was for: all that its report is made of, be it at work or long over."""

from dataclasses import dataclass

from seed_pipelines.adapters.postgres.seed_runs import SeedRun
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.domain import window
from seed_pipelines.domain.manifest import Manifest, restored_manifest
from seed_pipelines.domain.plan import Plan
from seed_pipelines.seeding.services import Services


@dataclass(frozen=True)
class RunRecord:
    """A seed run, its tenant and its plan."""

    services: Services
    tenant: Tenant
    plan: Plan
    run: SeedRun

    @classmethod
    def of(cls, services: Services, run: SeedRun) -> "RunRecord":
        """The record of a run by what the database has of it; TenantUnknown, LookupError without its manifest."""
        if run.manifest is None:
            raise LookupError(f"seed run {run.seed_run_id} was recorded without its manifest")
        tenant = services.control.tenant(run.tenant_id)
        return cls(services, tenant, Plan.of(restored_manifest(run.manifest), services.catalogue), run)

    @property
    def manifest(self) -> Manifest:
        """The manifest that is seeded."""
        return self.plan.manifest

    @property
    def began_in_window(self) -> bool:
        """Whether the run began off-peak."""
        return window.contains(self.manifest.window, self.run.started_at)

    @property
    def window_overridden_because(self) -> str | None:
        """Why the run began outside its window; None if it began inside, whatever was said."""
        return None if self.began_in_window else self.run.window_override_reason
