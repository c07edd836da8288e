"""`seed-data purge`: remove what was seeded, so that a dataset with another reference_datetime or key can be loaded."""

import json
from typing import Final
from uuid import UUID, uuid4

import click
from rich.table import Table

from seed_pipelines.cli.console import console
from seed_pipelines.domain.catalogue import ENVIRONMENTS
from seed_pipelines.errors import RequestInvalid
from seed_pipelines.local.environment import use_local_stack
from seed_pipelines.orchestration.instance import dagster_instance
from seed_pipelines.orchestration.resources import SeedingFromSettings
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.seeding.purging import LoadedDataset, loaded_dataset, purge


@click.command("purge")
@click.option("--tenant-id", type=click.UUID, required=True, help="Tenant whose dataset is removed.")
@click.option("--environment", type=click.Choice(ENVIRONMENTS), required=True)
@click.option("--profile", default="default", show_default=True)
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and stop.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def purge_command(tenant_id: UUID, environment: str, profile: str, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Remove a loaded dataset: rows, checkpoints and Parquet files. Needs seed-admin; other rows are never touched."""
    use_local_stack()
    services = SeedingFromSettings(Settings()).services(environment, dagster_instance())
    dataset = loaded_dataset(services, tenant_id, environment, profile)
    if not as_json:
        _print(dataset)
    deleted = {}
    if not dry_run:
        if not yes and not _confirmed():
            click.echo("Nothing was removed.", err=True)
            return
        deleted = dict(purge(services, tenant_id, environment, profile, str(uuid4())))
    if as_json:
        click.echo(json.dumps({"loaded": dict(dataset.rows), "removed": deleted}))
    else:
        click.echo("A dry run: nothing was removed." if dry_run else f"Removed {sum(deleted.values()):,} rows.")


COMMANDS: Final = (purge_command,)


def _confirmed() -> bool:
    """Whether the person says yes; RequestInvalid where nobody answers."""
    try:
        return click.confirm("Remove these rows?", err=True)
    except click.Abort:
        raise RequestInvalid(
            "Nothing was removed, as nobody answered: give --yes to remove without being asked."
        ) from None


def _print(dataset: LoadedDataset) -> None:
    title = f"{dataset.tenant} in {dataset.environment}, profile {dataset.profile}"
    table = Table("entity", "rows", title=title, title_justify="left")
    for name, rows in dataset.rows.items():
        table.add_row(name, f"{rows:,}")
    console().print(table if dataset.rows else f"{title}: nothing is loaded.")
