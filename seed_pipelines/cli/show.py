"""`seed-data show`: single rows straight from the manifest."""

import json
from pathlib import Path
from typing import Any, Final

import click
from rich.table import Table

from seed_pipelines.adapters.vault import TransitKeys
from seed_pipelines.cli.console import console
from seed_pipelines.cli.manifest_plan import plan_of
from seed_pipelines.domain.entities import ENTITIES, Entity
from seed_pipelines.domain.masking import Masker, MaskingKeys
from seed_pipelines.domain.masking_keys import masking_keys
from seed_pipelines.domain.plan import Plan
from seed_pipelines.domain.row_values import json_values, row_values
from seed_pipelines.errors import RequestInvalid
from seed_pipelines.local.environment import use_local_stack
from seed_pipelines.orchestration.settings import Settings


@click.command("show")
@click.argument("entity", type=click.Choice([entity.name for entity in ENTITIES]))
@click.argument("rows", type=click.IntRange(min=0), nargs=-1, required=True)
@click.option("--manifest", type=click.Path(path_type=Path), required=True, help="The manifest that the rows are of.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def show_command(entity: str, rows: tuple[int, ...], manifest: Path, as_json: bool) -> None:
    """Print single rows, masked, straight from the manifest: no row before them is made. Needs Vault, not the database."""
    use_local_stack()
    settings = Settings()
    plan = plan_of(manifest, settings)
    wanted = next((found for found in plan.entities if found.name == entity), None)
    if wanted is None:
        raise RequestInvalid(f"{manifest} does not name {entity}; it names {', '.join(plan.rows)}.")
    masker = Masker(_transit_keys(plan, wanted, settings))
    found = [_row(plan, masker, wanted, row) for row in rows]
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    table = Table("column")
    for row in rows:
        table.add_column(f"{entity} {row}", overflow="fold")
    for name in found[0]:
        table.add_row(name, *(str(row[name]) for row in found))
    console().print(table)


COMMANDS: Final = (show_command,)


def _row(plan: Plan, masker: Masker, entity: Entity, number: int) -> dict[str, Any]:
    if number >= plan.rows[entity.name]:
        raise RequestInvalid(f"{entity.name} has rows 0 to {plan.rows[entity.name] - 1:,}, not {number:,}.")
    rows = plan.numbered_row(entity, number)
    (row,) = row_values(masker.batch(entity, plan.portfolio, rows).records)
    return json_values(row)


def _transit_keys(plan: Plan, entity: Entity, settings: Settings) -> MaskingKeys:
    transit = TransitKeys(settings.vault_addr, settings.read_vault_token, settings.vault_mount)
    return masking_keys(transit, plan, (entity,))
