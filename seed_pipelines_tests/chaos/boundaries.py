"""The boundaries of a run, told by the run itself: by what it prints, and by the events that Dagster's storage receives."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql

from seed_pipelines_tests.chaos.draw import BEGINS, ENDS, LEASE, QUEUE, START, Moment

_CHANNEL: Final = "step_boundaries"
_TOLD: Final = f"""
CREATE OR REPLACE FUNCTION tell_step_boundary() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    PERFORM pg_notify('{_CHANNEL}', NEW.step_key || ' ' || NEW.dagster_event_type);
    RETURN NULL;
END
$function$;
CREATE OR REPLACE TRIGGER step_boundaries AFTER INSERT ON event_logs FOR EACH ROW
WHEN (NEW.dagster_event_type IN ('STEP_START', 'STEP_SUCCESS')) EXECUTE FUNCTION tell_step_boundary();
"""
_EVENTS: Final = {BEGINS: "STEP_START", ENDS: "STEP_SUCCESS"}
_PRINTED: Final = {QUEUE: "queue_entry=", LEASE: "dagster_run_id="}
_LOOK_SECONDS: Final = 0.2


@dataclass(frozen=True)
class Boundaries:
    """Hears of each step that begins or ends, from now on."""

    storage: "psycopg.Connection[tuple[Any, ...]]"

    def reached(self, process: "subprocess.Popen[str]", slug: str, boundary: str) -> bool:
        """Wait until the run of a tenant is at a boundary; False where it ended before."""
        if boundary == START:
            return True
        if boundary in _PRINTED:
            if process.stdout is None:
                raise AssertionError(process)
            return any(line.startswith(_PRINTED[boundary]) for line in process.stdout)
        step, edge = boundary.split()
        wanted = f"{step}__staging__{slug.replace('-', '_')} {_EVENTS[edge]}"
        while True:
            over = process.poll() is not None
            if any(told.payload == wanted for told in self.storage.notifies(timeout=_LOOK_SECONDS, stop_after=1)):
                return True
            if over:
                return False

    def await_moment(
        self, process: "subprocess.Popen[str]", slug: str, moment: Moment, seconds: Mapping[str, float]
    ) -> bool:
        """Wait until a run is at a moment; False where it ended before. `seconds`: how long the work after a boundary takes."""
        if not self.reached(process, slug, moment.boundary):
            return False
        if not moment.share:
            return True
        try:
            process.wait(timeout=moment.share * seconds[moment.boundary])
        except subprocess.TimeoutExpired:
            return True
        return False


@contextmanager
def heard(storage_url: str) -> Iterator[Boundaries]:
    """Boundaries of the runs that begin within the block."""
    with psycopg.connect(storage_url, autocommit=True) as storage:
        storage.execute(sql.SQL("LISTEN {}").format(sql.Identifier(_CHANNEL)))
        yield Boundaries(storage)


def let_storage_tell(storage_url: str) -> None:
    """Have Dagster's storage, once it has its tables, tell of every step that begins or ends."""
    with psycopg.connect(storage_url) as storage:
        storage.execute(_TOLD.encode())
