"""A PostgreSQL that is there and does not answer: frozen, or behind a network that loses everything."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from seed_pipelines.adapters.postgres import async_database
from seed_pipelines.adapters.postgres.async_database import AsyncDatabase, sent
from seed_pipelines.errors import DatabaseUnavailable, TenantUnknown
from seed_pipelines_tests.e2e.postgres.conftest import Server

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message is given up after half a second."""
    monkeypatch.setattr(async_database, "ANSWER_SECONDS", 0.5)


@contextmanager
def frozen(backend: int) -> Iterator[None]:
    """The server's process of one connection stands still."""
    os.kill(backend, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(backend, signal.SIGCONT)


async def backend(database: AsyncDatabase) -> int:
    """The process that serves an exchange."""
    async with database.exchange("SELECT pg_backend_pid()", {}) as (_, (((process,),),)):
        return int(process)


def test_a_kept_connection_that_does_not_answer_is_replaced(stack: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody hears of it, and none of the others that were kept is waited for."""

    async def replaced() -> tuple[set[int], int]:
        database = AsyncDatabase(stack.url("seed_service"))
        async with database.exchange("SELECT pg_backend_pid()", {}) as (_, (((first,),),)):
            second = await backend(database)
        with frozen(first), frozen(second):
            another = await backend(database)
        await database.close()
        return {first, second}, another

    kept, another = asyncio.run(replaced())
    assert len(kept) == 2
    assert another not in kept
    assert [record.name for record in caplog.records].count("psycopg") == 1  # tells of each that it gives up


def test_an_exchange_that_is_not_answered_ends(stack: Server) -> None:
    """Others go on meanwhile, on another connection."""

    async def given_up() -> str:
        database = AsyncDatabase(stack.url("seed_service"))
        try:
            async with database.exchange("BEGIN; SELECT pg_backend_pid()", {}) as (connection, (((process,),),)):
                with frozen(process):
                    assert await backend(database) != process
                    await sent(connection, "SELECT 1", {})
        except DatabaseUnavailable as error:
            return error.detail
        finally:
            await database.close()
        return "answered"

    assert asyncio.run(given_up()).endswith("the server did not answer in 0.5 s")


def test_what_was_refused_is_told_even_if_it_cannot_be_rolled_back(stack: Server) -> None:
    """The connection is closed, which the server takes for the same."""

    async def refused() -> None:
        database = AsyncDatabase(stack.url("seed_service"))
        with ExitStack() as freezing:
            async with database.exchange("BEGIN; SELECT pg_backend_pid()", {}) as (_, (((process,),),)):
                freezing.enter_context(frozen(process))
                raise TenantUnknown("There is no such tenant.")

    with pytest.raises(TenantUnknown):
        asyncio.run(refused())
