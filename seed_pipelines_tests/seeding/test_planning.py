"""What a run would do to what is loaded."""

from decimal import Decimal

import pytest

from seed_pipelines.domain.plan import Plan
from seed_pipelines.errors import MaskingKeyChanged, ReferenceDatetimeDrift
from seed_pipelines.seeding.generation import generate
from seed_pipelines.seeding.loading import load
from seed_pipelines.seeding.planning import against_loaded
from seed_pipelines.seeding.seed_run import enter
from seed_pipelines_tests.worlds import CALLER, TENANT, World, manifest


def seeded(world: World) -> Plan:
    session = enter(world.services, world.request())
    (shard,) = session.plan.shards
    for entity in session.plan.entities:
        generate(session, entity, shard)
    load(session, shard)
    session.finish("succeeded")
    return session.plan


def test_nothing_would_change_once_it_is_loaded(world: World) -> None:
    changes = against_loaded(world.services, seeded(world), CALLER)
    assert all(change.is_empty for change in changes.values())


def test_the_very_rows_that_differ_are_named(world: World) -> None:
    plan = seeded(world)
    accounts = world.tables.rows[TENANT.tenant_id, "bank_accounts"]
    accounts[3]["balance"] += Decimal(1)
    removed = accounts.pop(7)
    change = against_loaded(world.services, plan, CALLER)["bank_accounts"]
    assert (change.added, change.changed, change.removed, change.unchanged) == (1, 1, 0, 118)
    assert change.added_ids[0].replace("-", "") == removed["id"].hex()
    assert change.changed_ids[0].replace("-", "") == accounts[3]["id"].hex()


def test_on_an_empty_database_everything_would_be_added(world: World) -> None:
    plan = Plan.of(manifest(in_catalogue=world.catalogue), world.catalogue)
    changes = against_loaded(world.services, plan, CALLER)
    assert {name: change.added for name, change in changes.items()} == {"customers": 100, "bank_accounts": 120}
    assert (world.control.runs, world.control.leases, world.tables.loads) == ({}, {}, 0)


def test_drift_and_another_key_are_refused_like_a_run(world: World) -> None:
    plan = seeded(world)
    later = manifest(in_catalogue=world.catalogue, reference_datetime="2025-02-01T00:00:00Z")
    with pytest.raises(ReferenceDatetimeDrift):
        against_loaded(world.services, Plan.of(later, world.catalogue), CALLER)
    world.keys.material = b"another key"
    with pytest.raises(MaskingKeyChanged):
        against_loaded(world.services, plan, CALLER)
