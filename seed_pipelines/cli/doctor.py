"""`seed-data doctor`: try every way around row level security, and say which are open and how to close them."""

import json
from typing import Final
from uuid import UUID

import click
from rich.console import Console
from rich.table import Table

from seed_pipelines.cli.console import console
from seed_pipelines.domain.catalogue import ENVIRONMENTS
from seed_pipelines.errors import RequestInvalid
from seed_pipelines.local.environment import use_local_stack
from seed_pipelines.orchestration.instance import dagster_instance
from seed_pipelines.orchestration.resources import SeedingFromSettings
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.seeding.doctor import Diagnosis, examine, require_sound


@click.command("doctor")
@click.option("--environment", type=click.Choice(ENVIRONMENTS), help="Default: every environment, one after another.")
@click.option("--tenant-id", type=click.UUID, help="Attack the rows of this tenant only.")
@click.option("--all", "every_tenant", is_flag=True, help="Attack the rows of every tenant: the default.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def doctor_command(environment: str | None, tenant_id: UUID | None, every_tenant: bool, as_json: bool) -> None:
    """Attack the isolation of tenants as the data login and the control login would be able to.

    Reads and writes every relation that carries a tenant or depends on one, as every other tenant, as none, as strangers and
    as every role that may be set; asks the catalogue for what cannot be tried. All of it is rolled back. Exits with 0 if
    everything was refused, with 6 if there is a hole.
    """
    if every_tenant and tenant_id is not None:
        raise RequestInvalid("Give --tenant-id or --all, not both.")
    use_local_stack()
    seeding, instance = SeedingFromSettings(Settings()), dagster_instance()
    wanted = ENVIRONMENTS if environment is None else (environment,)
    diagnoses = []
    for name in wanted:
        diagnoses.append(examine(seeding.services(name, instance), name, tenant_id))
        if not as_json:
            _print(diagnoses[-1], console())
    if as_json:
        click.echo(json.dumps([diagnosis.as_dict() for diagnosis in diagnoses], indent=2))
    require_sound(*diagnoses)


COMMANDS: Final = (doctor_command,)


def _print(diagnosis: Diagnosis, out: Console) -> None:
    if diagnosis.holes:
        table = Table(title=f"{diagnosis.environment}: what is open", title_justify="left", show_lines=True)
        for heading in ("relation", "attack", "finding", "cure"):
            table.add_column(heading, overflow="fold")
        for hole in diagnosis.holes:
            table.add_row(hole.relation, hole.attack, hole.finding, hole.cure)
        out.print(table, markup=False)
    else:
        table = Table(
            "relation", "attacks", title=f"{diagnosis.environment}: what was attacked, and held", title_justify="left"
        )
        for relation in diagnosis.relations:
            table.add_row(
                relation, str(sum(it.attempts.get(relation, 0) for it in (diagnosis.data, diagnosis.control)))
            )
        elsewhere = diagnosis.attacks - sum(
            it.attempts.get(relation, 0)
            for relation in diagnosis.relations
            for it in (diagnosis.data, diagnosis.control)
        )
        table.add_row("roles, functions, sequences, files, settings", str(elsewhere))
        out.print(table)
    out.print(diagnosis.summary, soft_wrap=True, highlight=False, markup=False)
    if diagnosis.data.without_rows:
        names = ", ".join(diagnosis.data.without_rows)
        out.print(
            f"No row was there to come back from {names}: only their policies were asked. Seed a tenant to try reads too.",
            soft_wrap=True,
            highlight=False,
            markup=False,
        )
