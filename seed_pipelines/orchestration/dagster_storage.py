"""Dagster's storage in PostgreSQL, with a connection that is kept: `dagster.yaml` names this class.

Dagster's own connects anew for each event that it stores and for each question that it asks, several hundred times in a run.
It also stores an event of an asset in a transaction that locks the asset's row and has no limit: a process that is suspended
in the middle of it would keep everybody from launching what makes that asset.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Self

from dagster._core.storage.sql import create_engine
from dagster._serdes import ConfigurableClassData
from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from dagster_postgres.utils import pg_url_from_config
from sqlalchemy import text
from sqlalchemy.engine import Connection, Engine

_KEPT: Final = 1
"""Connections that a process keeps; those beyond are opened and closed as they are needed, without a limit."""
_SECONDS: Final = 300
"""How old a connection gets."""
_IDLE_SECONDS: Final = 10
"""How long a transaction may wait for its client: less than the webserver waits for a statement, 15 s unless told otherwise."""
_LIMIT: Final = text(f"""
SELECT set_config('idle_in_transaction_session_timeout', '{_IDLE_SECONDS}s', true)
WHERE current_setting('idle_in_transaction_session_timeout') = '0'
""")


class SeedDagsterStorage(DagsterPostgresStorage):
    """Dagster's tables for runs, events and schedules, which share the connections of a process.

    A connection is tried before it is used: one that the server has closed is replaced, as if none had been kept.
    """

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        """`postgres_url` names the driver: postgresql+psycopg2://."""
        super().__init__(postgres_url, should_autocreate_tables, inst_data)
        engine = create_engine(
            postgres_url,
            isolation_level="AUTOCOMMIT",
            pool_size=_KEPT,
            max_overflow=-1,
            pool_pre_ping=True,
            pool_recycle=_SECONDS,
        )
        self._run_storage = _Runs(postgres_url, engine)
        self._event_log_storage = _Events(postgres_url, engine)
        self._schedule_storage = _Schedules(postgres_url, engine)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """The storage of `dagster.yaml`, whose keys are those of Dagster's own."""
        return cls(pg_url_from_config(config_value), config_value.get("should_autocreate_tables", True), inst_data)


class _Runs(PostgresRunStorage):
    def __init__(self, postgres_url: str, engine: Engine) -> None:
        super().__init__(postgres_url, should_autocreate_tables=False)
        self._engine = engine

    def dispose(self) -> None:
        """Close what is kept; whoever goes on connects anew."""
        super().dispose()
        self._engine.dispose()


class _Events(PostgresEventLogStorage):
    """Asks once whether a table or a column is there: Dagster asks with each event, and migrations only ever add them.

    The server ends a transaction whose client stands still, after ten seconds where nobody chose another limit.
    """

    def __init__(self, postgres_url: str, engine: Engine) -> None:
        super().__init__(postgres_url, should_autocreate_tables=False)
        self._engine = engine
        self._tables: set[str] = set()
        self._columns: set[str] = set()

    @contextmanager
    def index_transaction(self) -> Iterator[Connection]:
        """A connection in a transaction: what it does to the tables of assets and checks is done as a whole."""
        with super().index_transaction() as connection:
            connection.execute(_LIMIT)
            yield connection

    def has_table(self, table_name: str) -> bool:
        """Whether it is there."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def has_asset_key_col(self, column_name: str) -> bool:
        """Whether the table of assets has it."""
        if column_name not in self._columns and super().has_asset_key_col(column_name):
            self._columns.add(column_name)
        return column_name in self._columns


class _Schedules(PostgresScheduleStorage):
    def __init__(self, postgres_url: str, engine: Engine) -> None:
        super().__init__(postgres_url, should_autocreate_tables=False)
        self._engine = engine
