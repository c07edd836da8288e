"""The commands: `seed-data` for people, and `seed_data` with the flags of the source document."""

import json
import signal
import sys
from importlib import import_module
from typing import Any, Final

import click

from seed_pipelines.adapters import tripwire
from seed_pipelines.adapters.tripwire import Site
from seed_pipelines.cli.without_pandas import without_pandas
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
    "serve": "serve",
    "token": "serve",
    "pools": "pools",
    "doctor": "doctor",
    "verify": "verify",
}
"""Command -> the module whose COMMANDS has it, imported when it is asked for: Dagster alone takes seconds."""

_WORDS: Final = {
    "validate": "Check manifests: files, or folders of <environment>/<tenant>[.<profile>].yaml.",
    "seal": "Write each manifest's hash into its integrity.manifest_hash, and print it.",
    "plan": "Say what a run would do, without touching anything",
    "show": "Print single rows, masked, straight from the manifest",
    "up": "Start and provision PostgreSQL, OpenBao, the S3 emulator and the stubs.",
    "down": "End the servers of the local stack.",
    "status": "Ask every server of the local stack.",
    "env": "Print the variables of the local stack for a shell",
    "purge": "Remove a loaded dataset: rows, checkpoints and Parquet files.",
    "migrate": "Bring a database up to the published schema and note its environment.",
    "register": "Make a tenant known in a database and say who may act for it.",
    "ui": "Run Dagster's webserver and daemon on the local stack until Ctrl-C or SIGTERM",
    "serve": "Serve the HTTP API until Ctrl-C or SIGTERM, which lets requests at work end.",
    "token": "Print a bearer token of the local stack for its API.",
    "pools": "Limit each tenant to one run at a time in the Dagster instance.",
    "doctor": "Attack the isolation of tenants as the data login and the control login would be able to.",
    "verify": "Verify a sealed report: the file of its envelope, or the id of a seed run, Dagster run or backfill.",
}
"""Command -> how its help begins: what `--help` shows without importing any of them."""

_LIGHT: Final = ("validate", "seal", "plan", "show")
"""Commands that would spend most of their time on imports."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 # click's signature
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 # click's
        if cmd_name not in _MODULES:
            return None
        commands: tuple[click.Command, ...] = import_module(f"{__name__}.{_MODULES[cmd_name]}").COMMANDS
        return next(command for command in commands if command.name == cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _WORDS[name].rstrip(".")) for name in self.list_commands(ctx)])

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run as a program: the rest of the process is for this command alone."""
        if len(sys.argv) > 1 and sys.argv[1] in _LIGHT:
            without_pandas()
        tripwire.install(_own_servers)
        return super().__call__(*args, **kwargs)

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


def _own_servers() -> tuple[Site, ...]:
    # Settings are slow to import, and only a call that leaves this machine needs them.
    from seed_pipelines.orchestration.infrastructure import own_servers  # noqa: PLC0415

    return own_servers()


def seed_data() -> None:
    """Run the command `seed_data`; a SIGTERM stops it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tripwire.install(_own_servers)
    try:
        command: click.Command = import_module(f"{__name__}.run").seed_data
    except KeyboardInterrupt:
        stopped = Interrupted("Stopped by Ctrl-C or a signal before anything began.")
        click.echo(json.dumps(stopped.problem(), indent=2), err=True)
        raise SystemExit(stopped.exit_code) from None
    command()
