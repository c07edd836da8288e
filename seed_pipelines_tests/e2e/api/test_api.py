"""The served API on real servers."""

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from tenacity import Retrying, stop_after_delay, wait_fixed

from seed_pipelines_tests.contracts.responses import check_response
from seed_pipelines_tests.e2e.api.server import (
    RUNS,
    TENANT_A,
    TENANT_B,
    VALIDATE,
    Served,
    allowances_of_its_own,
    open_now,
    served,
)
from seed_pipelines_tests.e2e.conftest import RunningStack
from seed_pipelines_tests.manifest_examples import changed, sealed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def asked(stack: RunningStack, query: str) -> list[tuple[Any, ...]]:
    """What the superuser finds in the database of staging."""
    with psycopg.connect(stack.stack.postgres.provisioning_url("postgres", "seed_staging")) as connection:
        return connection.execute(query.encode()).fetchall()


@pytest.mark.parametrize("limit", [501, 502])
def test_one_of_a_hundred_requests_at_once_is_worked_on(
    api_stack: RunningStack, api: Served, manifest: dict[str, Any], limit: int
) -> None:
    """All get the same bytes, whichever of two servers they ask, of a manifest that neither has seen; one row has them."""
    unseen = sealed(changed(manifest, "/rate_limit/limit", limit))
    headers = api.headers()
    with served(api_stack, TENANT_A, SEED_API_RATE_LIMIT="100000") as second, ThreadPoolExecutor(100) as pool:
        clients = (api.client, second.client)
        sent = [pool.submit(clients[each % 2].post, VALIDATE, json=unseen, headers=headers) for each in range(100)]
        answers = [check_response(one.result()) for one in sent]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    rows = asked(api_stack, f"SELECT response FROM seed.idempotency_key WHERE key = '{headers['Idempotency-Key']}'")  # noqa: S608 # ours
    assert [json.loads(text)["body"] for (text,) in rows] == [answers[0].text]


def test_answers_that_are_too_old_are_forgotten(api_stack: RunningStack, manifest: dict[str, Any]) -> None:
    """By every server, soon after it starts."""
    with served(api_stack, TENANT_A) as server:
        headers = server.headers()
        assert server.client.post(VALIDATE, json=manifest, headers=headers).status_code == 200
    key = headers["Idempotency-Key"]
    with psycopg.connect(api_stack.stack.postgres.provisioning_url("postgres", "seed_staging")) as connection:
        connection.execute(
            "UPDATE seed.idempotency_key SET completed_at = completed_at - interval '1 day' WHERE key = %s", [key]
        )
    with served(api_stack, TENANT_A):
        for attempt in Retrying(stop=stop_after_delay(30), wait=wait_fixed(0.1)):
            with attempt:
                found = asked(api_stack, f"SELECT FROM seed.idempotency_key WHERE key = '{key}'")  # ours
                assert found == []


def test_under_keys_that_are_known_and_new_each_is_answered_once(api: Served, manifest: dict[str, Any]) -> None:
    """Five hundred requests for a manifest that was validated before, ten at once under each of fifty keys."""
    assert api.post(VALIDATE, manifest).status_code == 200
    headers = [api.headers() for _ in range(50)] * 10
    with ThreadPoolExecutor(50) as pool:
        sent = pool.map(lambda these: api.client.post(VALIDATE, json=manifest, headers=these), headers)
        answers = [check_response(answer) for answer in sent]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 50


def test_a_hundred_requests_to_create_a_run_create_one(api: Served, manifest: dict[str, Any]) -> None:
    """Whoever waits longer than that takes is told to ask again, and gets the run then."""
    headers = api.headers()
    with ThreadPoolExecutor(30) as pool:
        sent = [pool.submit(api.client.post, RUNS, json=manifest, headers=headers) for _ in range(100)]
        answers = [check_response(one.result()) for one in sent]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    key = headers["Idempotency-Key"]
    mine = [run for run in api.get(f"{RUNS}?limit=100").json()["items"] if run["idempotency_key"] == key]
    assert len(mine) == 1


def test_a_run_waits_in_the_queue_and_is_taken_out_of_it(api: Served, manifest: dict[str, Any]) -> None:
    """Nobody empties the queue of this stack."""
    created = api.post(RUNS, manifest)
    place, tag = created.headers["Location"], created.headers["ETag"]
    assert api.get(place, If_None_Match=tag).status_code == 304
    assert api.post(f"{place}/cancel", If_Match='"0"').status_code == 412
    assert api.post(f"{place}/cancel", If_Match=tag).status_code == 202
    assert api.get(place).json()["status"] == "aborted"
    again = api.post(f"{place}/cancel", If_Match="*")
    assert (again.status_code, again.json()["code"]) == (409, "seed_run_ended")


def test_pages_of_runs_follow_one_another(api: Served, manifest: dict[str, Any]) -> None:
    """By the cursor of Dagster's storage."""
    ids = [api.post(RUNS, manifest).json()["id"] for _ in range(3)]
    first = api.get(f"{RUNS}?limit=2").json()
    second = api.get(f"{RUNS}?limit=2&cursor={first['next_cursor']}").json()
    assert [run["id"] for run in (*first["items"], *second["items"])][:3] == ids[::-1]


def test_the_key_of_a_run_is_that_of_the_command_too(api: Served, manifest: dict[str, Any]) -> None:
    """What `seed_data` has answered under a key, the API does not answer otherwise."""
    asked_for = manifest["integrity"]["manifest_hash"]
    key = "a-command-was-here"
    with psycopg.connect(api.stack.stack.postgres.provisioning_url("postgres", "seed_staging")) as connection:
        connection.execute(
            "INSERT INTO seed.idempotency_key (tenant_id, environment, operation, key, manifest_hash, profile, seed_run_id,"
            " completed_at, response) VALUES (%s, 'staging', 'seed_run', %s, %s, 'default', gen_random_uuid(),"
            " clock_timestamp(), '{}')",
            [TENANT_A, key, asked_for],
        )
    answer = api.post(RUNS, manifest, Idempotency_Key=key)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict")


def test_an_answer_is_given_for_a_day(api: Served, manifest: dict[str, Any]) -> None:
    """Then the key may stand for another manifest."""
    other = sealed(changed(manifest, "/volumetry/customers/cap", 99))
    assert api.post(VALIDATE, manifest, Idempotency_Key="old").status_code == 200
    assert api.post(VALIDATE, other, Idempotency_Key="old").status_code == 409
    with psycopg.connect(api.stack.stack.postgres.provisioning_url("postgres", "seed_staging")) as connection:
        connection.execute(
            "UPDATE seed.idempotency_key SET completed_at = completed_at - interval '24 hours' WHERE key = 'old'"
        )
    assert api.post(VALIDATE, other, Idempotency_Key="old").status_code == 200


def test_the_allowance_is_never_exceeded(api_stack: RunningStack, manifest: dict[str, Any]) -> None:
    """By forty callers at once: what is admitted is the burst, and what has come back in the meantime."""
    limit, window = 60, 60
    with served(api_stack, TENANT_A, SEED_API_RATE_LIMIT=str(limit), SEED_API_RATE_BURST="20") as slow:
        with psycopg.connect(api_stack.stack.postgres.provisioning_url("postgres", "seed_staging")) as connection:
            connection.execute("DELETE FROM seed.rate_limit_cell")
        started = time.monotonic()
        with ThreadPoolExecutor(40) as pool:
            sent = [pool.submit(slow.post, VALIDATE, manifest) for _ in range(80)]
            answers = [one.result() for one in sent]
        seconds = time.monotonic() - started
    admitted = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert 20 <= len(admitted) <= 20 + seconds * limit / window + 1
    assert len(admitted) + len(refused) == 80
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    assert len({answer.content for answer in refused}) == 1


def test_no_tenant_takes_the_share_of_another(api_stack: RunningStack, manifest: dict[str, Any]) -> None:
    """Two servers, a burst of 20 for each tenant and nothing that comes back: tenant-a asks eighty times, tenant-b twenty."""
    slow = {"SEED_API_RATE_LIMIT": "20", "SEED_API_RATE_WINDOW_SECONDS": "86400"}
    with (
        allowances_of_its_own(api_stack),
        served(api_stack, TENANT_A, **slow) as first,
        served(api_stack, TENANT_A, **slow) as second,
        ThreadPoolExecutor(40) as pool,
    ):
        servers = (first, second)
        others = [replace(server, tenant_id=TENANT_B, tenant="tenant-b") for server in servers]
        asking = [pool.submit(servers[each % 2].post, VALIDATE, manifest) for each in range(80)]
        asking_too = [pool.submit(others[each % 2].post, VALIDATE, open_now("tenant-b")) for each in range(20)]
        mine, theirs = ([one.result() for one in sent] for sent in (asking, asking_too))
    assert sorted(answer.status_code for answer in mine) == [200] * 20 + [429] * 60
    assert [answer.status_code for answer in theirs] == [200] * 20
    assert sorted(int(answer.headers["RateLimit-Remaining"]) for answer in theirs) == list(range(20))


def test_decisions_are_on_record(api: Served, manifest: dict[str, Any]) -> None:
    """With the subject of the token, and the login of the API beside it."""
    key = api.headers()["Idempotency-Key"]
    token = api.token("seed-read")
    assert api.post(VALIDATE, manifest, Authorization=f"Bearer {token}", Idempotency_Key=key).status_code == 200
    assert api.post(RUNS, manifest, Authorization=f"Bearer {token}").status_code == 403
    query = (
        "SELECT action, subject, requested_by, claimed_roles, problem_code FROM seed.access_decision"
        " ORDER BY decision_id DESC LIMIT 2"
    )
    assert asked(api.stack, query) == [
        ("seed", "seed_service", "token:operator", ["seed-read"], "forbidden"),
        ("read", "seed_service", "token:operator", ["seed-read"], None),
    ]


def test_postgresql_may_stop_while_requests_come(api: Served, manifest: dict[str, Any]) -> None:
    """503 as Problem Details that name no server, and all is well once it is back."""
    server = api.stack.stack.postgres
    server.stop()
    try:
        with ThreadPoolExecutor(8) as pool:
            away = list(pool.map(lambda _: api.post(VALIDATE, manifest), range(16)))
        assert {answer.status_code for answer in away} == {503}
        assert {answer.json()["code"] for answer in away} == {"database_unavailable"}
        assert not any("seed_" in answer.json()["detail"] or "socket" in answer.text for answer in away)
        assert api.get("/health/ready").status_code == 503
        assert api.get("/health/live").status_code == 200
        assert api.get(RUNS).status_code == 503
    finally:
        server.start()
    for attempt in Retrying(stop=stop_after_delay(30), wait=wait_fixed(0.2)):
        with attempt:
            assert api.get("/health/ready").status_code == 200
    assert api.post(VALIDATE, manifest).status_code == 200
    assert api.get(RUNS).status_code == 200


def test_the_key_of_the_tokens_is_for_its_owner_only(api: Served) -> None:
    """And stays when the stack is brought up again."""
    paths = api.stack.stack.paths
    before = paths.token_key.read_bytes()
    api.stack.stack.up(api.stack.purpose)
    assert paths.token_key.stat().st_mode & 0o777 == 0o600
    assert paths.token_key.read_bytes() == before
    assert b"PRIVATE" not in paths.token_keys.read_bytes()
    assert '"d"' not in paths.token_keys.read_text(encoding="utf-8")


def test_tokens_reach_no_log(api: Served) -> None:
    """Nor does the command line of the server have one."""
    token = api.token()
    assert api.get(RUNS, Authorization=f"Bearer {token}").status_code == 200
    found = subprocess.run(
        ["grep", "-rlF", token.split(".")[2], str(api.stack.state_dir / "logs")], capture_output=True, check=False
    )
    assert found.stdout == b""
