"""The evidence of runs in Dagster, with the real webserver and daemon, whose sensor seals what the runs do not."""

import pytest
from tenacity import Retrying, stop_after_delay, wait_fixed

from seed_pipelines_tests.e2e.conftest import RunningStack
from seed_pipelines_tests.e2e.dagster.conftest import ONE_SHARD, THREE_SHARDS
from seed_pipelines_tests.e2e.dagster.test_concurrency import asked
from seed_pipelines_tests.e2e.dagster.webserver import Webserver

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

_SEALED = (
    "SELECT verdict FROM seed.report JOIN seed.evidence USING (tenant_id, seed_run_id, attempt)"
    " JOIN seed.seed_run USING (tenant_id, seed_run_id) WHERE origin = '{}'"
)


def sealed(stack: RunningStack, environment: str, origin: str) -> list[tuple[str]]:
    """The verdicts of the sealed reports of a run."""
    return [(str(verdict),) for (verdict,) in asked(stack, f"seed_{environment}", _SEALED.format(origin))]


def test_a_run_seals_its_own_report(webserver: Webserver, dagster_stack: RunningStack) -> None:
    """Before it counts as a success."""
    run = webserver.launch("staging", ONE_SHARD, "0000")
    assert run.status == "SUCCESS", run
    assert sealed(dagster_stack, "staging", run.run_id) == [("succeeded",)]


def test_the_sensor_seals_the_report_of_a_run_that_was_cancelled(
    webserver: Webserver, dagster_stack: RunningStack
) -> None:
    """It is on from the start, and comes by itself."""
    cancelled = webserver.submit("perf", THREE_SHARDS, "0002")
    webserver.await_step(cancelled, "customers")
    webserver.cancel(cancelled)
    assert webserver.finished(cancelled).status == "CANCELED"
    for attempt in Retrying(stop=stop_after_delay(240), wait=wait_fixed(1)):
        with attempt:
            assert sealed(dagster_stack, "perf", cancelled) == [("aborted",)]
