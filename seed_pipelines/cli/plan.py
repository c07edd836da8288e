"""`seed-data plan`: what a run would do, before anything runs."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from rich.table import Table

from seed_pipelines.adapters.manifest_files import load_file
from seed_pipelines.cli.console import console
from seed_pipelines.domain import differences, window
from seed_pipelines.domain.differences import Difference
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.plan import Plan
from seed_pipelines.local.environment import use_local_stack
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.seeding.planning import against_loaded

_MANIFEST = click.argument("manifest", type=click.Path(path_type=Path))
_SHOWN_SHARDS: Final = 20
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.command("plan")
@_MANIFEST
@click.option(
    "--against", type=click.Path(path_type=Path), help="Another manifest: what would change from it to this one."
)
@click.option("--applied", is_flag=True, help="What would change from what is loaded to this manifest.")
@click.option("--rows", "shown", default=5, show_default=True, help="Ids of rows to name for each kind of change.")
@_JSON
def plan_command(manifest: Path, against: Path | None, applied: bool, shown: int, as_json: bool) -> None:
    """Say what a run would do, without touching anything: rows, shards, window, and which rows would change."""
    if against is not None and applied:
        raise click.UsageError("Choose --against or --applied.")
    plan = plan_of(manifest, Settings())
    changes: Mapping[str, Difference] = {}
    if against is not None:
        changes = differences.between(plan_of(against, Settings()), plan)
    elif applied:
        changes = _against_loaded(plan)
    if as_json:
        click.echo(json.dumps({**_facts(plan), "changes": _changes(changes, differences.KEPT_IDS)}, indent=2))
        return
    out = console()
    out.print(_summary(plan))
    out.print(_entities(plan))
    out.print(_shards(plan))
    if against is not None or applied:
        out.print(_change_table(changes))
        for name, change in _changes(changes, shown).items():
            for kind in ("added", "changed", "removed"):
                for row_id in change[f"{kind}_ids"]:
                    out.print(f"{kind} {name} {row_id}", soft_wrap=True)


COMMANDS: Final = (plan_command,)


def plan_of(path: Path, settings: Settings) -> Plan:
    """The plan of the manifest in a file; whatever is wrong with it is raised."""
    loaded = load_file(path, settings.catalogue, ENTITIES)
    return Plan.of(loaded.manifest, settings.catalogue)


def _against_loaded(plan: Plan) -> Mapping[str, Difference]:
    from seed_pipelines.orchestration.instance import dagster_instance  # noqa: PLC0415  # Dagster takes seconds to import
    from seed_pipelines.orchestration.resources import SeedingFromSettings  # noqa: PLC0415  # likewise

    use_local_stack()
    services = SeedingFromSettings(Settings()).services(plan.dataset.environment, dagster_instance())
    return against_loaded(services, plan)


def _facts(plan: Plan) -> dict[str, Any]:
    manifest, now = plan.manifest, datetime.now(UTC)
    return {
        "tenant": plan.dataset.tenant,
        "environment": plan.dataset.environment,
        "profile": plan.dataset.profile,
        "mode": manifest.mode,
        "manifest_hash": manifest.integrity.manifest_hash,
        "window": f"{manifest.window.start_utc:%H:%M} to {manifest.window.end_utc:%H:%M} UTC",
        "window_open_now": window.contains(manifest.window, now),
        "window_opens_next_at": window.next_opening(manifest.window, now).isoformat(),
        "rows": dict(plan.rows),
        "total_rows": plan.total_rows,
        "shards": [
            {"shard": shard.key, "first_customer": shard.first_customer, "rows": dict(shard.rows)}
            for shard in plan.shards
        ],
    }


def _summary(plan: Plan) -> Table:
    table = Table(title="plan", show_header=False, title_justify="left")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _facts(plan).items():
        if name not in ("rows", "shards"):
            table.add_row(name, f"{value:,}" if type(value) is int else str(value))
    return table


def _entities(plan: Plan) -> Table:
    table = Table("entity", "rows", "hangs on", "masked", title="rows per entity", title_justify="left")
    for entity in plan.entities:
        parent = "the tenant" if entity.of_tenant else entity.parent.name if entity.parent else ""
        table.add_row(entity.name, f"{plan.rows[entity.name]:,}", parent, ", ".join(entity.pii_columns))
    return table


def _shards(plan: Plan) -> Table:
    table = Table("shard", "customer indices", "rows of all entities", title="rows per shard", title_justify="left")
    for shard in plan.shards[:_SHOWN_SHARDS]:
        customers = f"{shard.first_customer:,} to {shard.end_customer - 1:,}"
        table.add_row(shard.key, customers, f"{shard.total_rows:,}")
    if len(plan.shards) > _SHOWN_SHARDS:
        table.add_row("...", f"{len(plan.shards) - _SHOWN_SHARDS:,} shards more")
    table.add_section()
    table.add_row("all", "", f"{plan.total_rows:,}")
    return table


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
