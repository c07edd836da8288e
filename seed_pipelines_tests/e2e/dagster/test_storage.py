"""Dagster's storage: opened for the first time, when it makes its tables one by one without a transaction; and kept open."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

import psycopg
import pytest
from dagster import AssetKey, DagsterInstance
from dagster_postgres import PostgresEventLogStorage
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from tenacity import Retrying, stop_after_delay, wait_fixed

from seed_pipelines.orchestration.instance import OPENING_LOCK
from seed_pipelines_tests.e2e.conftest import RunningStack
from seed_pipelines_tests.e2e.dagster.conftest import ONE_SHARD
from seed_pipelines_tests.e2e.dagster.webserver import Webserver

pytestmark = pytest.mark.e2e

_OPEN = (
    "from seed_pipelines.orchestration.instance import dagster_instance;"
    " print(len(dagster_instance().event_log_storage.get_pool_limits()))"
)
_WAITING = (
    "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
    " WHERE locktype = 'advisory' AND NOT granted AND datname = 'dagster_first'"
)
_NAME: Final = "kept_storage"
_LIMIT: Final = "idle_in_transaction_session_timeout"
_TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


def test_one_command_opens_it_at_a_time(dagster_stack: RunningStack) -> None:
    """While one opens it, another waits and makes no table; then it finds or makes all of them."""
    server = dagster_stack.stack.postgres
    with psycopg.connect(server.provisioning_url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE dagster_first OWNER dagster")
    url = dagster_stack.environment["SEED_DAGSTER_POSTGRES_URL"].replace("/dagster?", "/dagster_first?")
    environment = {**os.environ, **dagster_stack.environment, "SEED_DAGSTER_POSTGRES_URL": url}
    with psycopg.connect(server.provisioning_url("postgres", "dagster_first"), autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [OPENING_LOCK])
        command = subprocess.Popen(
            [sys.executable, "-c", _OPEN], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for attempt in Retrying(stop=stop_after_delay(60), wait=wait_fixed(0.1)):
            with attempt:
                assert other.execute(_WAITING).fetchone() == (1,)
        assert other.execute(_TABLES).fetchone() == (0,)
    stdout, stderr = command.communicate(timeout=60)
    assert (command.returncode, stdout.strip()) == (0, "0"), stderr


@pytest.fixture
def opened(dagster_stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    """The instance of the stack's `dagster.yaml`, with a name by which the server knows its connections."""
    for name, value in dagster_stack.environment.items():
        monkeypatch.setenv(name, value)
    url = dagster_stack.environment["SEED_DAGSTER_POSTGRES_URL"]
    monkeypatch.setenv("SEED_DAGSTER_POSTGRES_URL", f"{url}&application_name={_NAME}")
    with DagsterInstance.from_config(dagster_stack.environment["DAGSTER_HOME"]) as instance:
        yield instance


def _backends(stack: RunningStack) -> list[int]:
    """The server's process of each connection of the opened instance."""
    with psycopg.connect(stack.stack.postgres.provisioning_url("postgres", "postgres")) as connection:
        found = connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = %s", [_NAME])
        return [pid for (pid,) in found]


def _end(stack: RunningStack, pid: int) -> None:
    with psycopg.connect(stack.stack.postgres.provisioning_url("postgres", "postgres")) as connection:
        assert connection.execute("SELECT pg_terminate_backend(%s, 10000)", [pid]).fetchone() == (True,)


def _ask(instance: DagsterInstance) -> None:
    assert instance.get_run_by_id("no-such-run") is None
    assert not instance.has_asset_key(AssetKey("no-such-asset"))
    assert instance.get_instigator_state("no-such-origin", "no-such-selector") is None


def test_runs_events_and_schedules_share_a_connection_that_is_kept(
    dagster_stack: RunningStack, opened: DagsterInstance
) -> None:
    """However often they are asked; none is left once the instance is closed, and whoever goes on connects anew."""
    _ask(opened)
    first = _backends(dagster_stack)
    _ask(opened)
    assert len(first) == 1
    assert _backends(dagster_stack) == first
    opened.dispose()
    for attempt in Retrying(stop=stop_after_delay(60), wait=wait_fixed(0.05)):
        with attempt:
            assert _backends(dagster_stack) == []
    _ask(opened)
    assert len(_backends(dagster_stack)) == 1


def test_a_kept_connection_that_the_server_closed_is_replaced(
    dagster_stack: RunningStack, opened: DagsterInstance
) -> None:
    """Nobody hears of it, as nobody would without a connection that is kept."""
    _ask(opened)
    (pid,) = _backends(dagster_stack)
    _end(dagster_stack, pid)
    _ask(opened)
    (another,) = _backends(dagster_stack)
    assert another != pid


def test_tables_that_a_migration_adds_are_found(opened: DagsterInstance) -> None:
    """Only what is there is not asked about again."""
    storage = opened.event_log_storage
    assert isinstance(storage, PostgresEventLogStorage)
    assert storage.supports_asset_checks
    assert not storage.has_table("added_later")
    with storage.index_connection() as connection:
        connection.execute(text("CREATE TABLE added_later ()"))
    try:
        assert storage.has_table("added_later")
    finally:
        with storage.index_connection() as connection:
            connection.execute(text("DROP TABLE added_later"))


def test_a_suspended_process_does_not_keep_others_from_launching(webserver: Webserver, opened: DagsterInstance) -> None:
    """The server ends the transaction that it left open before the webserver gives up, and tells it once it goes on."""
    before = webserver.submit("staging", ONE_SHARD, "0000")
    launched: list[str] = []
    with pytest.raises(OperationalError):
        _launch_in_a_transaction(opened, webserver, launched)
    (after,) = launched
    assert {webserver.finished(run_id).status for run_id in (before, after)} == {"SUCCESS"}


def _launch_in_a_transaction(instance: DagsterInstance, webserver: Webserver, launched: list[str]) -> None:
    """As if this process were suspended while it stores an event of an asset, and another launched that asset."""
    with _events(instance).index_transaction() as connection:
        assert connection.execute(text("UPDATE asset_keys SET last_run_id = last_run_id")).rowcount > 0
        launched.append(webserver.submit("staging", ONE_SHARD, "0000"))


def test_a_transaction_has_such_a_limit_unless_the_deployment_chose_one(
    dagster_stack: RunningStack, opened: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with the transaction: the connection may be another's next, behind a pooler."""
    shown = text(f"SHOW {_LIMIT}")
    with _events(opened).index_transaction() as connection:
        assert connection.execute(shown).scalar() == "10s"
    with _events(opened).index_connection() as connection:
        assert connection.execute(shown).scalar() == "0"
    url = dagster_stack.environment["SEED_DAGSTER_POSTGRES_URL"]
    monkeypatch.setenv("SEED_DAGSTER_POSTGRES_URL", f"{url}&options=-c%20{_LIMIT}%3D5s")
    with (
        DagsterInstance.from_config(dagster_stack.environment["DAGSTER_HOME"]) as limited,
        _events(limited).index_transaction() as connection,
    ):
        assert connection.execute(shown).scalar() == "5s"


def _events(instance: DagsterInstance) -> PostgresEventLogStorage:
    assert isinstance(instance.event_log_storage, PostgresEventLogStorage)
    return instance.event_log_storage
