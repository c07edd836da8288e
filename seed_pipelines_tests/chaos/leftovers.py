"""What should not outlive a run: looked for once everything is over."""

from typing import Final

import psycopg
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from seed_pipelines_tests.chaos.ground import Ground

_QUIET_SECONDS: Final = 20
_IN_STAGING: Final = {
    "leases": "SELECT count(*) FROM seed.lease",
    "queue entries": "SELECT count(*) FROM seed.queue_entry",
    "claims without an answer": "SELECT count(*) FROM seed.idempotency_key WHERE completed_at IS NULL",
    "seed runs that count as running": "SELECT count(*) FROM seed.seed_run WHERE status = 'running'",
    "temporary tables": "SELECT count(*) FROM pg_class WHERE relpersistence = 't'",
    "connections": "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename <> 'postgres'",
}
_IN_STORAGE: Final = {
    "slots": "SELECT count(*) FROM concurrency_slots WHERE run_id IS NOT NULL AND NOT deleted",
    "steps that wait for a slot": "SELECT count(*) FROM pending_steps",
    "Dagster runs that count as running": (
        "SELECT count(*) FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')"
    ),
}


def left_behind(ground: Ground) -> dict[str, int]:
    """Whatever of it is there, after a while in which servers may notice that a client is gone."""
    quiet = Retrying(
        retry=retry_if_result(bool),
        stop=stop_after_delay(_QUIET_SECONDS),
        wait=wait_fixed(0.1),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    found: dict[str, int] = quiet(_found, ground)
    return found


def forget_dagster_runs(ground: Ground) -> None:
    """Let a trial that failed leave the next one nothing in Dagster's storage."""
    with psycopg.connect(ground.storage_url) as storage:
        storage.execute("UPDATE runs SET status = 'CANCELED' WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')")
        storage.execute("UPDATE concurrency_slots SET run_id = NULL, step_key = NULL")


def _found(ground: Ground) -> dict[str, int]:
    with ground.staging.superuser() as connection, psycopg.connect(ground.storage_url) as storage:
        counts = {what: connection.execute(query.encode()) for what, query in _IN_STAGING.items()}
        counts |= {what: storage.execute(query.encode()) for what, query in _IN_STORAGE.items()}
        found = {what: int((cursor.fetchone() or (-1,))[0]) for what, cursor in counts.items()}
    found["half files"] = len(list(ground.staging.data_dir.rglob("*.partial")))
    return {what: count for what, count in found.items() if count}
