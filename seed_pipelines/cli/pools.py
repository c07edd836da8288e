"""`seed-data pools`: the concurrency limits of the manifests' tenants, made when deploying."""

from typing import Final

import click

from seed_pipelines.adapters.manifest_files import load_folder
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.local.environment import use_local_stack
from seed_pipelines.orchestration.instance import dagster_instance
from seed_pipelines.orchestration.pools import limit_pools, tenant_pool
from seed_pipelines.orchestration.settings import Settings


@click.command("pools")
def pools_command() -> None:
    """Limit each tenant to one run at a time in the Dagster instance. Run it when deploying manifests.

    `seed-data up` does so for the local stack. A limit that is there already is left as it is.
    """
    use_local_stack(subject="service")
    settings = Settings()
    folder = load_folder(settings.manifests_dir, settings.catalogue, ENTITIES)
    names = [loaded.manifest.metadata for loaded in folder.manifests]
    pools = {tenant_pool(name.environment, name.tenant) for name in names}
    made = limit_pools(dagster_instance(), pools)
    click.echo(f"{len(pools)} pools, {len(made)} of them new.")


COMMANDS: Final = (pools_command,)
