"""`seed-data migrate` and `seed-data register`: prepare a PostgreSQL of one's own."""

from typing import Final, get_args
from uuid import UUID, uuid4

import click

from seed_pipelines.adapters.postgres.migrations import migrate
from seed_pipelines.adapters.postgres.tenants import Role, Tenant, grant_role, register_tenant
from seed_pipelines.domain.catalogue import ENVIRONMENTS
from seed_pipelines.orchestration.infrastructure import admit_database

_URL = click.option(
    "--database-url",
    required=True,
    help="The environment's database, as a login that may SET ROLE seed_owner (seed_migrator); passwords by PGPASSFILE.",
)
_ENVIRONMENT = click.option("--environment", type=click.Choice(ENVIRONMENTS), required=True)


@click.command("migrate")
@_URL
@_ENVIRONMENT
def migrate_command(database_url: str, environment: str) -> None:
    """Bring a database up to the published schema and note its environment. Doing it again changes nothing."""
    admit_database(database_url)
    click.echo(f"{environment} is at revision {migrate(database_url, environment)}.")


@click.command("register")
@click.argument("tenant")
@_URL
@_ENVIRONMENT
@click.option("--tenant-id", type=click.UUID, help="The tenant's id. Default: a new random one.")
@click.option("--app-login", "app_logins", multiple=True, help="Login that may act for the tenant (repeatable).")
@click.option(
    "--grant",
    "grants",
    multiple=True,
    metavar="LOGIN=ROLE",
    help=f"Role of a control login: {', '.join(get_args(Role))} (repeatable).",
)
def register_command(
    tenant: str,
    database_url: str,
    environment: str,
    tenant_id: UUID | None,
    app_logins: tuple[str, ...],
    grants: tuple[str, ...],
) -> None:
    """Make a tenant known in a database and say who may act for it. Doing it again, with its id, only adds."""
    wanted = [_grant(text) for text in grants]
    admit_database(database_url)
    known = Tenant(tenant_id or uuid4(), tenant)
    register_tenant(database_url, known, app_logins)
    for login, role in wanted:
        grant_role(database_url, login, role, known.tenant_id, environment)
    click.echo(f"{known.slug} is {known.tenant_id} in {environment}.")


COMMANDS: Final = (migrate_command, register_command)


def _grant(text: str) -> tuple[str, Role]:
    login, _, name = text.partition("=")
    role = next((found for found in get_args(Role) if found == name), None)
    if role is None or not login:
        raise click.BadParameter(f"{text!r} is not LOGIN=ROLE with a role of {', '.join(get_args(Role))}.")
    return login, role
