"""Runs that the API puts into the queue, begun by the real daemon."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from seed_pipelines_tests.e2e.api.server import RUNS, Served, served
from seed_pipelines_tests.e2e.conftest import RunningStack
from seed_pipelines_tests.e2e.dagster.conftest import CUSTOMERS, ONE_SHARD
from seed_pipelines_tests.e2e.dagster.test_concurrency import asked
from seed_pipelines_tests.e2e.dagster.webserver import Webserver
from seed_pipelines_tests.manifest_examples import changed, sealed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

TENANT_A = uuid5(NAMESPACE_DNS, "tenant-a.seed-pipelines.example")
_ENDED = ("succeeded", "partial", "failed", "aborted")


def deployed(stack: RunningStack, environment: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((stack.purpose.manifests_dir / environment / "tenant-a.json").read_bytes())
    return found


def awaited(api: Served, place: str, done: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
    retrying = Retrying(
        retry=retry_if_result(lambda run: not done(run)), stop=stop_after_delay(300), wait=wait_fixed(0.5)
    )
    return dict(retrying(lambda: api.get(place).json()))


def test_a_run_is_begun_by_the_daemon_and_seeds(webserver: Webserver, dagster_stack: RunningStack) -> None:
    """Under the key that it was asked for with, as the service subject; its tag of the queue changes when it goes on."""
    with served(dagster_stack, TENANT_A) as api:
        created = api.post(RUNS, deployed(dagster_stack, "staging"), Idempotency_Key="api-run")
        assert created.status_code == 201, created.text
        place = created.headers["Location"]
        run = awaited(api, place, lambda run: run["status"] in _ENDED)
        assert run["status"] == "succeeded", run
        assert run["job"] == ONE_SHARD
        assert run["seed_run"]["problem"] is None
        changed = api.get(place, If_None_Match=created.headers["ETag"])
        assert changed.status_code == 200
        assert api.post(f"{place}/cancel", If_Match=changed.headers["ETag"]).json()["code"] == "seed_run_ended"
        again = api.post(RUNS, deployed(dagster_stack, "staging"), Idempotency_Key="api-run")
        assert (again.status_code, again.content) == (201, created.content)

    query = "SELECT status, subject, idempotency_key FROM seed.seed_run WHERE idempotency_key = 'api-run'"
    assert asked(dagster_stack, "seed_staging", query) == [("succeeded", "seed_service", "api-run")]
    assert webserver.finished(run["id"]).status == "SUCCESS"


def test_a_run_of_a_manifest_that_is_not_deployed_where_it_begins_seeds_nothing(
    webserver: Webserver, dagster_stack: RunningStack, tmp_path: Path
) -> None:
    """Whoever ordered it was told of that one: it fails, and says which manifest is there."""
    ordered = sealed(changed(deployed(dagster_stack, "staging"), "/metadata/version", "9.9.9"))
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "tenant-a.json").write_text(json.dumps(ordered))
    with served(dagster_stack, TENANT_A, SEED_MANIFESTS_DIR=str(tmp_path)) as api:
        created = api.post(RUNS, ordered)
        assert created.status_code == 201, created.text
        run = awaited(api, created.headers["Location"], lambda run: run["status"] in _ENDED)
    assert (run["status"], run["seed_run"]) == ("failed", None)
    assert (run["problem"]["code"], run["problem"]["expected"]) == (
        "manifest_hash_mismatch",
        ordered["integrity"]["manifest_hash"],
    )
    assert webserver.finished(run["id"]).status == "FAILURE"


def test_a_run_that_is_cancelled_keeps_what_it_has_committed(webserver: Webserver, dagster_stack: RunningStack) -> None:
    """It ends aborted, every shard is there or is not, and the lease is free."""
    with served(dagster_stack, TENANT_A, environment="perf") as api:
        created = api.post(RUNS, deployed(dagster_stack, "perf"))
        assert created.status_code == 201, created.text
        place = created.headers["Location"]
        webserver.await_step(created.json()["id"], "validated_manifest")
        answer = api.post(f"{place}/cancel", If_Match="*")
        assert answer.status_code == 202, answer.text
        assert answer.json()["status"] in ("canceling", "aborted")
        run = awaited(api, place, lambda run: {run["status"], run["seed_run"]["status"]} <= set(_ENDED))

    assert (run["status"], run["seed_run"]["status"]) == ("aborted", "aborted")
    assert run["seed_run"]["problem"]["code"] == run["problem"]["code"] == "interrupted"
    assert asked(dagster_stack, "seed_perf", "SELECT count(*) FROM seed.lease") == [(0,)]
    ((landed,),) = asked(dagster_stack, "seed_perf", "SELECT count(*) FROM banking.customer")
    ((shards,),) = asked(dagster_stack, "seed_perf", "SELECT count(*) FROM seed.shard_checkpoint")
    assert (landed == 0) == (shards == 0)
    assert landed <= CUSTOMERS


@pytest.mark.usefixtures("webserver")
def test_a_run_that_is_cancelled_while_it_begins_ends_aborted(dagster_stack: RunningStack) -> None:
    """Whether its process had come to the seed run or not: Dagster fails those that it had only begun to start."""
    with served(dagster_stack, TENANT_A, environment="perf") as api:
        for _ in range(3):
            created = api.post(RUNS, deployed(dagster_stack, "perf"))
            assert created.status_code == 201, created.text
            place = created.headers["Location"]
            awaited(api, place, lambda run: run["status"] != "queued")
            for attempt in Retrying(stop=stop_after_delay(60), wait=wait_fixed(0.1)):
                with attempt:  # 409 while nobody could tell its process
                    assert api.post(f"{place}/cancel", If_Match="*").status_code == 202
            run = awaited(api, place, lambda run: run["status"] in _ENDED)
            assert run["status"] == "aborted", run
            assert run["seed_run"] is None or run["problem"]["code"] == "interrupted", run
    assert asked(dagster_stack, "seed_perf", "SELECT count(*) FROM seed.lease") == [(0,)]
