"""Stubs are asked within the rate limit, again after what passes, and no longer than the manifest allows."""

from typing import Any
from uuid import UUID

import pytest

from seed_pipelines.adapters.outbound import Answer
from seed_pipelines.domain.evidence.envelope import payload_of
from seed_pipelines.domain.evidence.statement import read_report
from seed_pipelines.domain.integration_calls import CALLED
from seed_pipelines.domain.service_levels import IntegrationUse
from seed_pipelines.domain.stub_addresses import StubAddresses
from seed_pipelines.errors import BudgetExceeded, LeaseLost, RateLimited, StubUnavailable
from seed_pipelines.seeding.integrations import call_stubs, error_budget_warning
from seed_pipelines.seeding.sealing import finish
from seed_pipelines.seeding.seed_run import Session, enter
from seed_pipelines_tests.fakes.stubs import answer
from seed_pipelines_tests.in_process import seed_shards
from seed_pipelines_tests.worlds import World, manifest_of_every_entity

BASE = StubAddresses("http://127.0.0.1:4010")
BACKOFF = {"base_seconds": 2, "jitter_factor": 0, "max_retries": 2, "max_interval_seconds": 30}


def seeded(world: World, *, error_budget_pct: str = "5", **changes: Any) -> Session:
    """A session in mode dr that has loaded its only shard: 200 customers of which ten are asked about."""
    world.stubs = changes.pop("stubs", BASE)
    budget = {"cost_cap_brl": 1000, "error_budget_pct": float(error_budget_pct)}
    wanted = manifest_of_every_entity(
        200, in_catalogue=world.catalogue, mode="dr", ttl={"dr_days": 1}, budget=budget, backoff=BACKOFF, **changes
    )
    session = enter(world.services, world.request(wanted))
    seed_shards(session)
    return session


def called(session: Session) -> dict[str, IntegrationUse]:
    return {use.integration: use for use in call_stubs(session, session.plan.shards[0])}


def recorded(world: World, session: Session) -> dict[str, IntegrationUse]:
    return {use.integration: use for use in world.control.integration_uses(session.run.seed_run_id)}


def test_every_system_is_asked_about_the_sample(world: World) -> None:
    """What was had of each is given, and recorded."""
    session = seeded(world)
    used = called(session)
    assert list(used) == list(CALLED)
    assert used["kyc"].requests == used["antifraude"].requests == 10
    assert used["pagamentos"].requests == used["notificacoes"].requests > 0
    assert used["kyc"].outcomes == {"APPROVED": 10}
    assert all(len(use.latencies_ms) == use.requests and not use.failed for use in used.values())
    assert recorded(world, session) == used


def test_requests_say_for_whom_and_in_which_trace(world: World) -> None:
    """And are the same request when they are repeated in the run, by their key."""
    session = seeded(world)
    call_stubs(session, session.plan.shards[0])
    first = len(world.stub_client.asked)
    call_stubs(session, session.plan.shards[0])
    asked, again = world.stub_client.asked[:first], world.stub_client.asked[first:]
    keys = [request.headers["Idempotency-Key"] for request in asked]
    assert [request.headers["Idempotency-Key"] for request in again] == keys
    assert len(set(keys)) == len(keys)
    assert all(UUID(key).version == 5 for key in keys)
    for request in asked:
        assert request.headers["X-Tenant-ID"] == str(session.tenant.tenant_id)
        assert request.headers["X-Environment"] == "staging"
        assert request.headers["traceparent"].startswith(f"00-{session.run.seed_run_id.hex}-")
        assert request.headers["Prefer"] == f"example={request.content['customer_status']}"


def test_nothing_is_called_where_nothing_has_an_address(world: World) -> None:
    session = seeded(world, stubs=StubAddresses())
    assert called(session) == {}
    assert recorded(world, session) == {}
    assert world.stub_client.asked == []


def test_only_systems_with_an_address_are_asked(world: World) -> None:
    session = seeded(world, stubs=StubAddresses(own={"antifraude": "http://127.0.0.1:4011"}))
    assert list(called(session)) == ["antifraude"]
    assert {request.endpoint.port for request in world.stub_client.asked} == {4011}


def test_the_rate_limit_holds_requests_back(world: World) -> None:
    """One cell for all systems; who is held back waits as long as the limit says, and asks again."""
    session = seeded(world)
    world.limits.left, asked = 1, len(world.limits.asked)
    pauses = iter(range(1_000))

    def more() -> None:
        world.limits.left += next(pauses) % 2  # the first pause of each two is too short

    world.on_pause = more
    used = called(session)
    sent = sum(use.requests for use in used.values())
    assert sum(use.held_back for use in used.values()) == 2 * (sent - 1)
    assert set(world.paused) == {0.4}
    assert sum(use.waited_seconds for use in used.values()) == pytest.approx(0.4 * 2 * (sent - 1))
    assert {key.purpose for key in world.limits.asked[asked:]} == {"integrations"}


def test_what_is_refused_is_asked_again_when_the_stub_says(world: World) -> None:
    """Retry-After where it is longer than the backoff; 429 is no failure."""
    session = seeded(world, error_budget_pct="0")
    world.stub_client.answers = [answer(429, retry_after="7"), answer(429)]
    used = called(session)
    assert world.paused == [7.0, 4.0]
    assert (used["kyc"].requests, used["kyc"].refused, used["kyc"].failed) == (12, 2, 0)
    assert used["kyc"].outcomes == {"APPROVED": 10}


def test_a_stub_that_goes_on_refusing_ends_the_run(world: World) -> None:
    """What it took is recorded."""
    session = seeded(world)
    world.stub_client.answers = [answer(429)] * 3
    with pytest.raises(RateLimited) as refused:
        called(session)
    assert (refused.value.exit_code, refused.value.extensions["integration"]) == (5, "kyc")
    assert world.paused == [2.0, 4.0]
    assert len(world.stub_client.asked) == 3
    assert recorded(world, session)["kyc"].refused == 3


def test_a_stub_that_asks_for_too_long_is_not_waited_for(world: World) -> None:
    """To come back earlier would be hammering; to wait longer is more than the manifest allows."""
    session = seeded(world)
    world.stub_client.answers = [answer(429, retry_after="31")]
    with pytest.raises(RateLimited):
        called(session)
    assert world.paused == []


@pytest.mark.parametrize("bad", [None, answer(500), answer(503, retry_after="1")])
def test_a_stub_that_fails_in_passing_is_asked_again(world: World, bad: Answer | None) -> None:
    session = seeded(world, error_budget_pct="5")
    world.stub_client.answers = [bad]
    used = called(session)
    assert (used["kyc"].requests, used["kyc"].failed) == (11, 1)
    assert len(used["kyc"].latencies_ms) == (10 if bad is None else 11)
    assert world.paused == [2.0]


@pytest.mark.parametrize("bad", [None, answer(502)])
def test_a_stub_that_is_away_ends_the_run(world: World, bad: Answer | None) -> None:
    session = seeded(world, error_budget_pct="100")
    world.stub_client.then = lambda _: bad
    with pytest.raises(StubUnavailable):
        called(session)
    assert recorded(world, session)["kyc"].failed == 3


@pytest.mark.parametrize(
    "odd",
    [
        answer(404),
        answer(200, "[]"),
        answer(200, "not json"),
        answer(200, '{"decision": "APPROVED"}'),
        answer(200, '{"customer_status": "NOBODY", "decision": "APPROVED"}'),
        answer(201, '{"customer_status": "ACTIVE", "decision": "APPROVED"}'),
        answer(302, location="http://example.com/"),
    ],
)
def test_an_answer_that_the_contract_does_not_promise_has_failed(world: World, odd: Answer) -> None:
    """It is not asked for again: it would be the same."""
    session = seeded(world)
    world.stub_client.answers = [odd]
    used = called(session)
    assert (used["kyc"].requests, used["kyc"].failed) == (10, 1)
    assert world.paused == []


def test_more_failures_than_the_manifest_allows_end_the_run(world: World) -> None:
    """Of 40 planned requests two may fail: there is a warning at the second, and the third is one too many."""
    session = seeded(world, error_budget_pct="5")
    world.stub_client.answers = [answer(404), answer(404)]
    called(session)
    assert "2 requests to stubs failed" in (error_budget_warning(session) or "")
    world.stub_client.answers = [answer(404)]
    with pytest.raises(BudgetExceeded) as refused:
        called(session)
    assert refused.value.exit_code == 5
    assert refused.value.extensions == {"failed": 3, "planned": 40, "error_budget_pct": "5.0"}


def test_no_warning_without_a_failure(world: World) -> None:
    session = seeded(world)
    called(session)
    assert error_budget_warning(session) is None


def test_nothing_is_recorded_once_another_run_took_over(world: World) -> None:
    session = seeded(world)
    world.control.leases.clear()
    with pytest.raises(LeaseLost):
        called(session)


def test_the_report_has_what_was_used_and_measured(world: World) -> None:
    """By system; what was sent was admitted."""
    session = seeded(world)
    world.stub_client.answers = [answer(429), answer(500)]
    used = called(session)
    report = read_report(payload_of(finish(session).report.envelope))
    assert [use["purpose"] for use in report["rate_limit"]["used"]] == list(CALLED)
    assert [use["admitted"] for use in report["rate_limit"]["used"]] == [use.requests for use in used.values()]
    budget = report["error_budget"]
    assert (budget["requests"], budget["failed"]) == (sum(use.requests for use in used.values()), 1)
    assert report["service_levels"]["p99_ms"]["measured"] == max(ms for use in used.values() for ms in use.latencies_ms)
    assert report["integrations"][0]["outcomes"] == {"APPROVED": 10}
    items = {item["item"]: item["result"] for group in report["checklist"]["groups"] for item in group["items"]}
    assert (items["rate_limit"], items["error_budget"]) == ("pass", "pass")


def test_masked_values_alone_leave(world: World) -> None:
    """What the database has, and nothing that was drawn before masking."""
    session = seeded(world)
    call_stubs(session, session.plan.shards[0])
    sent = {
        request.content["document_number"]
        for request in world.stub_client.asked
        if "document_number" in request.content
    }
    customers = next(entity for entity in session.plan.entities if entity.name == "customers")
    table = world.tables.read(session.tenant.tenant_id, customers, session.plan.shards[0].ids)
    assert sent <= set(table.column("document_number").to_pylist())
    assert len(sent) == 10


def test_a_stub_that_is_away_is_called_that_whatever_may_fail(world: World) -> None:
    """And one that fails in passing has spent the budget once its call is through."""
    session = seeded(world, error_budget_pct="0")
    world.stub_client.answers = [None, None, None]
    with pytest.raises(StubUnavailable):
        called(session)
    world.control.integrations.clear()
    world.stub_client.answers = [None]
    with pytest.raises(BudgetExceeded):
        called(session)
    assert recorded(world, session)["kyc"].outcomes == {"APPROVED": 1}
