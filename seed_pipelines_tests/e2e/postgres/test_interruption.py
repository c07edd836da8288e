"""A run that is stopped in the middle of a statement."""

import signal
from collections.abc import Iterator
from types import FrameType

import pytest
from tenacity import Retrying, stop_after_delay, wait_fixed

from seed_pipelines.adapters.postgres.database import Connection, Database
from seed_pipelines.errors import DatabaseUnavailable
from seed_pipelines_tests.e2e.postgres.conftest import TENANT_A, Server

pytestmark = pytest.mark.e2e

_AT_WORK = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%pg_sleep(30)%%' AND pid <> pg_backend_pid()"


class StoppedError(BaseException):
    """What Dagster raises in a step: no Exception, and not the KeyboardInterrupt that the driver knows."""


@pytest.fixture
def stopped_soon() -> Iterator[None]:
    """An alarm that stops the main thread after a moment."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise StoppedError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("stopped_soon")
def test_an_interrupted_statement_is_an_interruption_and_no_outage(
    data: Database, stack: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """What stopped it comes through, nothing is said of a rollback, and the server stops working on it."""
    with pytest.raises(StoppedError), data.connection() as connection:
        connection.execute("SELECT pg_sleep(30)")
    assert caplog.text == ""
    with stack.superuser() as connection:
        for attempt in Retrying(stop=stop_after_delay(10), wait=wait_fixed(0.1)):
            with attempt:
                assert connection.execute(_AT_WORK).fetchone() == (0,)


@pytest.mark.usefixtures("stopped_soon")
def test_so_is_one_whose_connection_is_used_once_more(data: Database) -> None:
    """As a cursor or a COPY does on its way out."""
    with pytest.raises(StoppedError), data.connection() as connection:
        _use_twice(connection)


def test_an_outage_while_an_interruption_is_handled_is_an_outage() -> None:
    """Whoever records the end of a run that was stopped is told why it cannot, and may try again."""
    nowhere = Database("postgresql://app@127.0.0.1:1/seed_staging")

    def stopped() -> None:
        raise StoppedError

    try:
        stopped()
    except StoppedError:
        with pytest.raises(DatabaseUnavailable):
            nowhere.ping()


def _use_twice(connection: Connection) -> None:
    try:
        connection.execute("SELECT pg_sleep(30)")
    finally:
        connection.execute("SELECT 1")


def test_a_client_that_stands_still_does_not_hold_its_locks_for_ever(stack: Server) -> None:
    """The server ends the transaction, and the client is told so; others go on."""
    hurried = Database(stack.url("seed_service") + " options='-c idle_in_transaction_session_timeout=100ms'")
    with pytest.raises(DatabaseUnavailable), hurried.connection() as connection:
        _stand_still(connection, stack)


def _stand_still(connection: Connection, stack: Server) -> None:
    """Hold a lock until another has it."""
    connection.execute("SELECT pg_advisory_xact_lock(42)")
    with stack.superuser() as other:
        other.execute("SELECT pg_advisory_lock(42)")
    connection.execute("SELECT 1")


def test_every_transaction_has_such_a_limit(control: Database) -> None:
    """A minute, where nobody chose another."""
    with control.connection() as connection:
        limit = connection.execute("SELECT current_setting('idle_in_transaction_session_timeout')").fetchone()
    assert limit == ("1min",)


def test_the_limits_of_a_login_stay(stack: Server) -> None:
    """What the deployment chose is not raised."""
    names = ("idle_in_transaction_session_timeout", "transaction_timeout")
    chosen = " ".join(f"-c {name}=5s" for name in names)
    database = Database(stack.url("seed_app") + f" options='{chosen}'")
    with database.tenant_transaction(TENANT_A.tenant_id) as connection:
        assert connection.execute("SELECT current_setting(%s), current_setting(%s)", names).fetchone() == ("5s", "5s")
