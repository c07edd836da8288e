"""The commands: `seed-data` for people, and `seed_data` with the flags of the source document."""

import json
import signal
from importlib import import_module
from typing import Any, Final

import click

from seed_pipelines.errors import Interrupted, SeedError

_MODULES: Final = {
    "validate": "manifests",
    "seal": "manifests",
    "plan": "plan",
    "show": "show",
    "up": "stack",
    "down": "stack",
    "status": "stack",
    "env": "stack",
    "purge": "purge",
    "migrate": "database",
    "register": "database",
    "ui": "ui",
    "pools": "pools",
    "doctor": "doctor",
}
"""Command -> the module whose COMMANDS has it, imported when it is asked for: Dagster alone takes seconds."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 # click's signature
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 # click's
        if cmd_name not in _MODULES:
            return None
        commands: tuple[click.Command, ...] = import_module(f"{__name__}.{_MODULES[cmd_name]}").COMMANDS
        return next(command for command in commands if command.name == cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SeedError as error:
            click.echo(json.dumps(error.problem(), indent=2), err=True)
            raise click.exceptions.Exit(error.exit_code) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="seed-pipelines")
def main() -> None:
    """Deterministic, masked and proven synthetic banking data for pre-production environments."""


def seed_data() -> None:
    """Run the command `seed_data`; a SIGTERM stops it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        command: click.Command = import_module(f"{__name__}.run").seed_data
    except KeyboardInterrupt:
        stopped = Interrupted("Stopped by Ctrl-C or a signal before anything began.")
        click.echo(json.dumps(stopped.problem(), indent=2), err=True)
        raise SystemExit(stopped.exit_code) from None
    command()
