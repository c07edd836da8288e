"""`seed-data serve` and `seed-data token`: the HTTP API, and tokens of the local stack for it."""

import sys
from pathlib import Path
from typing import Final, get_args
from uuid import UUID

import click

from seed_pipelines.adapters.postgres.tenants import Role
from seed_pipelines.domain.catalogue import ENVIRONMENTS
from seed_pipelines.local.environment import DEFAULT_STATE_DIR, use_local_stack
from seed_pipelines.local.paths import StackPaths
from seed_pipelines.local.token_issuer import issue


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8_000, show_default=True)
def serve_command(host: str, port: int) -> None:
    """Serve the HTTP API until Ctrl-C or SIGTERM, which lets requests at work end.

    Runs that it puts into Dagster's queue act as the service subject; what a token may ask for is granted to its subject.
    """
    use_local_stack(subject="service")
    # Dagster takes seconds to import, and a token needs none of it.
    from seed_pipelines.api.server import listening, serve  # noqa: PLC0415
    from seed_pipelines.api.wiring import app_of  # noqa: PLC0415
    from seed_pipelines.orchestration.instance import dagster_instance  # noqa: PLC0415
    from seed_pipelines.orchestration.settings import Settings  # noqa: PLC0415

    with listening(host, port) as listener, dagster_instance() as instance:
        app = app_of(Settings(), instance)
        click.echo(
            f"API:        http://{host}:{port}/api/v1\nReference:  http://{host}:{port}/docs\nEnd it:     Ctrl-C"
        )
        sys.stdout.flush()
        serve(app, listener)
        click.echo("The API is down.")


@click.command("token")
@click.option("--tenant-id", type=click.UUID, required=True, help="The tenant that it is for.")
@click.option("--environment", type=click.Choice(ENVIRONMENTS), required=True)
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice(get_args(Role)),
    help="Role that it is for (repeatable). Default: all granted ones.",
)
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    envvar="SEED_STATE_DIR",
    show_envvar=True,
    default=DEFAULT_STATE_DIR,
    show_default=True,
    help="The stack's directory.",
)
def token_command(tenant_id: UUID, environment: str, roles: tuple[str, ...], state_dir: Path) -> None:
    """Print a bearer token of the local stack for its API. It holds for a quarter of an hour."""
    click.echo(issue(StackPaths.of(state_dir), tenant_id, environment, roles))


COMMANDS: Final = (serve_command, token_command)
