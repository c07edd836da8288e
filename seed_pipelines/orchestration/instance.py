"""The Dagster instance, and what its storage says when PostgreSQL is away."""

from collections.abc import Iterator
from contextlib import contextmanager

from dagster import DagsterError, DagsterInstance
from dagster_postgres.utils import DagsterPostgresException
from sqlalchemy.exc import SQLAlchemyError

from seed_pipelines.errors import DatabaseUnavailable, StackUnavailable


def dagster_instance() -> DagsterInstance:
    """The Dagster instance of DAGSTER_HOME; StackUnavailable with the cure, or DatabaseUnavailable."""
    try:
        with storage_translated():
            return DagsterInstance.get()
    except DagsterError as error:
        raise StackUnavailable(
            "Dagster's instance cannot be opened: start the local stack with `seed-data up`, or set DAGSTER_HOME and "
            f"SEED_DAGSTER_POSTGRES_URL. ({type(error).__name__})"
        ) from error


@contextmanager
def storage_translated() -> Iterator[None]:
    """DatabaseUnavailable for what Dagster's PostgreSQL storage raises when its server is away."""
    try:
        yield
    except (SQLAlchemyError, DagsterPostgresException) as error:
        raise DatabaseUnavailable(f"Dagster's storage does not answer ({type(error).__name__}).") from error
