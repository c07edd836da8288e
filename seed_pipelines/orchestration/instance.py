"""The Dagster instance, and what its storage says when PostgreSQL is away."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from dagster import DagsterError, DagsterInstance
from dagster_postgres.utils import DagsterPostgresException
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.errors import DatabaseUnavailable, StackUnavailable
from seed_pipelines.orchestration.settings import Settings

OPENING_LOCK: Final = 0x5EED_0002
"""Advisory lock in Dagster's database."""


def dagster_instance() -> DagsterInstance:
    """The Dagster instance of DAGSTER_HOME; StackUnavailable with the cure, or DatabaseUnavailable."""
    try:
        with storage_translated(), _one_at_a_time(Settings().dagster_postgres_url):
            return DagsterInstance.get()
    except DagsterError as error:
        raise StackUnavailable(
            "Dagster's instance cannot be opened: start the local stack with `seed-data up`, or set DAGSTER_HOME and "
            f"SEED_DAGSTER_POSTGRES_URL. ({type(error).__name__})"
        ) from error


@contextmanager
def _one_at_a_time(url: str | None) -> Iterator[None]:
    """Hold off other commands: whoever opens an empty storage makes its tables, and two at once fail."""
    if url is None:
        yield
        return
    with Database(
        url.replace("+psycopg2", "", 1), application_name="seed_pipelines dagster"
    ).connection() as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [OPENING_LOCK])
        yield


@contextmanager
def storage_translated() -> Iterator[None]:
    """DatabaseUnavailable for what Dagster's PostgreSQL storage raises when its server is away."""
    try:
        yield
    except (SQLAlchemyError, DagsterPostgresException) as error:
        raise DatabaseUnavailable(f"Dagster's storage does not answer ({_said(error)}).") from error


def _said(error: Exception) -> str:
    """What the server said of it, without the statement and its values."""
    source = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    first_line, *_ = str(source).strip().splitlines() or [""]
    return f"{type(source).__name__}: {first_line}"
