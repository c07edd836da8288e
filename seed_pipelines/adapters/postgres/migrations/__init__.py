"""The reference schema, brought up to date: Alembic revisions that run `contracts/database/*.sql`."""

from pathlib import Path
from typing import Final

import psycopg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy import Connection, Engine, create_engine, exc
from sqlalchemy.pool import NullPool

from seed_pipelines.adapters.postgres.database import Database, location, unavailable
from seed_pipelines.errors import DatabaseUnavailable, Forbidden, SeedError, TargetMismatch

VERSION_SCHEMA: Final = "seed"
OWNER: Final = "seed_owner"
ENVIRONMENTS: Final = ("dev", "homolog", "staging", "perf", "dr")

_LOCK: Final = 0x5EED_0001
"""Advisory lock that lets one migration at a time into a database."""


def migrate(url: str, environment: str) -> str:
    """Bring the database up to the newest revision and return that revision.

    `url` is a libpq URI of a login that may SET ROLE seed_owner; everything happens in one transaction. Raises TargetMismatch
    if the database already belongs to another environment, Forbidden if the login may not do it, DatabaseUnavailable.
    """
    if environment not in ENVIRONMENTS:
        raise TargetMismatch(f"{environment!r} is no environment: one of {', '.join(ENVIRONMENTS)}.")
    try:
        with _engine(url).begin() as connection:
            _driver(connection).execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(OWNER)))
            _driver(connection).execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            _driver(connection).execute("CREATE SCHEMA IF NOT EXISTS seed")
            command.upgrade(_config(connection), "head")
            _claim(connection, location(url), environment)
            return _revision(connection) or ""
    except exc.DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise _meaning(error.orig, url) from error.orig
        raise
    except psycopg.Error as error:
        raise _meaning(error, url) from error


def current_revision(url: str) -> str | None:
    """The revision of a database, seen as seed_owner; None if it was never migrated."""
    with Database(url).connection() as connection:
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(OWNER)))
        found = connection.execute("SELECT to_regclass('seed.alembic_version') IS NOT NULL").fetchone()
        if found != (True,):
            return None
        row = connection.execute("SELECT version_num FROM seed.alembic_version").fetchone()
        return None if row is None else str(row[0])


def _engine(url: str) -> Engine:
    database = Database(url, application_name="seed_pipelines migrate")
    return create_engine("postgresql+psycopg://", creator=database.connect, poolclass=NullPool)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _driver(connection: Connection) -> "psycopg.Connection[tuple[object, ...]]":
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError("migrations run through psycopg")
    return driver


def _revision(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table_schema": VERSION_SCHEMA})
    return context.get_current_revision()


def _claim(connection: Connection, where: str, environment: str) -> None:
    driver = _driver(connection)
    driver.execute("INSERT INTO seed.environment (name) VALUES (%s) ON CONFLICT DO NOTHING", [environment])
    row = driver.execute("SELECT name FROM seed.environment").fetchone()
    if row != (environment,):
        raise TargetMismatch(f"{where} belongs to environment {row[0] if row else 'none'}, not to {environment}.")


def _meaning(error: psycopg.Error, url: str) -> SeedError:
    reason = f"{location(url)}: {error.diag.message_primary or str(error).strip()}"
    if unavailable(error):
        return DatabaseUnavailable(reason)
    if isinstance(error, psycopg.errors.InsufficientPrivilege | psycopg.errors.InvalidParameterValue):
        return Forbidden(
            f"{reason}. Migrate as a login that may SET ROLE {OWNER}, in a database that {OWNER} owns"
            " (contracts/database/roles.sql)."
        )
    return TargetMismatch(f"{reason}. The database holds something that the reference schema does not expect.")
