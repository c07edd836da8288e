"""The commands: `seed-data` for people, and `seed_data` with the flags of the source document."""

import json
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click

from seed_pipelines.cli import manifests
from seed_pipelines.errors import SeedError


class _ProblemGroup(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SeedError as error:
            click.echo(json.dumps(error.problem(), indent=2), err=True)
            raise click.exceptions.Exit(error.exit_code) from error


@click.group(cls=_ProblemGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="seed-pipelines")
def main() -> None:
    """Deterministic, masked and proven synthetic banking data for pre-production environments."""


for _command in manifests.COMMANDS:
    main.add_command(_command)
if find_spec("seed_pipelines.cli.stack"):
    for _command in import_module("seed_pipelines.cli.stack").COMMANDS:
        main.add_command(_command)
if find_spec("seed_pipelines.cli.seed_data"):
    seed_data = import_module("seed_pipelines.cli.seed_data").seed_data
