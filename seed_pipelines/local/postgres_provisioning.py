"""Roles, databases, schema and tenants of the local stack's PostgreSQL; doing it again changes nothing."""

import secrets
from collections.abc import Iterable
from typing import Final

import psycopg
from psycopg import sql

from seed_pipelines.adapters.postgres.migrations import migrate
from seed_pipelines.adapters.postgres.tenants import Role, Tenant, grant_role, register_tenant
from seed_pipelines.contract_files import contract_file
from seed_pipelines.domain.catalogue import ENVIRONMENTS
from seed_pipelines.local.logins import APP, DAGSTER, MIGRATOR, OPERATOR, SERVICE, TOKEN_GRANTEE, database_of
from seed_pipelines.local.manifest_tenants import NamedTenant
from seed_pipelines.local.passwords import read_passwords, write_passwords
from seed_pipelines.local.postgres_server import PORT, SUPERUSER, PostgresServer

_OWNER: Final = "seed_owner"
_OPERATOR_ROLES: Final[tuple[Role, ...]] = ("seed-runner", "seed-admin", "seed-read")
_RUN_LOGINS: Final = (APP, SERVICE, OPERATOR, DAGSTER)


def provision(server: PostgresServer, tenants: Iterable[NamedTenant]) -> None:
    """Bring roles, databases, schema and tenants up to date; a password made once stays."""
    paths = server.paths
    run_passwords = _completed(read_passwords(paths.passwords), _RUN_LOGINS)
    provisioning_passwords = _completed(read_passwords(paths.provisioning_passwords), (SUPERUSER, MIGRATOR))
    write_passwords(paths.passwords, paths.socket_dir, PORT, run_passwords)
    write_passwords(paths.provisioning_passwords, paths.socket_dir, PORT, provisioning_passwords)
    url = server.provisioning_url(SUPERUSER, "postgres")
    with psycopg.connect(url, autocommit=True, application_name="seed-data up") as connection:
        connection.execute(contract_file("database/roles.sql").read_bytes())
        for login, password in {**run_passwords, **provisioning_passwords}.items():
            _set_password(connection, login, password)
        for environment in ENVIRONMENTS:
            _create_database(connection, database_of(environment), _OWNER)
        _create_database(connection, DAGSTER, DAGSTER)
        for name in (DAGSTER, "postgres"):
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
    for environment in ENVIRONMENTS:
        migrate(server.provisioning_url(MIGRATOR, database_of(environment)), environment)
    for tenant_id, slug, environment in sorted({(it.tenant_id, it.tenant, it.environment) for it in tenants}):
        migrator = server.provisioning_url(MIGRATOR, database_of(environment))
        register_tenant(migrator, Tenant(tenant_id, slug), app_logins=(APP,))
        grant_role(migrator, SERVICE, "seed-runner", tenant_id, environment)
        for role in _OPERATOR_ROLES:
            grant_role(migrator, OPERATOR, role, tenant_id, environment)
            grant_role(migrator, TOKEN_GRANTEE, role, tenant_id, environment)


def _completed(known: dict[str, str], logins: Iterable[str]) -> dict[str, str]:
    return {login: known.get(login) or secrets.token_urlsafe(24) for login in logins}


def _set_password(connection: psycopg.Connection, login: str, password: str) -> None:
    """Set a password as its SCRAM verifier (RFC 5803), so that the server's log cannot show it."""
    verifier = connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256")
    connection.execute(
        sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(login), sql.Literal(verifier.decode()))
    )


def _create_database(connection: psycopg.Connection, name: str, owner: str) -> None:
    found = connection.execute("SELECT FROM pg_catalog.pg_database WHERE datname = %s", [name]).fetchone()
    if found is None:
        names = {"name": sql.Identifier(name), "owner": sql.Identifier(owner)}
        connection.execute(sql.SQL("CREATE DATABASE {name} OWNER {owner}").format(**names))
