"""Suspending a process that may be anywhere in its work."""

import signal
import subprocess
from typing import Any, Final

import psycopg
from tenacity import Retrying, stop_after_delay, wait_fixed

from seed_pipelines.local.postgres_server import SUPERUSER
from seed_pipelines_tests.e2e.conftest import RunningStack

_IN_TRANSACTIONS: Final = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
    " AND xact_start IS NOT NULL AND pid <> pg_backend_pid()"
)
_SECONDS: Final = 60.0
_TRANSACTION_SECONDS: Final = 1.0
"""Longer than any transaction that Dagster's other processes have."""


def suspend(process: "subprocess.Popen[Any]", stack: RunningStack) -> None:
    """Stop a process (SIGSTOP) where it holds none of Dagster's rows: the server ends a transaction that stands still."""
    for attempt in Retrying(stop=stop_after_delay(_SECONDS)):
        with attempt:
            process.send_signal(signal.SIGSTOP)
            try:
                _await_no_transaction(stack)
            except AssertionError:
                process.send_signal(signal.SIGCONT)
                raise


def _await_no_transaction(stack: RunningStack) -> None:
    url = stack.stack.postgres.provisioning_url(SUPERUSER, "dagster")
    with psycopg.connect(url, autocommit=True) as connection:
        for look in Retrying(stop=stop_after_delay(_TRANSACTION_SECONDS), wait=wait_fixed(0.02), reraise=True):
            with look:
                assert connection.execute(_IN_TRANSACTIONS).fetchone() == (0,)
