"""The run queue: tells each run that comes into it which tenant and environment it is for, so that their limits hold."""

from typing import Final

from dagster import DagsterRun
from dagster._core.run_coordinator.base import SubmitRunContext
from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator

from seed_pipelines.domain.catalogue import ENVIRONMENTS
from seed_pipelines.orchestration.manifest_jobs import ENVIRONMENT_TAG, TENANT_TAG

_PARTS: Final = 4
"""Of the key of a manifest's asset: environment, tenant, profile, name."""


class SeedRunCoordinator(QueuedRunCoordinator):
    """Dagster's queue; `dagster.yaml` names this class.

    A run launched from the asset graph, and one of a backfill of assets, has no tags of a manifest's job, and so the limit
    of runs per environment would not see it.
    """

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Put a run into the queue, with the tags that its assets call for."""
        run = context.dagster_run
        missing = {name: value for name, value in tags_of_assets(run).items() if name not in run.tags}
        if missing:
            self._instance.add_run_tags(run.run_id, missing)
        return super().submit_run(context)


def tags_of_assets(run: DagsterRun) -> dict[str, str]:
    """The environment of the manifests whose assets a run is for, and their tenant, each where there is one only.

    No tenant where other assets are among them: while those are made, the run holds no lease of the tenant.
    """
    selected = [key.path for key in run.asset_selection or ()]
    paths = [path for path in selected if len(path) == _PARTS and path[0] in ENVIRONMENTS]
    environments, tenants = ({path[part] for path in paths} for part in (0, 1))
    if len(environments) != 1:
        return {}
    whole = len(tenants) == 1 and len(paths) == len(selected)
    return {ENVIRONMENT_TAG: environments.pop()} | ({TENANT_TAG: tenants.pop()} if whole else {})
