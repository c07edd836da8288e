"""The guards and the lease of a seed run."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from seed_pipelines.domain.stub_addresses import StubAddresses
from seed_pipelines.errors import (
    CanaryOutOfScope,
    DatabaseUnavailable,
    ExternalCallsBlocked,
    Forbidden,
    LeaseHeld,
    LeaseLost,
    MaskingKeyChanged,
    OutsideWindow,
    ReferenceDatetimeDrift,
    RequestInvalid,
    RlsNotEnforced,
    TenantMismatch,
    TenantUnknown,
    VaultUnavailable,
)
from seed_pipelines.seeding.ending import abandon, end_stopped, give_up
from seed_pipelines.seeding.generation import generate
from seed_pipelines.seeding.loading import load
from seed_pipelines.seeding.seed_run import Session, ask, enter, held, unanswered
from seed_pipelines.seeding.turn import Patience
from seed_pipelines_tests.worlds import OTHER_TENANT, TENANT, World, manifest

NOON = datetime(2025, 6, 1, 12, 0, tzinfo=UTC)


def seed(session: Session) -> None:
    for shard in session.plan.shards:
        for entity in session.plan.entities:
            generate(session, entity, shard)
        load(session, shard)
    session.finish("succeeded")


def test_a_run_that_passes_every_guard_holds_the_lease(world: World) -> None:
    asked = world.request(requested_by="ana", claimed_roles=("seed-runner",), idempotency_key=None)
    session = enter(world.services, asked)
    assert world.control.leases[TENANT.tenant_id, "staging"] == session.lease
    assert (session.run.status, session.run.subject, session.run.requested_by) == (
        "running",
        "fake-subject",
        "ana",
    )
    assert session.run.idempotency_key == f"seed-data:{session.manifest.integrity.manifest_hash}"


def test_entering_again_with_the_same_origin_joins_the_run(world: World) -> None:
    first, second = (enter(world.services, world.request()) for _ in range(2))
    assert first.run.seed_run_id == second.run.seed_run_id
    assert first.lease == second.lease


def test_another_origin_is_refused_while_the_lease_is_held_and_the_refusal_is_recorded(world: World) -> None:
    enter(world.services, world.request())
    with pytest.raises(LeaseHeld) as refusal:
        enter(world.services, world.request(origin="run-2"))
    assert refusal.value.exit_code == 3
    refused = world.control.find_run("run-2", TENANT.tenant_id, "staging", "default")
    assert refused is not None
    assert refused.status == "failed"
    assert refused.problem is not None
    assert refused.problem["code"] == "lease_held"


def test_the_lease_of_a_finished_holder_is_taken_over_with_a_larger_token(world: World) -> None:
    first = enter(world.services, world.request())
    world.finished.add("run-1")
    assert enter(world.services, world.request(origin="run-2")).lease.token > first.lease.token


def test_another_environment_of_the_database_is_refused(world: World) -> None:
    world.control.database_environment = "dev"
    with pytest.raises(TenantMismatch):
        enter(world.services, world.request())


@pytest.mark.parametrize("asked", [{"tenant": OTHER_TENANT.tenant_id}, {"environment": "dev"}, {"mode": "carga"}])
def test_a_manifest_of_something_else_is_refused(world: World, asked: dict[str, Any]) -> None:
    with pytest.raises(TenantMismatch) as refusal:
        enter(world.services, world.request(**asked))
    assert refusal.value.exit_code == 2


def test_an_unknown_tenant_is_refused(world: World) -> None:
    with pytest.raises(TenantUnknown):
        enter(world.services, world.request(tenant="tenant-z"))


def test_a_subject_without_a_role_is_refused(world: World) -> None:
    world.control.granted = frozenset({"seed-read"})
    with pytest.raises(Forbidden):
        enter(world.services, world.request())


def test_outside_the_window_nothing_starts_and_the_next_opening_is_named(world: World) -> None:
    world.now = NOON
    with pytest.raises(OutsideWindow) as refusal:
        enter(world.services, world.request())
    assert refusal.value.extensions["opens_at"] == "2025-06-02T00:00:00+00:00"
    assert world.control.leases == {}


def test_only_a_seed_admin_overrides_the_window_and_only_with_a_reason(world: World) -> None:
    world.now = NOON
    with pytest.raises(Forbidden):
        enter(world.services, world.request(window_override="demo"))
    world.control.granted = frozenset({"seed-admin"})
    with pytest.raises(RequestInvalid, match="reason"):
        enter(world.services, world.request(window_override="  "))
    assert enter(world.services, world.request(window_override="demo")).run.window_override_reason == "demo"


def test_an_override_asked_for_inside_the_window_needs_a_seed_admin_as_well(world: World) -> None:
    """Later steps of the run go on with it once the window has closed."""
    with pytest.raises(Forbidden):
        enter(world.services, world.request(window_override="it may take long"))
    assert world.control.runs == {}


def test_who_claims_to_be_a_runner_alone_overrides_nothing(world: World) -> None:
    world.now = NOON
    world.control.granted = frozenset({"seed-runner", "seed-admin"})
    with pytest.raises(Forbidden):
        enter(world.services, world.request(window_override="demo", claimed_roles=("seed-runner",)))
    admin = world.request(origin="run-2", window_override="demo", claimed_roles=("seed-admin",))
    assert enter(world.services, admin).run.claimed_roles == ("seed-admin",)


def test_what_a_run_claimed_holds_for_its_steps_which_claim_nothing(world: World) -> None:
    world.control.granted = frozenset({"seed-runner", "seed-admin"})
    enter(world.services, world.request(claimed_roles=("seed-admin",)))
    world.control.granted = frozenset({"seed-runner"})
    with pytest.raises(Forbidden) as refusal:
        enter(world.services, world.request())
    assert refusal.value.extensions["claimed"] == ["seed-admin"]


def test_the_steps_of_a_run_leave_one_decision_for_each_action(world: World) -> None:
    world.now = NOON
    world.control.granted = frozenset({"seed-admin"})
    for _ in range(5):
        enter(world.services, world.request(window_override="demo", requested_by="ana"))
    assert [(d.action, d.problem_code, d.requested_by, d.origin) for d in world.control.decisions] == [
        ("seed", None, "ana", "run-1"),
        ("override_window", None, "ana", "run-1"),
    ]


def test_a_step_that_is_refused_after_others_were_allowed_is_on_record(world: World) -> None:
    enter(world.services, world.request())
    world.control.granted = frozenset()
    with pytest.raises(Forbidden):
        enter(world.services, world.request())
    assert [d.problem_code for d in world.control.decisions] == [None, "forbidden"]


def test_steps_of_an_overridden_run_go_on_without_asking_again(world: World) -> None:
    world.now = NOON
    world.control.granted = frozenset({"seed-admin"})
    enter(world.services, world.request(window_override="demo"))
    world.control.granted = frozenset({"seed-runner"})
    assert enter(world.services, world.request()).run.window_override_reason == "demo"


def test_a_run_stops_at_the_next_step_once_its_window_has_closed(world: World) -> None:
    enter(world.services, world.request())
    world.now = NOON
    with pytest.raises(OutsideWindow):
        enter(world.services, world.request())


def test_holes_in_row_level_security_stop_everything(world: World) -> None:
    world.tables.holes = ["banking.customer lacks FORCE"]
    with pytest.raises(RlsNotEnforced):
        enter(world.services, world.request())
    assert world.keys.asked == 0


def test_a_sealed_vault_stops_before_the_lease(world: World) -> None:
    world.keys.sealed = True
    with pytest.raises(VaultUnavailable):
        enter(world.services, world.request())
    assert world.control.leases == {}


@pytest.mark.parametrize("which", ["control", "tables"])
def test_a_database_that_is_away_comes_first(world: World, which: str) -> None:
    getattr(world, which).away = True
    world.keys.sealed = True
    with pytest.raises(DatabaseUnavailable):
        enter(world.services, world.request(tenant="tenant-z"))


def test_a_loaded_dataset_of_another_reference_datetime_is_drift(world: World) -> None:
    seed(enter(world.services, world.request()))
    later = manifest(reference_datetime="2025-02-01T00:00:00Z", anchor_datetime="2025-01-01T00:00:00Z")
    with pytest.raises(ReferenceDatetimeDrift, match="purge"):
        enter(world.services, world.request(later, origin="run-2"))


def test_a_loaded_dataset_of_another_key_or_salt_is_refused(world: World) -> None:
    seed(enter(world.services, world.request()))
    world.keys.material = b"another key"
    with pytest.raises(MaskingKeyChanged):
        enter(world.services, world.request(origin="run-2"))
    world.keys.material = type(world.keys)().material
    metadata = manifest().metadata.model_dump() | {"salt_version": "v2"}
    with pytest.raises(MaskingKeyChanged, match="salt_version"):
        enter(world.services, world.request(manifest(metadata=metadata), origin="run-3"))


def test_a_canary_for_other_tenants_is_out_of_scope(world: World) -> None:
    canary = manifest(
        mode="canary",
        canary={"tenants": ["tenant-b"]},
        ttl={"canary_days": 1},
        budget={"cost_cap_brl": 10, "error_budget_pct": 1},
    )
    with pytest.raises(CanaryOutOfScope):
        enter(world.services, world.request(canary))


def test_a_heartbeat_keeps_the_lease_while_the_work_goes_on(world: World) -> None:
    services = world.services
    session = enter(services, world.request())
    brisk = Session(
        type(services)(**{**vars(services), "lease_ttl_seconds": 0.04}),
        session.tenant,
        session.plan,
        session.run,
        session.masker,
        session.lease,
    )
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    with held(brisk):
        while world.control.heartbeats < 3 and datetime.now(UTC) < deadline:
            pass
    assert world.control.heartbeats >= 3


def test_a_run_that_another_took_over_from_is_refused_although_the_lease_is_free(world: World) -> None:
    """It stood still, and its next step finds everything done by another."""
    stood_still = enter(world.services, world.request())
    world.finished.add(stood_still.run.origin)
    next_one = enter(world.services, world.request(origin="run-2"))
    next_one.finish("succeeded")
    with pytest.raises(LeaseLost) as refusal:
        enter(world.services, world.request())
    give_up(world.services, world.request(), "default", refusal.value)
    assert world.control.runs[stood_still.run.seed_run_id].status == "aborted"
    assert world.control.leases == {}


def test_an_abandoned_run_is_recorded_and_its_lease_given_back(world: World) -> None:
    session = enter(world.services, world.request())
    abandon(session, VaultUnavailable("Gone."))
    run = world.control.runs[session.run.seed_run_id]
    assert run.status == "failed"
    assert run.problem is not None
    assert run.problem["code"] == "vault_unavailable"
    assert world.control.leases == {}


def test_an_interrupted_run_is_aborted(world: World) -> None:
    session = enter(world.services, world.request())
    abandon(session, KeyboardInterrupt())
    assert world.control.runs[session.run.seed_run_id].status == "aborted"


def test_abandoning_without_a_database_is_logged_and_raises_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    session = enter(world.services, world.request())
    world.control.away = True
    abandon(session, DatabaseUnavailable("Gone."))
    assert "could not be recorded" in caplog.text


def test_the_end_of_a_run_is_recorded_once_its_connection_is_back(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = enter(world.services, world.request())
    cuts = iter((True, True, False))
    finish_run = world.control.finish_run

    def cut_twice(*arguments: Any) -> None:
        if next(cuts):
            raise DatabaseUnavailable("Cut.")
        finish_run(*arguments)

    monkeypatch.setattr(world.control, "finish_run", cut_twice)
    give_up(world.services, world.request(), "default", DatabaseUnavailable("Cut."))
    assert world.control.runs[session.run.seed_run_id].status == "failed"
    assert world.control.leases == {}
    assert "could not be recorded" not in caplog.text


def test_a_connection_that_one_run_of_a_backfill_loses_is_no_matter_of_the_others(world: World) -> None:
    session = enter(world.services, world.request())
    give_up(world.services, world.request(), "default", DatabaseUnavailable("Cut."), keep_lease=True)
    assert world.control.runs[session.run.seed_run_id].status == "running"
    assert world.control.leases != {}


def test_a_lease_that_came_too_late_is_given_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run stood still in the queue and was ended meanwhile."""

    def ended(run: object, lease: object) -> None:
        raise LeaseLost(f"{run} was ended while {lease} was waited for.", token=1)

    monkeypatch.setattr(world.control, "fence_run", ended)
    with pytest.raises(LeaseLost):
        enter(world.services, world.request())
    assert world.control.leases == {}


def test_a_run_has_its_place_in_the_queue_before_it_is_opened(world: World) -> None:
    """So that one without a place and without a token is dead for certain; it keeps the place until its refusal is recorded."""
    opened: list[int] = []
    session = unanswered(
        ask(world.services, world.request(), Patience(entered=lambda _: opened.append(len(world.control.runs)))),
        world.request(),
    )
    assert opened == [0]
    assert world.control.queue == []
    assert session.run.status == "running"


@pytest.mark.parametrize("moment", ["open_run", "acquire", "fence_run"])
def test_a_run_stopped_while_it_enters_leaves_no_lease(world: World, moment: str) -> None:
    """Whatever it got to is found by its origin: the seed run is aborted, the lease free."""
    world.control.interrupted_after = moment
    with pytest.raises(KeyboardInterrupt) as stopped:
        enter(world.services, world.request())
    give_up(world.services, world.request(), "default", stopped.value)
    (run,) = world.control.runs.values()
    assert run.status == "aborted"
    assert run.problem is not None
    assert run.problem["code"] == "interrupted"
    assert world.control.leases == {}


def test_a_run_of_a_backfill_that_is_refused_keeps_the_lease_for_the_others(world: World) -> None:
    session = enter(world.services, world.request())
    world.now = NOON
    give_up(world.services, world.request(), "default", OutsideWindow("Closed."), keep_lease=True)
    assert world.control.runs[session.run.seed_run_id].status == "failed"
    assert world.control.leases != {}


def test_giving_up_takes_nothing_from_another_run(world: World) -> None:
    session = enter(world.services, world.request())
    give_up(world.services, world.request(origin="run-2"), "default", KeyboardInterrupt())
    assert world.control.runs[session.run.seed_run_id].status == "running"
    assert world.control.leases != {}


IDENTITY = ("staging", "tenant-a", "default")


def test_a_run_stopped_between_two_steps_ends_at_once(world: World) -> None:
    """Nobody was at work: the seed run is aborted, the lease free."""
    session = enter(world.services, world.request())
    end_stopped(world.services, session.run.origin, IDENTITY, KeyboardInterrupt())
    run = world.control.runs[session.run.seed_run_id]
    assert run.problem is not None
    assert (run.status, run.problem["code"]) == ("aborted", "interrupted")
    assert world.control.leases == {}


def test_what_a_step_has_ended_is_not_ended_again(world: World) -> None:
    """Nor told to who watches a second time."""
    session = enter(world.services, world.request())
    abandon(session, OutsideWindow("Closed."))
    ended = world.control.runs[session.run.seed_run_id]
    end_stopped(world.services, session.run.origin, IDENTITY, KeyboardInterrupt())
    assert world.control.runs[session.run.seed_run_id] == ended
    assert ended.status == "failed"


@pytest.mark.parametrize(
    ("origin", "identity"),
    [("run-2", IDENTITY), ("run-1", ("staging", "tenant-a", "other"))],
)
def test_a_run_that_began_no_seed_run_takes_nothing_from_another(
    world: World, origin: str, identity: tuple[str, str, str]
) -> None:
    session = enter(world.services, world.request(origin="run-1"))
    end_stopped(world.services, origin, identity, KeyboardInterrupt())
    assert world.control.runs[session.run.seed_run_id].status == "running"
    assert world.control.leases != {}


@pytest.mark.parametrize(
    ("world_has", "manifest_has", "endpoint"),
    [
        ({}, {"kyc": "https://api.kyc.example"}, "integrations.kyc"),
        (
            {},
            {"kyc": "http://localhost:4010", "notificacoes": "http://localhost.evil.com:4012"},
            "integrations.notificacoes",
        ),
        ({"own": {"pagamentos": "http://10.0.0.7:4011"}}, {}, "SEED_PAGAMENTOS_URL"),
        ({"own": {"kyc": "http://kyc.example"}}, {"kyc": "http://localhost:4010"}, "SEED_KYC_URL"),
        ({"base": "http://169.254.169.254"}, {}, "SEED_STUB_BASE"),
    ],
)
def test_an_address_that_is_no_stubs_is_refused_before_anything_is_queued(
    world: World, world_has: dict[str, Any], manifest_has: dict[str, str], endpoint: str
) -> None:
    world.stubs = StubAddresses(**world_has)
    wanted = manifest(in_catalogue=world.catalogue, integrations=manifest_has)
    with pytest.raises(ExternalCallsBlocked) as refusal:
        enter(world.services, world.request(wanted))
    assert refusal.value.extensions["endpoint"] == endpoint
    assert refusal.value.exit_code == 2
    assert not world.control.runs
    assert not world.control.leases
    assert world.keys.asked == 0


def test_addresses_of_stubs_are_admitted(world: World) -> None:
    world.stubs = StubAddresses(base="http://stub:4014", own={"kyc": "http://127.0.0.1:4010"})
    wanted = manifest(in_catalogue=world.catalogue, integrations={"pagamentos": "http://[::1]:4011"})
    assert enter(world.services, world.request(wanted)).run.status == "running"


def test_the_window_is_asked_before_the_addresses_and_the_addresses_before_drift(world: World) -> None:
    real = {"kyc": "https://api.kyc.example"}
    seed(enter(world.services, world.request()))
    moved = manifest(in_catalogue=world.catalogue, reference_datetime="2025-02-01T00:00:00Z", integrations=real)
    with pytest.raises(ExternalCallsBlocked):
        enter(world.services, world.request(moved, origin="run-2"))
    world.now = NOON
    with pytest.raises(OutsideWindow):
        enter(world.services, world.request(moved, origin="run-3"))
