"""`seed-data plan`: what a run would do, before anything runs."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import click
from rich.table import Table

from seed_pipelines.adapters.row_files import RowFileStore
from seed_pipelines.cli import claims
from seed_pipelines.cli.console import console
from seed_pipelines.cli.forecast import Forecast
from seed_pipelines.cli.manifest_plan import plan_of
from seed_pipelines.domain import differences
from seed_pipelines.domain.differences import Difference
from seed_pipelines.domain.duration import PastWork
from seed_pipelines.domain.plan import Plan
from seed_pipelines.domain.workload import cost_model_of
from seed_pipelines.errors import SeedError
from seed_pipelines.orchestration.settings import Settings

_CONNECT_SECONDS: Final = 3
_MANIFEST = click.argument("manifest", type=click.Path(path_type=Path))
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.command("plan")
@_MANIFEST
@click.option(
    "--against", type=click.Path(path_type=Path), help="Another manifest: what would change from it to this one."
)
@click.option("--applied", is_flag=True, help="What would change from what is loaded to this manifest.")
@click.option("--rows", "shown", default=5, show_default=True, help="Ids of rows to name for each kind of change.")
@claims.ROLES
@claims.REQUESTED_BY
@_JSON
def plan_command(
    manifest: Path,
    against: Path | None,
    applied: bool,
    shown: int,
    roles: tuple[str, ...],
    requested_by: str,
    as_json: bool,
) -> None:
    """Say what a run would do, without touching anything: rows, requests, cost, window, and which rows would change."""
    if against is not None and applied:
        raise click.UsageError("Choose --against or --applied.")
    away = _stack_used()
    settings = Settings()
    plan = plan_of(manifest, settings)
    changes: Mapping[str, Difference] = {}
    warning = None
    if against is not None:
        old = plan_of(against, settings)
        changes, warning = differences.between(old, plan), _unlike(old, plan)
    elif applied:
        changes = _against_loaded(plan, requested_by, roles)
    found = forecast(plan, settings, away or _past_work(plan.dataset.environment, settings))
    if as_json:
        facts = {**found.as_dict(), "changes": _changes(changes, differences.KEPT_IDS), "warning": warning}
        click.echo(json.dumps(facts, indent=2))
        return
    out = console()
    for table in found.tables():
        out.print(table)
    if warning:
        out.print(f"warning: {warning}", soft_wrap=True)
    if against is not None or applied:
        out.print(_change_table(changes))
        for name, change in _changes(changes, shown).items():
            for kind in ("added", "changed", "removed"):
                for row_id in change[f"{kind}_ids"]:
                    out.print(f"{kind} {name} {row_id}", soft_wrap=True)


COMMANDS: Final = (plan_command,)


def forecast(plan: Plan, settings: Settings, past: Sequence[PastWork] | str) -> Forecast:
    """What a run of the plan would do and cost with these settings; `past` is that of its environment."""
    row_files = RowFileStore(settings.data_url, endpoint_url=settings.s3_endpoint_url)
    return Forecast.of(
        plan, cost_model_of(plan.manifest, settings.catalogue), row_files.write_requests, datetime.now(UTC), past
    )


def _stack_used() -> str | None:
    """Use the local stack where no database is configured; why not, where it is not up."""
    from seed_pipelines.local.environment import use_local_stack  # noqa: PLC0415 # `show` and `plan` alone need it

    try:
        use_local_stack()
    except SeedError as error:
        return error.detail
    return None


def _past_work(environment: str, settings: Settings) -> Sequence[PastWork] | str:
    """How long past work of an environment took; why that is not known, where its database does not say."""
    # A database driver takes a tenth of a second to import, and a plan without a database needs none.
    from seed_pipelines.adapters.postgres.budget_entries import BudgetLedger  # noqa: PLC0415
    from seed_pipelines.adapters.postgres.database import Database  # noqa: PLC0415

    url = settings.control_database_url.replace("{environment}", environment)
    try:
        return BudgetLedger(Database(url, connect_timeout=_CONNECT_SECONDS)).past_work(environment)
    except SeedError as error:
        return error.detail


def _against_loaded(plan: Plan, requested_by: str, roles: tuple[str, ...]) -> Mapping[str, Difference]:
    # Dagster takes seconds to import, and a plan without a database needs neither.
    from seed_pipelines.local.environment import use_local_stack  # noqa: PLC0415
    from seed_pipelines.orchestration.instance import dagster_instance  # noqa: PLC0415
    from seed_pipelines.orchestration.resources import SeedingFromSettings  # noqa: PLC0415
    from seed_pipelines.seeding.authorization import Caller  # noqa: PLC0415
    from seed_pipelines.seeding.planning import against_loaded  # noqa: PLC0415

    caller = Caller(str(uuid4()), requested_by, roles)

    use_local_stack()
    services = SeedingFromSettings(Settings()).services(plan.dataset.environment, dagster_instance())
    return against_loaded(services, plan, caller)


def _unlike(old: Plan, new: Plan) -> str | None:
    """Why no row of one plan is one of the other; None where both are of one dataset."""
    names = ("tenant", "environment", "profile")
    pairs = zip(names, old.manifest.identity, new.manifest.identity, strict=True)
    other = [f"{name} {before} against {after}" for name, before, after in pairs if before != after]
    if not other:
        return None
    return (
        f"This is another dataset, not another state of one ({'; '.join(other)}): ids and values derive from the tenant, "
        "environment and profile, so that every row differs, and neither manifest replaces what the other one loads."
    )


def _changes(changes: Mapping[str, Difference], shown: int) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "added": change.added,
            "changed": change.changed,
            "removed": change.removed,
            "unchanged": change.unchanged,
            "added_ids": change.added_ids[:shown],
            "changed_ids": change.changed_ids[:shown],
            "removed_ids": change.removed_ids[:shown],
        }
        for name, change in changes.items()
    }


def _change_table(changes: Mapping[str, Difference]) -> Table:
    table = Table("entity", "added", "changed", "removed", "unchanged", title="what would change", title_justify="left")
    for name, change in changes.items():
        table.add_row(name, *(f"{n:,}" for n in (change.added, change.changed, change.removed, change.unchanged)))
    return table
