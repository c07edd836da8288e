"""Dagster's storage, opened for the first time: it makes its tables one by one, without a transaction."""

import os
import subprocess
import sys

import psycopg
import pytest
from tenacity import Retrying, stop_after_delay, wait_fixed

from seed_pipelines.orchestration.instance import OPENING_LOCK
from seed_pipelines_tests.e2e.conftest import RunningStack

pytestmark = pytest.mark.e2e

_OPEN = (
    "from seed_pipelines.orchestration.instance import dagster_instance;"
    " print(len(dagster_instance().event_log_storage.get_pool_limits()))"
)
_WAITING = (
    "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
    " WHERE locktype = 'advisory' AND NOT granted AND datname = 'dagster_first'"
)
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
