"""`seed-data ui`: the Dagster UI on the local stack, for as long as the command runs."""

import os
import signal
from pathlib import Path
from typing import Final

import click

from seed_pipelines.errors import StackUnavailable
from seed_pipelines.local.children import tail
from seed_pipelines.local.dagster_ui import DagsterUi
from seed_pipelines.local.environment import DEFAULT_STATE_DIR, stack_environment
from seed_pipelines.local.paths import StackPaths
from seed_pipelines.local.stack import LocalStack

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command("ui")
@click.option("--port", type=click.IntRange(1, 65_535), help="Loopback port. Default: the one before, or a free one.")
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    envvar="SEED_STATE_DIR",
    show_envvar=True,
    default=DEFAULT_STATE_DIR,
    show_default=True,
    help="The stack's directory.",
)
def ui_command(port: int | None, state_dir: Path) -> None:
    """Run Dagster's webserver and daemon on the local stack until Ctrl-C or SIGTERM, which end both.

    Runs launched there act as the service subject: no window override, no administration.
    """
    environment = {**os.environ, **stack_environment(state_dir, "service")}
    stack = LocalStack(StackPaths.of(state_dir))
    server = DagsterUi(stack.paths)
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    click.echo("Dagster loads the manifests of each environment; this takes some seconds.")
    try:
        with server.running(_project_dir(stack), environment, port) as child:
            click.echo(f"Dagster UI:  {server.address}\nIts log:     {server.log}\nEnd it:      Ctrl-C")
            if process := child.process():
                process.wait()
            raise StackUnavailable(f"The Dagster UI ended by itself. The end of {server.log}:\n{tail(server.log)}")
    except KeyboardInterrupt:
        click.echo("The Dagster UI is down; the stack keeps running: `seed-data down` ends it.")


COMMANDS: Final = (ui_command,)


def _end(*_: object) -> None:
    """Ask for the end once: what follows must not be interrupted again."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _project_dir(stack: LocalStack) -> Path:
    description = stack.description()
    return Path(description["project_dir"]) if description else Path.cwd()
