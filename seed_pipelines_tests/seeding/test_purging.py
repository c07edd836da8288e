"""Purging a dataset."""

from dataclasses import replace
from typing import Any

import pytest
from tenacity import Retrying, stop_after_delay, wait_fixed

from seed_pipelines.errors import Forbidden, LeaseHeld, ParquetMismatch, TenantMismatch
from seed_pipelines.seeding.generation import generate, row_file_key
from seed_pipelines.seeding.loading import load
from seed_pipelines.seeding.purging import loaded_dataset, purge
from seed_pipelines.seeding.seed_run import Session, enter
from seed_pipelines_tests.worlds import CALLER, TENANT, World

WHICH = (TENANT.tenant_id, "staging", "default")


def seeded(world: World) -> Session:
    session = enter(world.services, world.request())
    (shard,) = session.plan.shards
    for entity in session.plan.entities:
        generate(session, entity, shard)
    load(session, shard)
    session.finish("succeeded")
    return session


def test_rows_checkpoints_and_files_go_and_the_lease_comes_back(world: World) -> None:
    session = seeded(world)
    world.control.granted = frozenset({"seed-admin"})
    assert loaded_dataset(world.services, *WHICH, CALLER).rows == {"customers": 100, "bank_accounts": 120}
    deleted = purge(world.services, *WHICH, CALLER)
    assert {name: rows for name, rows in deleted.items() if rows} == {"customers": 100, "bank_accounts": 120}
    assert loaded_dataset(world.services, *WHICH, CALLER).rows == {}
    assert world.control.leases == {}
    with pytest.raises(ParquetMismatch):
        session.row_files.describe(row_file_key(session.plan, session.plan.entities[0], session.plan.shards[0]))


def test_the_lease_is_kept_alive_while_rows_are_removed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A removal may take longer than a lease lives."""
    seeded(world)
    world.control.granted = frozenset({"seed-admin"})
    removed = world.tables.purge

    def slowly(*arguments: Any) -> Any:
        before = world.control.heartbeats
        for attempt in Retrying(stop=stop_after_delay(20), wait=wait_fixed(0.01)):
            with attempt:
                assert world.control.heartbeats > before
        return removed(*arguments)

    monkeypatch.setattr(world.tables, "purge", slowly)
    brisk = replace(world.services, lease_ttl_seconds=0.04)
    assert purge(brisk, *WHICH, CALLER)["customers"] == 100


def test_only_a_seed_admin_purges(world: World) -> None:
    seeded(world)
    with pytest.raises(Forbidden):
        purge(world.services, *WHICH, CALLER)


def test_nothing_is_purged_under_somebody_elses_lease(world: World) -> None:
    enter(world.services, world.request())
    world.control.granted = frozenset({"seed-admin"})
    with pytest.raises(LeaseHeld):
        purge(world.services, *WHICH, CALLER)


def test_the_database_of_another_environment_is_refused(world: World) -> None:
    with pytest.raises(TenantMismatch):
        loaded_dataset(world.services, TENANT.tenant_id, "dev", "default", CALLER)


def test_purging_nothing_removes_nothing(world: World) -> None:
    world.control.granted = frozenset({"seed-admin"})
    assert not any(purge(world.services, *WHICH, CALLER).values())
