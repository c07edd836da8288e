"""Seed runs over HTTP: created once, seen by their tenant alone, cancelled by whoever has seen their state."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from httpx2 import Response

from seed_pipelines.adapters.postgres.idempotency import Claim
from seed_pipelines.adapters.postgres.seed_runs import NewSeedRun
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.manifest import read_manifest
from seed_pipelines.domain.outbound import Endpoint
from seed_pipelines.errors import DependencyUnavailable, OutsideWindow, StubUnavailable, VaultUnavailable
from seed_pipelines_tests.api.conftest import RUNS, ApiWorld
from seed_pipelines_tests.api.issuers import Issuer
from seed_pipelines_tests.manifest_examples import changed, example, sealed
from seed_pipelines_tests.worlds import TENANT


def created(api: ApiWorld, key: str = "key-1") -> Response:
    answer = api.post(RUNS, key=key)
    assert answer.status_code == 201, answer.text
    return answer


def begun(api: ApiWorld, run_id: str, **changes: Any) -> None:
    """The run has passed its guards."""
    wanted = NewSeedRun(
        tenant_id=TENANT.tenant_id,
        environment="staging",
        profile="default",
        origin=run_id,
        manifest_hash=example()["integrity"]["manifest_hash"],
        mode="baseline",
        idempotency_key="key-1",
        requested_by="",
        manifest=example(),
    )
    run = api.world.control.open_run(wanted)
    api.world.control.runs[run.seed_run_id] = replace(run, **changes)


def deployed(api: ApiWorld, integrations: dict[str, str]) -> dict[str, Any]:
    """A manifest with these addresses, which is deployed."""
    document = sealed(changed(example(), "/integrations", integrations))
    found = read_manifest(document, api.world.catalogue, ENTITIES)
    api.folder[found.identity] = found
    return document


class TestCreate:
    def test_a_run_is_put_into_the_queue(self, api: ApiWorld) -> None:
        """With the key, where it can be found again."""
        answer = created(api)
        assert answer.json()["status"] == "queued"
        assert answer.json()["idempotency_key"] == "key-1"
        found = api.get(answer.headers["Location"])
        assert (found.content, found.headers["ETag"]) == (answer.content, answer.headers["ETag"])

    def test_a_run_that_was_refused_in_dagster_says_why(self, api: ApiWorld) -> None:
        """It has begun no seed run that could."""
        place = created(api).headers["Location"]
        problem = OutsideWindow("Not now.", opens_at="2025-06-01T02:00:00+00:00").problem()
        (run_id,) = api.runs.runs
        api.runs.runs[run_id] = replace(api.runs.runs[run_id], state="failed", problem=problem)
        found = api.get(place).json()
        assert (found["status"], found["seed_run"], found["problem"]) == ("failed", None, problem)
        begun(api, run_id, status="failed", problem=VaultUnavailable("Gone.").problem())
        found = api.get(place).json()
        assert found["problem"]["code"] == found["seed_run"]["problem"]["code"] == "vault_unavailable"

    def test_it_is_created_once_for_a_key(self, api: ApiWorld) -> None:
        """Whoever asks again gets the same bytes and fields, also when the run has gone on."""
        first = created(api)
        begun(api, first.json()["id"])
        again = created(api)
        assert again.content == first.content
        assert {name: again.headers[name] for name in ("ETag", "Location")} == {
            name: first.headers[name] for name in ("ETag", "Location")
        }
        assert again.headers["Idempotency-Replayed"] == "true"
        assert len(api.runs.runs) == 1

    def test_a_run_that_was_submitted_before_its_answer_was_lost_is_found_again(self, api: ApiWorld) -> None:
        """The id of a run is kept before it is submitted."""
        first = created(api)
        api.answers.answers.clear()
        assert created(api).json()["id"] == first.json()["id"]
        assert len(api.runs.runs) == 1

    def test_another_manifest_under_the_key_is_a_conflict(self, api: ApiWorld) -> None:
        created(api)
        answer = api.post(RUNS, body=sealed(changed(example(), "/volumetry/customers/cap", 99)))
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict")

    def test_a_key_that_a_command_has_used_is_a_conflict(self, api: ApiWorld) -> None:
        """It is one store: the answer of `seed_data` is not the answer to this."""
        claim = Claim(
            TENANT.tenant_id, "staging", "seed_run", "key-1", example()["integrity"]["manifest_hash"], "default"
        )
        api.world.control.record_answer(claim, uuid4(), "{}")
        answer = api.post(RUNS)
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict")
        assert api.runs.runs == {}

    def test_a_key_whose_run_is_at_work_is_in_progress(self, api: ApiWorld) -> None:
        claim = Claim(
            TENANT.tenant_id, "staging", "seed_run", "key-1", example()["integrity"]["manifest_hash"], "default"
        )
        control, seed_run_id = api.world.control, uuid4()
        control.acquire(TENANT.tenant_id, "staging", seed_run_id, "a-command", lambda _: False)
        control.keys[tuple(claim.identity)] = (claim, seed_run_id, None)
        answer = api.post(RUNS)
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_in_progress")
        assert int(answer.headers["Retry-After"]) >= 1

    def test_outside_the_window_nothing_is_queued_and_nothing_kept(self, api: ApiWorld) -> None:
        """Retry-After says when the window opens; then the key is as good as new."""
        api.world.now = datetime(2025, 6, 1, 7, 0, tzinfo=UTC)
        answer = api.post(RUNS)
        assert (answer.status_code, answer.json()["code"]) == (409, "outside_window")
        assert answer.headers["Retry-After"] == str(17 * 3600)
        assert api.runs.runs == {}
        api.world.now = datetime(2025, 6, 2, 1, 0, tzinfo=UTC)
        created(api)

    def test_a_manifest_that_is_not_deployed_is_refused(self, api: ApiWorld) -> None:
        api.folder.clear()
        answer = api.post(RUNS)
        assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")

    def test_a_manifest_that_differs_from_the_deployed_one_is_refused(self, api: ApiWorld) -> None:
        answer = api.post(RUNS, body=sealed(changed(example(), "/volumetry/customers/cap", 99)))
        assert (answer.status_code, answer.json()["code"]) == (422, "manifest_hash_mismatch")

    def test_who_may_only_look_may_not_create(self, api: ApiWorld, issuer: Issuer) -> None:
        api.world.control.granted_to["token:ci"] = frozenset({"seed-read"})
        assert api.post().status_code == 200
        assert api.post(RUNS).status_code == 403

    def test_servers_that_are_away_are_503_without_their_names(self, api: ApiWorld) -> None:
        """And the key is free."""
        api.runs.away = True
        answer = api.post(RUNS)
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert "secret-host" not in answer.text
        assert answer.headers["Retry-After"] == "5"
        api.runs.away = False
        created(api)

    @pytest.mark.parametrize("lacking", [VaultUnavailable, StubUnavailable])
    def test_a_run_is_not_queued_while_a_server_that_it_needs_is_away(
        self, api: ApiWorld, lacking: type[DependencyUnavailable]
    ) -> None:
        """And the key is free; the answers that were given need none of them."""
        earlier = created(api, key="earlier")
        api.servers.lacking = lacking("http://secret-host:8200 is away.")
        answer = api.post(RUNS)
        assert (answer.status_code, answer.json()["code"]) == (503, lacking.code)
        assert (answer.headers["Retry-After"], answer.headers["Content-Type"]) == ("5", "application/problem+json")
        assert "secret-host" not in answer.text
        assert len(api.runs.runs) == 1
        assert created(api, key="earlier").content == earlier.content
        assert api.post(key="another").status_code == 200
        assert api.get(RUNS).status_code == 200
        api.servers.lacking = None
        created(api)
        assert len(api.runs.runs) == 2

    def test_the_stubs_that_are_asked_are_those_of_the_manifest_and_the_deployment(self, api: ApiWorld) -> None:
        answer = api.post(RUNS, body=deployed(api, {"pagamentos": "http://localhost:4011"}))
        assert answer.status_code == 201
        assert api.servers.asked == [(Endpoint("http", "stub", 4010, ""), Endpoint("http", "localhost", 4011, ""))]

    def test_a_manifest_that_leads_outside_is_refused_before_anybody_is_asked(self, api: ApiWorld) -> None:
        """The refusal says which member; it is not kept."""
        answer = api.post(RUNS, body=deployed(api, {"pagamentos": "https://api.pagamentos.example"}))
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (503, "external_calls_blocked")
        assert problem["endpoint"] == "integrations.pagamentos"
        assert api.runs.runs == {}
        assert api.servers.asked == []
        assert api.answers.answers == {}


class TestRead:
    def test_a_known_state_is_not_sent_again(self, api: ApiWorld) -> None:
        """304 until it changes; weak tags and lists count."""
        first = created(api)
        place, tag = first.headers["Location"], first.headers["ETag"]
        for field in (tag, f"W/{tag}", f'"a", {tag}', "*"):
            assert api.get(place, If_None_Match=field).status_code == 304
        begun(api, first.json()["id"])
        api.runs.runs[first.json()["id"]] = replace(api.runs.runs[first.json()["id"]], state="running")
        answer = api.get(place, If_None_Match=tag)
        assert (answer.status_code, answer.json()["status"]) == (200, "running")
        assert answer.headers["ETag"] != tag

    @pytest.mark.parametrize(
        ("state", "status", "shown"),
        [
            ("running", "sealing", "sealing"),
            ("succeeded", "succeeded", "succeeded"),
            ("failed", "aborted", "aborted"),
            ("succeeded", "partial", "partial"),
            ("canceling", "running", "canceling"),
            ("failed", "running", "failed"),
        ],
    )
    def test_the_status_is_what_the_database_says_and_dagster_knows(
        self, api: ApiWorld, state: Any, status: Any, shown: str
    ) -> None:
        run_id = created(api).json()["id"]
        begun(api, run_id, status=status)
        api.runs.runs[run_id] = replace(api.runs.runs[run_id], state=state)
        assert api.get(f"{RUNS}/{run_id}").json()["status"] == shown

    def test_runs_of_others_are_answered_as_those_that_do_not_exist(self, api: ApiWorld) -> None:
        """Of another tenant, of another environment, and none."""
        run_id, away, unknown = created(api).json()["id"], str(uuid4()), str(uuid4())
        api.runs.runs[away] = replace(api.runs.runs[run_id], run_id=away, environment="perf")
        api.runs.runs[run_id] = replace(api.runs.runs[run_id], tenant="tenant-b")
        answers = [api.get(f"{RUNS}/{wanted}") for wanted in (run_id, away, unknown)]
        assert {answer.status_code for answer in answers} == {404}
        assert {answer.json()["code"] for answer in answers} == {"seed_run_unknown"}

    def test_what_is_no_id_is_400(self, api: ApiWorld) -> None:
        assert api.get(f"{RUNS}/7").status_code == 400


class TestNamedKey:
    @pytest.mark.parametrize(
        ("key", "shown"),
        [("nightly-1", "nightly-1"), (f"seed-data:{'0' * 64}", None), ("dagster:RUN", None)],
        ids=["named", "of the manifest", "of the launch"],
    )
    def test_the_key_of_a_run_that_was_not_asked_for_here(self, api: ApiWorld, key: str, shown: str | None) -> None:
        """What somebody named is shown, and not what stands for nobody's choice."""
        run_id = created(api).json()["id"]
        api.runs.runs[run_id] = replace(api.runs.runs[run_id], idempotency_key=None)
        begun(api, run_id, idempotency_key=key.replace("RUN", run_id))
        assert api.get(f"{RUNS}/{run_id}").json()["idempotency_key"] == shown


class TestList:
    def test_pages_follow_one_another(self, api: ApiWorld) -> None:
        """The newest first, each once, also when a run comes in meanwhile."""
        ids = [created(api, key=str(number)).json()["id"] for number in range(5)]
        page = api.get(f"{RUNS}?limit=2")
        seen = [run["id"] for run in page.json()["items"]]
        created(api, key="late")
        while (cursor := page.json()["next_cursor"]) is not None:
            assert cursor in page.headers["Link"]
            page = api.get(f"{RUNS}?limit=2&cursor={cursor}")
            seen += [run["id"] for run in page.json()["items"]]
        assert seen == ids[::-1]
        assert "Link" not in page.headers

    def test_nothing_is_an_empty_page(self, api: ApiWorld) -> None:
        assert api.get(RUNS).json() == {"items": [], "next_cursor": None}

    @pytest.mark.parametrize(
        "query", ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=%00", f"cursor={'A' * 65}"]
    )
    def test_parameters_that_cannot_be_are_400(self, api: ApiWorld, query: str) -> None:
        answer = api.get(f"{RUNS}?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "request_malformed")

    def test_a_cursor_of_somebody_else_is_404(self, api: ApiWorld) -> None:
        assert api.get(f"{RUNS}?cursor=AAAAAAAAAAAAAAAAAAAAAA").status_code == 404

    def test_the_allowance_holds_for_looking_too(self, api: ApiWorld) -> None:
        api.limits.left = 0
        assert api.get(RUNS).status_code == 429


class TestCancel:
    def test_a_run_is_taken_out_of_the_queue(self, api: ApiWorld) -> None:
        first = created(api)
        answer = api.post(f"{first.headers['Location']}/cancel", key="stop", If_Match=first.headers["ETag"])
        assert (answer.status_code, answer.json()["status"]) == (202, "aborted")

    def test_asking_again_gets_the_same_answer(self, api: ApiWorld) -> None:
        """Whatever the state then; and nothing is cancelled twice."""
        first = created(api)
        place, tag = f"{first.headers['Location']}/cancel", first.headers["ETag"]
        answers = [api.post(place, key="stop", If_Match=tag) for _ in range(2)]
        assert answers[0].content == answers[1].content
        assert answers[1].status_code == 202

    def test_the_state_must_be_named(self, api: ApiWorld) -> None:
        answer = api.post(f"{created(api).headers['Location']}/cancel", key="stop")
        assert (answer.status_code, answer.json()["code"]) == (428, "precondition_required")

    def test_the_state_must_be_that_of_now(self, api: ApiWorld) -> None:
        """By strong comparison; what is refused is not kept under the key."""
        first = created(api)
        place, tag = f"{first.headers['Location']}/cancel", first.headers["ETag"]
        for field in ('"0"', f"W/{tag}"):
            answer = api.post(place, key="stop", If_Match=field)
            assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
        assert api.post(place, key="stop", If_Match=tag).status_code == 202

    def test_a_run_that_is_over_cannot_be_cancelled(self, api: ApiWorld) -> None:
        run_id = created(api).json()["id"]
        api.runs.runs[run_id] = replace(api.runs.runs[run_id], state="succeeded")
        answer = api.post(f"{RUNS}/{run_id}/cancel", key="stop", If_Match="*")
        assert (answer.status_code, answer.json()["code"]) == (409, "seed_run_ended")

    def test_a_run_whose_seed_run_is_over_cannot_be_cancelled(self, api: ApiWorld) -> None:
        """Even while its last process is on its way out."""
        run_id = created(api).json()["id"]
        api.runs.runs[run_id] = replace(api.runs.runs[run_id], state="running")
        begun(api, run_id, status="succeeded")
        answer = api.post(f"{RUNS}/{run_id}/cancel", key="stop", If_Match="*")
        assert (answer.status_code, answer.json()["code"]) == (409, "seed_run_ended")
        assert api.get(f"{RUNS}/{run_id}").json()["status"] == "succeeded"

    def test_runs_of_others_are_unknown(self, api: ApiWorld) -> None:
        assert api.post(f"{RUNS}/{uuid4()}/cancel", key="stop", If_Match="*").status_code == 404
