"""Connections that a run keeps between its transactions."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest
from tenacity import Retrying, stop_after_delay, wait_fixed

from seed_pipelines.adapters.postgres.database import TENANT_SETTING, Database, set_tenant
from seed_pipelines.errors import DatabaseUnavailable
from seed_pipelines_tests.e2e.postgres.conftest import TENANT_A, Server

pytestmark = pytest.mark.e2e


def backend(database: Database) -> int:
    """The process that serves a transaction."""
    with database.connection() as connection:
        return connection.info.backend_pid


def test_one_connection_serves_the_transactions_that_follow(data: Database) -> None:
    """Until the last of those that keep it ends."""
    with data.kept():
        first = backend(data)
        with data.kept():
            assert backend(data) == first
        assert backend(data) == first
    assert backend(data) != first


def test_nothing_is_kept_without_being_asked_for(data: Database) -> None:
    """Each transaction has a connection of its own."""
    assert backend(data) != backend(data)


def test_what_a_transaction_did_is_committed_before_the_next(data: Database, stack: Server) -> None:
    """The tenant it acted for is forgotten, and nothing stays open."""
    with data.kept():
        with data.connection() as connection:
            set_tenant(connection, TENANT_A.tenant_id)
            pid = connection.info.backend_pid
        with stack.superuser() as watcher:
            assert watcher.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", [pid]).fetchall() == [("idle",)]
        with data.connection() as connection:
            (setting,) = connection.execute("SELECT current_setting(%s, true)", [TENANT_SETTING]).fetchone() or ("?",)
            assert setting == ""


def test_a_failed_transaction_is_rolled_back_and_its_connection_closed(control: Database, stack: Server) -> None:
    """Its locks are gone with it."""
    with control.kept():
        first = backend(control)
        with pytest.raises(psycopg.errors.DivisionByZero), control.connection() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(1), 1/0")
        with stack.superuser() as watcher:
            assert watcher.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)
        assert backend(control) != first


def test_a_connection_that_the_server_cut_in_between_is_replaced(data: Database, stack: Server) -> None:
    """Nothing was asked of it yet, so that nothing can have been done by halves."""
    with data.kept():
        first = backend(data)
        with stack.superuser() as watcher:
            watcher.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
        assert backend(data) != first


def test_a_connection_cut_in_the_middle_of_its_transaction_is_an_outage(data: Database, stack: Server) -> None:
    """What the transaction had done is lost, and the next one has a new connection."""
    with data.kept():
        with (  # noqa: PT012  # the statement that fails comes after the cut
            pytest.raises(DatabaseUnavailable),
            data.connection() as connection,
        ):
            pid = connection.info.backend_pid
            with stack.superuser() as watcher:
                watcher.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            connection.execute("SELECT 1")
        assert backend(data) != pid


def test_threads_do_not_share_a_connection(data: Database) -> None:
    """A heartbeat goes on beside a transaction of another thread."""
    together = Barrier(2, timeout=30)

    def at_once() -> int:
        with data.connection() as connection:
            together.wait()
            return connection.info.backend_pid

    with data.kept(), ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(at_once), pool.submit(at_once)
        assert first.result() != second.result()


def test_no_connection_outlives_those_who_keep_it(data: Database, stack: Server) -> None:
    """Not after an exception either."""
    pids = []
    with pytest.raises(ZeroDivisionError), data.kept():  # noqa: PT012  # it is raised after the work
        pids.append(backend(data))
        raise ZeroDivisionError
    with stack.superuser() as watcher:
        for attempt in Retrying(stop=stop_after_delay(60), wait=wait_fixed(0.05)):
            with attempt:
                query = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)"
                assert watcher.execute(query, [pids]).fetchone() == (0,)
