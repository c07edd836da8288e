"""`seed-data up`, `down`, `status` and `env`: the local stack."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import click
from rich.table import Table
from rich.text import Text

from seed_pipelines.cli.console import confirmed, console
from seed_pipelines.errors import StackUnavailable
from seed_pipelines.local.environment import DEFAULT_STATE_DIR, Subject, stack_environment
from seed_pipelines.local.paths import StackPaths, write_private
from seed_pipelines.local.s3_server import find_emulator
from seed_pipelines.local.stack import LocalStack, Purpose, StackStatus
from seed_pipelines.local.stub_server import find_prism

_ERROR_TAIL: Final = 2_000

_state_dir_option = click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    envvar="SEED_STATE_DIR",
    show_envvar=True,
    default=DEFAULT_STATE_DIR,
    show_default=True,
    help="The stack's directory.",
)


@click.command("up")
@_state_dir_option
@click.option(
    "--manifests",
    "manifests_dir",
    type=click.Path(path_type=Path),
    envvar="SEED_MANIFESTS_DIR",
    show_envvar=True,
    default="manifests",
    show_default=True,
    help="Folder of manifests, whose tenants are registered.",
)
@click.option(
    "--catalogue",
    "catalogue_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="SEED_CATALOGUE_FILE",
    show_envvar=True,
    help="A catalogue to use in place of the one that comes with the program.",
)
@click.option(
    "--pii-key-file",
    type=click.Path(path_type=Path),
    help="Make new PII keys of these 32 to 512 raw bytes, so that stacks share a key.",
)
@click.option("--without-stubs", is_flag=True, help="Do not start the stubs of outside systems, which need Node.js.")
@click.option("--quiet", is_flag=True, help="Print nothing when all is well.")
def up_command(
    state_dir: Path,
    manifests_dir: Path,
    catalogue_file: Path | None,
    pii_key_file: Path | None,
    without_stubs: bool,
    quiet: bool,
) -> None:
    """Start and provision PostgreSQL, OpenBao, the S3 emulator and the stubs. Doing it again changes nothing."""
    project_dir = Path.cwd()
    emulator = find_emulator(project_dir, os.environ.get("SEED_S3_EMULATOR"))
    prism = find_prism(project_dir, os.environ.get("SEED_PRISM"))
    stack = LocalStack(StackPaths.of(state_dir), emulator, prism)
    purpose = Purpose(
        project_dir=project_dir,
        manifests_dir=manifests_dir.resolve(),
        catalogue_file=catalogue_file.resolve() if catalogue_file else None,
        pii_key_file=pii_key_file,
        stubs=not without_stubs,
    )
    status = stack.up(purpose)
    _limit_pools(stack.paths, status)
    if not (quiet and status.healthy):
        _print(status)


@click.command("down")
@_state_dir_option
@click.option("--delete", is_flag=True, help="Remove the directory too: databases, keys, files.")
@click.option("--yes", is_flag=True, help="Do not ask before removing.")
def down_command(state_dir: Path, delete: bool, yes: bool) -> None:
    """End the servers of the local stack. Its data stays for the next `up`."""
    paths = StackPaths.of(state_dir)
    question = f"Remove {paths.state_dir} with all databases, keys and files in it?"
    if delete and not yes and paths.state_dir.exists() and not confirmed(question):
        click.echo("Nothing was removed.", err=True)
        return
    LocalStack(paths).down(delete=delete)
    click.echo(f"The local stack in {paths.state_dir} is {'removed' if delete else 'down; its data stays'}.")


@click.command("status")
@_state_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status_command(state_dir: Path, as_json: bool) -> None:
    """Ask every server of the local stack. Exits with 0 if all are well, with 4 otherwise."""
    status = LocalStack(StackPaths.of(state_dir)).status()
    if as_json:
        click.echo(json.dumps(status.as_dict(), indent=2))
    else:
        _print(status)
    if not status.healthy:
        raise click.exceptions.Exit(StackUnavailable.exit_code)


@click.command("env")
@_state_dir_option
@click.option(
    "--subject",
    type=click.Choice(["operator", "service"]),
    default="operator",
    show_default=True,
    help="Who uses the control tables: the person at the command line, or Dagster's services.",
)
def env_command(state_dir: Path, subject: Subject) -> None:
    """Print the variables of the local stack for a shell: eval "$(seed-data env)". They hold no secrets."""
    for name, value in stack_environment(state_dir, subject).items():
        click.echo(f"export {name}={shlex.quote(value)}")


COMMANDS: Final = [up_command, down_command, status_command, env_command]


def _limit_pools(paths: StackPaths, status: StackStatus) -> None:
    """Have `seed-data pools` run where the tenants are others than the last time; it takes the seconds of Dagster's import."""
    done = paths.dagster_home / "limited-pools.json"
    tenants = json.dumps(sorted({f"{tenant.environment}/{tenant.tenant}" for tenant in status.tenants}))
    if done.exists() and done.read_text(encoding="utf-8") == tenants:
        return
    environment = {**os.environ, **stack_environment(paths.state_dir, "service")}
    program = [sys.executable, "-c", "from seed_pipelines.cli import main; main()", "pools"]
    limited = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 # this program
    if limited.returncode != 0:
        raise StackUnavailable(f"Dagster's instance could not be prepared: {limited.stderr.strip()[-_ERROR_TAIL:]}")
    write_private(done, tenants)


def _print(status: StackStatus) -> None:
    out = console()
    out.print(_servers(status))
    if status.tenants:
        out.print(_tenants(status))
    _print_next(status)


def _servers(status: StackStatus) -> Table:
    table = Table(title=Text(f"Local stack in {status.state_dir}"), title_justify="left")
    for heading in ("server", "state", "pid", "address", "data"):
        table.add_column(heading, overflow="fold")
    for server in status.servers:
        state = "well" if server.healthy else "down" if server.pid is None else "does not answer"
        pid = "" if server.pid is None else str(server.pid)
        shade = "green" if server.healthy else "red"
        table.add_row(server.name, Text(state, shade), pid, Text(server.address), Text(server.data))
    return table


def _tenants(status: StackStatus) -> Table:
    table = Table(title="Tenants", title_justify="left")
    for heading in ("environment", "tenant", "tenant id", "PII key"):
        table.add_column(heading, overflow="fold")
    for tenant in status.tenants:
        table.add_row(tenant.environment, tenant.tenant, str(tenant.tenant_id), f"pii-{tenant.salt_version}")
    return table


def _print_next(status: StackStatus) -> None:
    if not status.healthy:
        click.echo("Start it:                seed-data up")
        return
    click.echo("Check the manifests:     seed-data validate manifests")
    chosen = next((it for it in status.tenants if it.environment == "staging"), None)
    if chosen is not None:
        click.echo(
            f"Seed one of them:        seed_data --tenant-id {chosen.tenant_id} --environment {chosen.environment}"
            " --override-window 'to try it'"
        )
    click.echo("Open the Dagster UI:     make ui")
    click.echo('Use it from a shell:     eval "$(seed-data env)"')
    click.echo("End it:                  seed-data down")
