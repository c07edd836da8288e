"""Transactions in one PostgreSQL database.

Settings are local to their transaction and nothing is prepared in the session, so a transaction pooler may stand in between.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from seed_pipelines.errors import DatabaseUnavailable, Forbidden, SeedError, TargetMismatch

Connection = psycopg.Connection[TupleRow]

TENANT_SETTING: Final = "app.tenant_id"
"""The setting that the tenant policies read."""

IDLE_SECONDS: Final = 60
"""How long a transaction may wait for its client: one that stands still must not hold up others for ever."""

BEGIN_SETTINGS: Final = f"""
SET LOCAL TIME ZONE 'UTC';
SELECT set_config('idle_in_transaction_session_timeout', '{IDLE_SECONDS}s', true)
WHERE current_setting('idle_in_transaction_session_timeout') = '0'
"""
"""What every transaction begins with."""
_BEGIN: Final = f"BEGIN;{BEGIN_SETTINGS}"

_FIRST_WITH_TRANSACTION_TIMEOUT: Final = 170_000
_AWAY_CLASSES: Final = ("08", "53", "57", "58")
_AWAY_STATES: Final = ("25P03", "25P04", "55P03")
_ABSENT = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.InvalidSchemaName,
)


class Database:
    """Where to connect, and as what; holds no connection but within `kept`."""

    def __init__(self, url: str, *, application_name: str = "seed_pipelines", connect_timeout: int = 10) -> None:
        """`url` is a libpq URI or connection string, whose `connect_timeout` comes first; DatabaseUnavailable."""
        self.location = location(url)
        """User, host, port and database, for messages."""
        self._url = within(url, connect_timeout)
        self._application_name = application_name
        self._idle: list[Connection] = []
        self._keepers = 0
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Database({self.location!r})"

    def connect(self) -> Connection:
        """A connection that its caller closes; psycopg.OperationalError if the server does not answer."""
        try:
            return psycopg.connect(
                self._url,
                application_name=self._application_name,
                prepare_threshold=None,
            )
        except psycopg.ProgrammingError:
            raise DatabaseUnavailable(
                "The database URL cannot be read; it is not shown as it may hold a password."
            ) from None

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection with one transaction, in UTC: committed at the end, rolled back by an exception.

        It is closed after either; within `kept`, after an exception only. The server ends the transaction once its client
        stands still for IDLE_SECONDS, or as long as the database or the login allows.

        Raises DatabaseUnavailable if the server does not answer or goes away, Forbidden if the login lacks a privilege,
        TargetMismatch if something the statements name does not exist.
        """
        before = sys.exception()
        try:
            with ExitStack() as closing:
                connection = closing.enter_context(self._begun())
                with _ended_by_interruption(connection, before):
                    yield connection
                    connection.commit()
                if self._is_kept(connection):
                    closing.pop_all()
        except psycopg.Error as error:
            if (interruption := _interruption(error, before)) is not None:
                raise interruption from None
            meant = meaning(error, self.location)
            if meant is None:
                raise
            raise meant from error

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep connections for the transactions that follow, instead of opening one for each, until the last of these ends."""
        with self._lock:
            self._keepers += 1
        try:
            yield
        finally:
            with self._lock:
                self._keepers -= 1
                ended, self._idle = ([], self._idle) if self._keepers else (self._idle, [])
            for connection in ended:
                connection.close()

    @contextmanager
    def tenant_transaction(self, tenant_id: UUID, *, timeout_seconds: float = 600) -> Iterator[Connection]:
        """A connection whose transaction acts for a tenant and is ended by the server after `timeout_seconds`.

        A limit that the database or the login already has stays.
        """
        with self.connection() as connection:
            milliseconds = str(max(1, round(timeout_seconds * 1000)))
            has_one = connection.info.server_version >= _FIRST_WITH_TRANSACTION_TIMEOUT
            name = "transaction_timeout" if has_one else "statement_timeout"
            connection.execute(
                "SELECT set_config(%s, %s, true),"
                " CASE WHEN current_setting(%s) = '0' THEN set_config(%s, %s, true) END",
                [TENANT_SETTING, str(tenant_id), name, name, milliseconds],
            )
            yield connection

    def ping(self) -> None:
        """DatabaseUnavailable if the server does not answer."""
        with self.connection() as connection:
            connection.execute("SELECT 1")

    def _begun(self) -> Connection:
        """A connection in a new transaction: one that was kept, if the server still has it, or a new one."""
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            connection = kept or self.connect()
            # The driver would send a BEGIN of its own, and wait for it.
            connection.autocommit = True
            try:
                connection.execute(_BEGIN.encode())
            except psycopg.Error as error:
                connection.close()
                if kept is None or not unavailable(error):
                    raise
            except BaseException:
                connection.close()
                raise
            else:
                return connection

    def _is_kept(self, connection: Connection) -> bool:
        with self._lock:
            if self._keepers:
                self._idle.append(connection)
            return self._keepers > 0


@contextmanager
def _ended_by_interruption(connection: Connection, before: BaseException | None) -> Iterator[None]:
    """End a connection that was interrupted in the middle of a statement: it cannot even be rolled back by the client."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Exception) or _interruption(error, before) is not None:
            connection.cancel()
            connection.close()
        raise


def _interruption(error: BaseException, before: BaseException | None) -> BaseException | None:
    """What interrupted the work, where an error is only what the driver said of it afterwards; not what was handled before."""
    cause = error.__context__
    while isinstance(cause, Exception) and cause is not before:
        cause = cause.__context__
    return None if cause is before else cause


def location(url: str) -> str:
    """`user@host:port/database` of a libpq URI or connection string; DatabaseUnavailable if it cannot be read."""
    parts = _parts(url)
    user = f"{parts['user']}@" if parts.get("user") else ""
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"{user}{parts.get('host') or 'localhost'}{port}/{parts.get('dbname') or ''}"


def within(url: str, seconds: int) -> str:
    """A libpq URI or connection string that gives up connecting after some seconds, unless it says itself when."""
    return url if "connect_timeout" in _parts(url) else make_conninfo(url, connect_timeout=seconds)


def _parts(url: str) -> dict[str, Any]:
    try:
        return conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise DatabaseUnavailable(
            "The database URL cannot be read; it is not shown as it may hold a password."
        ) from None


def set_tenant(connection: Connection, tenant_id: UUID | None) -> None:
    """Act for a tenant, or for none, until the transaction ends."""
    value = "" if tenant_id is None else str(tenant_id)
    connection.execute("SELECT set_config(%s, %s, true)", [TENANT_SETTING, value])


def meaning(error: psycopg.Error, where: str) -> SeedError | None:
    """What an error of the driver means: DatabaseUnavailable, Forbidden, TargetMismatch; None for a fault of ours."""
    primary = error.diag.message_primary or ""
    if unavailable(error):
        return DatabaseUnavailable(f"{where}: {primary or str(error).strip()}")
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return Forbidden(f"{where}: {primary}. Grant the login its role (contracts/database/roles.sql).")
    if isinstance(error, _ABSENT):
        return TargetMismatch(f"{where}: {primary}. Is this the right database, and was it migrated?")
    return None


def unavailable(error: psycopg.Error) -> bool:
    """Whether the server went away, ran out of a resource or of time, rather than refusing the statement."""
    state = error.sqlstate or ""
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return True
    return state[:2] in _AWAY_CLASSES or state in _AWAY_STATES
