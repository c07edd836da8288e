"""`seed-data purge`: remove what was seeded: one dataset, or all that have outlived their time to live."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

import click
from rich.table import Table

from seed_pipelines.adapters.postgres.dataset_expiries import DatasetExpiry
from seed_pipelines.cli import claims
from seed_pipelines.cli.console import confirmed, console
from seed_pipelines.domain.catalogue import ENVIRONMENTS
from seed_pipelines.errors import RequestInvalid
from seed_pipelines.local.environment import use_local_stack
from seed_pipelines.orchestration.instance import dagster_instance
from seed_pipelines.orchestration.resources import SeedingFromSettings
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.seeding.authorization import Caller
from seed_pipelines.seeding.expiry import ExpiryOutcome, purge_expired, readable_expired
from seed_pipelines.seeding.purging import LoadedDataset, loaded_dataset, purge
from seed_pipelines.seeding.services import Services

_QUESTION: Final = "Remove these rows?"


@click.command("purge")
@click.option(
    "--tenant-id", type=click.UUID, help="Tenant whose dataset is removed; with --expired, all if none is named."
)
@click.option("--environment", type=click.Choice(ENVIRONMENTS), required=True)
@click.option("--profile", help="The dataset's profile.  [default: default]")
@click.option("--expired", is_flag=True, help="Every dataset whose time to live is over, by the clock of the database.")
@claims.ROLES
@claims.REQUESTED_BY
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and stop.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def purge_command(
    tenant_id: UUID | None,
    environment: str,
    profile: str | None,
    expired: bool,
    roles: tuple[str, ...],
    requested_by: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove a loaded dataset: rows, checkpoints and Parquet files. Other rows are never touched.

    Needs seed-admin; for what has expired, seed-runner is enough.
    """
    if expired and profile is not None:
        raise RequestInvalid("--expired takes no --profile: it removes whatever has expired.")
    if not expired and tenant_id is None:
        raise RequestInvalid("Say whose dataset: --tenant-id, or --expired for all that have expired.")
    use_local_stack()
    services = SeedingFromSettings(Settings()).services(environment, dagster_instance())
    asking = _Asking(Caller(str(uuid4()), requested_by, roles), dry_run=dry_run, yes=yes, as_json=as_json)
    if tenant_id is None or expired:
        _purge_expired(services, environment, tenant_id, asking)
    else:
        _purge_one(services, environment, tenant_id, profile or "default", asking)


COMMANDS: Final = (purge_command,)


@dataclass(frozen=True)
class _Asking:
    """Who asks, and how the answer is to be given."""

    caller: Caller
    dry_run: bool
    yes: bool
    as_json: bool


def _purge_one(services: Services, environment: str, tenant_id: UUID, profile: str, asking: _Asking) -> None:
    dataset = loaded_dataset(services, tenant_id, environment, profile, asking.caller)
    if not asking.as_json:
        _print(dataset)
    deleted = {}
    if not asking.dry_run:
        if not asking.yes and not confirmed(_QUESTION):
            click.echo("Nothing was removed.", err=True)
            return
        deleted = dict(purge(services, tenant_id, environment, profile, asking.caller))
    if asking.as_json:
        click.echo(json.dumps({"loaded": dict(dataset.rows), "removed": deleted}))
    else:
        click.echo("A dry run: nothing was removed." if asking.dry_run else f"Removed {sum(deleted.values()):,} rows.")


def _purge_expired(services: Services, environment: str, tenant_id: UUID | None, asking: _Asking) -> None:
    """Remove what has expired and the caller may see, and raise the first refusal after the others have gone on."""
    datasets = readable_expired(services, environment, asking.caller, tenant_id)
    if not asking.as_json:
        _print_expired(environment, datasets)
    outcomes: Sequence[ExpiryOutcome] = ()
    if datasets and not asking.dry_run:
        if not asking.yes and not confirmed(_QUESTION):
            click.echo("Nothing was removed.", err=True)
            return
        outcomes = purge_expired(services, datasets, asking.caller)
    if asking.as_json:
        expired = [_described(dataset) for dataset in datasets]
        click.echo(json.dumps({"expired": expired, "outcomes": [_outcome(outcome) for outcome in outcomes]}))
    elif asking.dry_run:
        click.echo("A dry run: nothing was removed.")
    for outcome in outcomes if not asking.as_json else ():
        click.echo(f"{outcome.dataset.tenant}, profile {outcome.dataset.profile}: {outcome.in_words}")
    for outcome in outcomes:
        if outcome.refusal is not None:
            raise outcome.refusal


def _described(dataset: DatasetExpiry) -> dict[str, Any]:
    return {
        "tenant": dataset.tenant,
        "tenant_id": str(dataset.tenant_id),
        "environment": dataset.environment,
        "profile": dataset.profile,
        "rows": dataset.rows,
        "loaded_at": dataset.loaded_at.isoformat(),
        "expires_at": dataset.expires_at.isoformat() if dataset.expires_at else None,
    }


def _outcome(outcome: ExpiryOutcome) -> dict[str, Any]:
    return {
        "tenant": outcome.dataset.tenant,
        "profile": outcome.dataset.profile,
        "removed": dict(outcome.removed),
        "problem": outcome.refusal.problem() if outcome.refusal else None,
    }


def _print(dataset: LoadedDataset) -> None:
    title = f"{dataset.tenant} in {dataset.environment}, profile {dataset.profile}"
    table = Table("entity", "rows", title=title, title_justify="left")
    for name, rows in dataset.rows.items():
        table.add_row(name, f"{rows:,}")
    console().print(table if dataset.rows else f"{title}: nothing is loaded.")


def _print_expired(environment: str, datasets: Sequence[DatasetExpiry]) -> None:
    title = f"expired in {environment}"
    table = Table("tenant", "profile", "rows", "loaded", "expired", title=title, title_justify="left")
    for dataset in datasets:
        moments = [f"{moment:%Y-%m-%d %H:%M}Z" for moment in (dataset.loaded_at, dataset.expires_at) if moment]
        table.add_row(dataset.tenant, dataset.profile, f"{dataset.rows:,}", *moments)
    console().print(table if datasets else f"Nothing has expired in {environment}.")
