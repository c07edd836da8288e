"""Who may do what, and the record of it."""

import pytest

from seed_pipelines.adapters.postgres.access_decisions import AccessDecision, Action
from seed_pipelines.domain.plan import Plan
from seed_pipelines.errors import DatabaseUnavailable, Forbidden, RequestInvalid
from seed_pipelines.seeding.authorization import Caller, authorize
from seed_pipelines.seeding.planning import against_loaded
from seed_pipelines.seeding.purging import loaded_dataset, purge
from seed_pipelines.seeding.rehearsal import rehearse
from seed_pipelines_tests.worlds import CALLER, TENANT, World, manifest

WHICH = (TENANT.tenant_id, "staging", "default")
ALL_ROLES = frozenset({"seed-runner", "seed-admin", "seed-read"})


def ask(world: World, action: Action, *claimed: str) -> None:
    authorize(world.control, TENANT, "staging", action, Caller("run-1", "ana", claimed))


@pytest.mark.parametrize(
    ("action", "allowed"),
    [
        ("seed", {"seed-runner", "seed-admin"}),
        ("dry_run", {"seed-runner", "seed-admin"}),
        ("override_window", {"seed-admin"}),
        ("purge", {"seed-admin"}),
        ("read", {"seed-runner", "seed-admin", "seed-read"}),
    ],
)
@pytest.mark.parametrize("role", sorted(ALL_ROLES))
def test_each_action_needs_one_of_its_roles(world: World, action: Action, allowed: set[str], role: str) -> None:
    """Granted alone, or claimed alone where all are granted: it comes to the same."""
    attempts: list[tuple[frozenset[str], tuple[str, ...]]] = [(frozenset({role}), ()), (ALL_ROLES, (role,))]
    for granted, claimed in attempts:
        world.control.granted = granted
        if role in allowed:
            ask(world, action, *claimed)
        else:
            with pytest.raises(Forbidden) as refusal:
                ask(world, action, *claimed)
            assert refusal.value.exit_code == 6
            assert refusal.value.extensions["required"] == sorted(allowed)


def test_a_claimed_role_that_was_not_granted_is_refused_even_if_others_would_do(world: World) -> None:
    """The refusal names the claim and the subject, and nothing that anybody has."""
    world.control.granted = frozenset({"seed-runner"})
    with pytest.raises(Forbidden) as refusal:
        ask(world, "read", "seed-runner", "seed-admin")
    assert refusal.value.problem()["status"] == 403
    assert refusal.value.extensions == {"subject": "fake-subject", "claimed": ["seed-admin"]}
    assert "seed-runner" not in refusal.value.detail


def test_a_role_that_does_not_exist_makes_the_request_invalid(world: World) -> None:
    with pytest.raises(RequestInvalid, match="'root' is no role"):
        ask(world, "seed", "root", "seed-runner")


def test_grants_and_refusals_are_recorded_with_what_was_claimed_and_what_counted(world: World) -> None:
    world.control.granted = frozenset({"seed-runner", "seed-read"})
    ask(world, "seed")
    with pytest.raises(Forbidden):
        ask(world, "seed", "seed-read")
    with pytest.raises(RequestInvalid):
        ask(world, "seed", "root")
    which = (TENANT.tenant_id, "staging")
    assert world.control.decisions == [
        AccessDecision(*which, "seed", (), ("seed-read", "seed-runner"), None, "ana", "run-1"),
        AccessDecision(*which, "seed", ("seed-read",), ("seed-read",), "forbidden", "ana", "run-1"),
        AccessDecision(*which, "seed", ("root",), (), "request_invalid", "ana", "run-1"),
    ]


def test_what_cannot_be_recorded_is_not_allowed(world: World) -> None:
    world.control.away = True
    with pytest.raises(DatabaseUnavailable):
        ask(world, "seed")


def test_nothing_is_read_of_a_tenant_without_a_role(world: World) -> None:
    """Neither what is loaded nor what would change; nor is a dry run made."""
    world.control.granted = frozenset()
    plan = Plan.of(manifest(in_catalogue=world.catalogue), world.catalogue)
    output = world.directory / "dry-run"
    with pytest.raises(Forbidden):
        against_loaded(world.services, plan, CALLER)
    with pytest.raises(Forbidden):
        loaded_dataset(world.services, *WHICH, CALLER)
    with pytest.raises(Forbidden):
        rehearse(world.services, world.request(), str(output))
    assert not output.exists()
    assert world.keys.asked == 0
    assert [(d.action, d.problem_code) for d in world.control.decisions] == [
        ("read", "forbidden"),
        ("dry_run", "forbidden"),
    ]


def test_a_reader_sees_what_is_loaded_and_changes_nothing(world: World) -> None:
    world.control.granted = frozenset({"seed-read"})
    plan = Plan.of(manifest(in_catalogue=world.catalogue), world.catalogue)
    assert against_loaded(world.services, plan, CALLER)["customers"].added == 100
    assert loaded_dataset(world.services, *WHICH, CALLER).rows == {}
    with pytest.raises(Forbidden):
        purge(world.services, *WHICH, CALLER)
    with pytest.raises(Forbidden):
        rehearse(world.services, world.request(), str(world.directory / "dry-run"))


def test_an_admin_who_claims_less_purges_nothing(world: World) -> None:
    world.control.granted = ALL_ROLES
    with pytest.raises(Forbidden):
        purge(world.services, *WHICH, Caller(CALLER.origin, "", ("seed-runner",)))
