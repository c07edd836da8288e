"""What a run tells those who watch it: each step, how it ended, what it took of its budget, and what waits to be sealed."""

import pytest

from seed_pipelines.domain.evidence.envelope import payload_of
from seed_pipelines.domain.evidence.statement import read_report
from seed_pipelines.errors import OutsideWindow, StorageUnavailable, TelemetryUnavailable, WormUnavailable
from seed_pipelines.seeding.budget import charge_generation
from seed_pipelines.seeding.ending import abandon, give_up
from seed_pipelines.seeding.generation import generate
from seed_pipelines.seeding.outbox import report_ended_runs, seal_waiting
from seed_pipelines.seeding.rehearsal import rehearse
from seed_pipelines.seeding.sealing import finish
from seed_pipelines.seeding.seed_run import enter
from seed_pipelines.seeding.tracing import code_of, traced
from seed_pipelines_tests.seeding.test_answer import work
from seed_pipelines_tests.worlds import TENANT, World, manifest


def test_a_run_is_a_trace_under_the_id_in_its_report(world: World) -> None:
    """With what was checked and sealed as parts of it."""
    found = finish(work(enter(world.services, world.request())))
    report = read_report(payload_of(found.report.envelope))
    told = world.telemetry
    assert {span.name for span in told.spans} == {"check", "seal"}
    (run,) = told.runs
    assert {span.trace for span in told.spans} == {run.trace}
    assert run.trace.trace_id == report["run"]["trace_id"]
    assert (run.code, run.attributes["seed.outcome"]) == (None, "succeeded")
    assert told.outcomes() == ["succeeded"]


def test_a_step_that_fails_says_for_what(world: World) -> None:
    """By the code of its problem, and never in its words, which may hold anything."""
    session = enter(world.services, world.request())
    shard, entity = session.plan.shards[0], session.plan.entities[0]
    error = StorageUnavailable("for maria@example.com")
    with pytest.raises(StorageUnavailable), traced(session, "generate", shard, entity):
        raise error
    abandon(session, error)
    (span,), (run,) = world.telemetry.spans, world.telemetry.runs
    assert (span.code, run.code) == ("storage_unavailable", "storage_unavailable")
    assert (span.attributes["seed.shard"], span.attributes["seed.entity"]) == (shard.key, entity.name)
    assert "maria" not in str(world.telemetry)
    assert world.telemetry.values("seed.step.duration")[0] >= 0


def test_a_refusal_is_an_outcome_without_a_trace(world: World) -> None:
    """Nothing began."""
    give_up(world.services, world.request(), "default", OutsideWindow("Later."))
    assert world.telemetry.outcomes() == ["outside_window"]
    assert world.telemetry.runs == []


def test_a_run_that_was_refused_at_a_later_step_is_told(world: World) -> None:
    """And one that fell silent, by whoever finds it."""
    session = enter(world.services, world.request())
    give_up(world.services, world.request(), session.run.profile, OutsideWindow("Closed."))
    second = enter(world.services, world.request(origin="run-2"))
    del world.control.leases[second.lease.tenant_id, "staging"]
    world.finished.add("run-2")
    report_ended_runs(world.services, "staging")
    assert world.telemetry.outcomes() == ["outside_window", "interrupted"]


def test_rows_and_the_share_of_the_budget_are_measured(world: World) -> None:
    """As the ledger has them."""
    session = enter(world.services, world.request(manifest(budget={"cost_cap_brl": 100, "error_budget_pct": 1})))
    shard, entity = session.plan.shards[0], session.plan.entities[0]
    spent = charge_generation(session, entity, shard, generate(session, entity, shard), 0.5)
    assert world.telemetry.values("seed.rows") == [shard.rows[entity.name]]
    assert world.telemetry.values("seed.budget.used_ratio") == [float(spent.cost_brl / 100)]


def test_reports_past_their_deadline_are_counted(world: World) -> None:
    """Until they are sealed."""
    session = work(enter(world.services, world.request()))
    world.bucket.away = True
    with pytest.raises(WormUnavailable) as lost:
        finish(session)
    abandon(session, lost.value)
    world.reports.overdue = True
    seal_waiting(world.services, "staging")
    world.bucket.away = False
    seal_waiting(world.services, "staging")
    assert world.telemetry.values("seed.sealing.overdue") == [1, 0]
    assert [span.code for span in world.telemetry.spans if span.name == "seal"] == [
        *("worm_unavailable", "worm_unavailable"),
        None,
    ]
    assert TENANT.slug in {span.attributes["seed.tenant"] for span in world.telemetry.spans}


def test_what_stops_a_run_is_named_in_one_word() -> None:
    """A problem by its code, another error by its kind, a stop as such."""
    assert [code_of(error) for error in (WormUnavailable("x"), KeyError("x"), KeyboardInterrupt())] == [
        *("worm_unavailable", "KeyError", "interrupted"),
    ]


def test_no_run_begins_while_the_collector_is_away(world: World) -> None:
    """Nothing is opened; a step of a run that has begun enters all the same, and so does a rehearsal."""
    world.telemetry.away = True
    with pytest.raises(TelemetryUnavailable) as refusal:
        enter(world.services, world.request())
    assert (refusal.value.status, refusal.value.exit_code) == (503, 4)
    assert world.control.runs == {}
    world.telemetry.away = False
    enter(world.services, world.request())
    world.telemetry.away = True
    enter(world.services, world.request())
    rehearse(world.services, world.request(origin="rehearsal"), str(world.directory / "dry"))
