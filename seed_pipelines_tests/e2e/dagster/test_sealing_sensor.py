"""`SEED_SEAL_BY=sensor` with the real daemon: runs wait for its seal, and one that is not sealed in time has failed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from seed_pipelines.local.dagster_ui import DagsterUi
from seed_pipelines_tests.e2e.conftest import RunningStack, running_stack
from seed_pipelines_tests.e2e.dagster.conftest import ONE_SHARD, window, write
from seed_pipelines_tests.e2e.dagster.test_concurrency import asked
from seed_pipelines_tests.e2e.dagster.webserver import Webserver
from seed_pipelines_tests.worlds import catalogue

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

DEADLINE_SECONDS: Final = 30
EVIDENCE: Final = ("staging", "tenant-a", "default", "evidence")
WORKSPACE: Final = """load_from:
  - python_module:
      module_name: seed_pipelines.orchestration.locations
      attribute: staging
      location_name: staging
"""
_CHECKS: Final = """
query($assetKey: AssetKeyInput!) {
  assetCheckExecutions(assetKey: $assetKey, checkName: "sealed", limit: 20) { evaluation { success timestamp } }
}"""


@dataclass(frozen=True)
class Deployment:
    """A stack of one code location whose sensor alone writes into the bucket."""

    stack: RunningStack
    webserver: Webserver

    def checked(self) -> list[bool]:
        """How the check `sealed` went, the oldest first."""
        found = self.webserver.ask(_CHECKS, assetKey={"path": list(EVIDENCE)})["assetCheckExecutions"]
        told = [it["evaluation"] for it in found if it["evaluation"] is not None]
        return [it["success"] for it in sorted(told, key=lambda it: float(it["timestamp"]))]

    def column(self, query: str) -> list[Any]:
        """The first column of what the superuser reads."""
        return [row[0] for row in asked(self.stack, "seed_staging", query)]

    def status(self, run_id: str) -> str:
        """How the seed run of a Dagster run stands."""
        (status,) = self.column(f"SELECT status FROM seed.seed_run WHERE origin = '{run_id}'")  # noqa: S608 # our own id
        return str(status)

    @contextmanager
    def bucket_away(self) -> Iterator[None]:
        """Stop the S3 server for a while."""
        s3 = self.stack.stack.s3
        s3.stop()
        try:
            yield
        finally:
            s3.start()
            s3.provision()


def until(ask: Any, wanted: Any) -> None:
    """Wait until a question is answered so."""
    waiting = Retrying(retry=retry_if_result(lambda it: it != wanted), stop=stop_after_delay(240), wait=wait_fixed(0.5))
    waiting(ask)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Webserver, daemon and the code location of staging."""
    directory = tmp_path_factory.mktemp("sensor")
    manifests: Path = directory / "manifests"
    manifests.mkdir()
    changes = {
        "window": window(datetime.now(UTC), -1, 3),
        "backoff": {"base_seconds": 1, "jitter_factor": 0, "max_retries": 0, "max_interval_seconds": 1},
    }
    write(manifests, catalogue(), "tenant-a", "staging", changes)
    (directory / "workspace.yaml").write_text(WORKSPACE, encoding="utf-8")
    with running_stack(manifests) as stack:
        own = {"SEED_SEAL_BY": "sensor", "SEED_SEAL_DEADLINE_SECONDS": str(DEADLINE_SECONDS)}
        ui = DagsterUi(stack.stack.paths)
        with ui.running(directory, {**os.environ, **stack.service_environment, **own}):
            made = Deployment(stack, Webserver(ui.address))
            until(lambda: made.column("SELECT count(*) FROM seed.worm_probe WHERE problem IS NULL"), [1])
            yield made


def test_a_run_waits_for_the_sensor_and_fails_without_its_seal(deployment: Deployment) -> None:
    """Sealed in time it succeeds. With the bucket away it fails, its check is red, and green after the next seal."""
    webserver = deployment.webserver
    run = webserver.launch("staging", ONE_SHARD, "0000")
    assert run.status == "SUCCESS", run
    assert deployment.status(run.run_id) == "succeeded"
    assert set(deployment.checked()) == {True}

    late = webserver.submit("staging", ONE_SHARD, "0000")
    webserver.await_step(late, "integrity_report")
    with deployment.bucket_away():
        failed = webserver.finished(late)
        assert failed.status == "FAILURE", failed
        assert failed.problem is not None
        assert failed.problem["code"] == "worm_unavailable"
        until(lambda: deployment.checked()[-1], False)
        assert deployment.status(late) == "failed"
        assert deployment.column("SELECT count(*) FROM seed.sealing") == [1]
    until(lambda: deployment.checked()[-1], True)
    assert deployment.column("SELECT count(*) FROM seed.sealing") == [0]
    assert deployment.status(late) == "failed"
