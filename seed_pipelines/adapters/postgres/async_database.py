"""Exchanges with one PostgreSQL database that await the answer, for whoever serves many requests at once.

An exchange is several statements in one message, so that a transaction is begun, does its work and is committed without its
client in between. Nothing is prepared in the session: a transaction pooler may stand in between.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg
from psycopg import AsyncClientCursor, pq
from psycopg.rows import TupleRow

from seed_pipelines.adapters.postgres.database import location, meaning, unavailable, within
from seed_pipelines.errors import SeedError

AsyncConnection = psycopg.AsyncConnection[TupleRow]
Rows = Sequence[TupleRow]
Results = Sequence[Rows]
"""The rows of each statement that has some, one statement after the other."""
Parameters = Mapping[str, Any]
Statement = tuple[str, dict[str, Any]]
"""A query, and its parameters."""

CONNECTIONS: Final = 16
"""Most at once; further exchanges wait for one."""
ANSWER_SECONDS: Final = 15.0
"""How long the server may take for a message: longer than any of them waits for a lock, which is ten seconds."""


class AsyncDatabase:
    """Where to connect, and as what; belongs to one event loop, and keeps connections until `close`."""

    def __init__(self, url: str, *, application_name: str = "seed_pipelines", connect_timeout: int = 10) -> None:
        """`url` is a libpq URI or connection string, whose `connect_timeout` comes first; DatabaseUnavailable."""
        self.location = location(url)
        """User, host, port and database, for messages."""
        self._url = within(url, connect_timeout)
        self._application_name = application_name
        self._idle: list[AsyncConnection] = []
        self._free = asyncio.Semaphore(CONNECTIONS)

    @asynccontextmanager
    async def exchange(self, query: str, parameters: Parameters) -> AsyncIterator[tuple[AsyncConnection, Results]]:
        """The results, and the connection, to go on with what `query` has begun.

        A transaction that is open at the end is rolled back. A kept connection that turns out to be dead is replaced, and
        `query` sent again. Raises DatabaseUnavailable if the server does not answer in ANSWER_SECONDS or goes away, Forbidden
        if the login lacks a privilege, TargetMismatch for what does not exist, psycopg.errors.LockNotAvailable after
        `lock_timeout`.
        """
        async with self._free:
            try:
                connection, results = await self._begun(query, parameters)
                async with self._lent(connection):
                    yield connection, results
            except psycopg.errors.LockNotAvailable:
                raise
            except psycopg.Error as error:
                meant = meaning(error, self.location)
                if meant is None:
                    raise
                raise meant from error

    async def close(self) -> None:
        """Close the connections that were kept."""
        while self._idle:
            await self._idle.pop().close()

    async def _begun(self, query: str, parameters: Parameters) -> tuple[AsyncConnection, Results]:
        while True:
            kept = self._idle.pop() if self._idle else None
            connection = kept or await self._connect()
            try:
                return connection, await sent(connection, query, parameters)
            except psycopg.Error as error:
                await connection.close()
                if kept is None or isinstance(error, psycopg.errors.LockNotAvailable) or not unavailable(error):
                    raise
                await self.close()  # the others are most likely dead too, and each might take its time to show it
            except BaseException:
                await connection.close()
                raise

    @asynccontextmanager
    async def _lent(self, connection: AsyncConnection) -> AsyncIterator[None]:
        """Keep the connection afterwards, unless what went wrong may be its fault."""
        try:
            yield
        except SeedError:
            await self._keep(connection)
            raise
        except BaseException:
            await connection.close()
            raise
        await self._keep(connection)

    async def _keep(self, connection: AsyncConnection) -> None:
        if connection.pgconn.transaction_status != pq.TransactionStatus.IDLE:
            try:
                await sent(connection, "ROLLBACK", {})
            except psycopg.Error:
                await connection.close()  # which has the server do the same
                return
        self._idle.append(connection)

    async def _connect(self) -> AsyncConnection:
        return await psycopg.AsyncConnection.connect(
            self._url,
            autocommit=True,
            application_name=self._application_name,
            cursor_factory=AsyncClientCursor,
        )


def in_one_message(statements: Sequence[Statement]) -> Statement:
    """Several statements, one after the other; each has parameters of its own."""
    parameters = {f"{place}_{name}": value for place, (_, own) in enumerate(statements) for name, value in own.items()}
    return ";".join(query.replace("%(", f"%({place}_") for place, (query, _) in enumerate(statements)), parameters


async def sent(connection: AsyncConnection, query: str, parameters: Parameters) -> Results:
    """Send a query, and await its results; psycopg.OperationalError after ANSWER_SECONDS without them."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            cursor = await connection.execute(query.encode(), parameters)
    except TimeoutError as error:
        raise psycopg.OperationalError(f"the server did not answer in {ANSWER_SECONDS:g} s") from error
    results = []
    while True:
        if cursor.pgresult is not None and cursor.pgresult.nfields:
            results.append(await cursor.fetchall())
        if not cursor.nextset():
            return results
