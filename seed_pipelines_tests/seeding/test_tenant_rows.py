"""Rows of the tenant itself: with the first shard, carried by another that comes before it, kept while referred to."""

from typing import Any, Final
from uuid import UUID

import pytest

from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.domain.plan import Plan
from seed_pipelines.seeding.checking import check
from seed_pipelines.seeding.generation import generate
from seed_pipelines.seeding.loading import ShardLoad, load
from seed_pipelines.seeding.planning import against_loaded
from seed_pipelines.seeding.purging import loaded_dataset, purge
from seed_pipelines.seeding.rehearsal import rehearse
from seed_pipelines.seeding.reporting import summarize
from seed_pipelines.seeding.seed_run import Session, enter
from seed_pipelines_tests.worlds import CALLER, TENANT, World, catalogue, manifest

CAPS: Final = {
    "tenant_users": 20,
    "customers": 9_000,
    "consultants": 40,
    "bank_accounts": 9_000,
    "suppliers": 60,
    "loans": 9_000,
    "installments": 27_000,
}


@pytest.fixture
def sharded(world: World) -> World:
    world.catalogue = catalogue(rows_per_shard=9_000)
    return world


def wanted(world: World, **caps: int) -> Manifest:
    volumetry = {name: {"cap": caps.get(name, cap)} for name, cap in CAPS.items() if caps.get(name) != 0}
    return manifest(in_catalogue=world.catalogue, volumetry=volumetry)


def entered(world: World, asked: Manifest, origin: str = "run-1") -> Session:
    world.finished.update({"run-1", "run-2", "run-3"} - {origin})
    return enter(world.services, world.request(asked, origin=origin))


def seeded(world: World, asked: Manifest, origin: str = "run-1") -> Session:
    session = entered(world, asked, origin)
    for shard in session.plan.shards:
        for entity in session.plan.entities_of(shard):
            generate(session, entity, shard)
        load(session, shard)
    return session


def seed(session: Session, number: int) -> ShardLoad:
    """Seed one shard, the last one for -1."""
    shard = session.plan.shards[number]
    for entity in session.plan.entities_of(shard):
        generate(session, entity, shard)
    return load(session, shard)


def rows(world: World, entity: str) -> list[dict[str, Any]]:
    return world.tables.rows.get((TENANT.tenant_id, entity), [])


def green(session: Session) -> bool:
    return all(result.passed for shard in session.plan.shards for result in check(session, shard))


def ids(world: World, entity: str) -> list[str]:
    return [str(UUID(bytes=row["id"])) for row in world.tables.rows.get((TENANT.tenant_id, entity), [])]


def test_they_belong_to_the_first_shard_alone(sharded: World) -> None:
    session = seeded(sharded, wanted(sharded))
    first, *others = session.plan.shards
    assert first.rows["suppliers"] == 60
    assert others
    assert not any("suppliers" in shard.rows for shard in others)
    assert len(ids(sharded, "suppliers")) == 60
    for shard in session.plan.shards:
        assert all(result.passed for result in check(session, shard))


def test_a_shard_that_comes_first_carries_them(sharded: World) -> None:
    session = entered(sharded, wanted(sharded))
    last = session.plan.shards[-1]
    for entity in session.plan.entities_of(last):
        generate(session, entity, last)
    load(session, last)
    assert len(ids(sharded, "consultants")) == 40
    assert all(result.passed for result in check(session, last))
    assert summarize(session).rows["consultants"] == 0, "their own shard is not loaded yet"


def test_once_their_shard_is_loaded_nothing_carries_them_again(sharded: World) -> None:
    session = seeded(sharded, wanted(sharded))
    sharded.tables.rows[TENANT.tenant_id, "suppliers"].clear()
    sharded.tables.known.pop()
    load(session, session.plan.shards[-1])
    assert ids(sharded, "suppliers") == []


def test_only_rows_that_differ_are_written(sharded: World) -> None:
    """Whichever shard brings them, and when one row was changed behind the program's back."""
    session = entered(sharded, wanted(sharded))
    seed(session, -1)
    assert (sharded.tables.written["consultants"], sharded.tables.written["suppliers"]) == (40, 60)
    seed(session, 1)
    seed(session, 0)
    assert (sharded.tables.written["consultants"], sharded.tables.written["suppliers"]) == (0, 0)
    rows(sharded, "suppliers")[4]["status"] = "GONE"
    assert not seed(session, 0).left_alone
    assert (sharded.tables.written["consultants"], sharded.tables.written["suppliers"]) == (0, 1)
    assert seed(session, 0).left_alone
    assert summarize(session).rows == CAPS


def test_a_surplus_row_goes_with_the_last_shard_that_refers_to_it(sharded: World) -> None:
    seeded(sharded, wanted(sharded))
    session = entered(sharded, wanted(sharded, consultants=10), "run-2")
    for number, shard in enumerate(session.plan.shards[:-1]):
        seed(session, number)
        assert 10 < len(ids(sharded, "consultants")) < 40
        assert all(result.passed for result in check(session, shard))
    seed(session, -1)
    assert len(ids(sharded, "consultants")) == 10
    assert green(session)


def test_a_surplus_row_that_the_application_refers_to_stays_and_turns_nothing_red(sharded: World) -> None:
    seeded(sharded, wanted(sharded))
    kept = rows(sharded, "suppliers")[49]
    sharded.tables.referred.add(kept["id"])
    session = seeded(sharded, wanted(sharded, suppliers=25), "run-2")
    assert rows(sharded, "suppliers")[25:] == [kept]
    assert green(session)
    assert seed(session, 0).left_alone


@pytest.mark.parametrize("turned", [False, True])
def test_an_entity_that_is_no_longer_named_goes_with_the_last_row_that_refers_to_it(
    sharded: World, turned: bool
) -> None:
    seeded(sharded, wanted(sharded))
    session = entered(sharded, wanted(sharded, consultants=0), "run-2")
    *others, last = reversed(range(len(session.plan.shards))) if turned else range(len(session.plan.shards))
    for number in others:
        seed(session, number)
        assert ids(sharded, "consultants")
    seed(session, last)
    assert ids(sharded, "consultants") == []
    assert loaded_dataset(sharded.services, TENANT.tenant_id, "staging", "default", CALLER).rows["consultants"] == 0


def test_rows_that_only_a_later_shard_brought_along_go_too(sharded: World) -> None:
    seed(entered(sharded, wanted(sharded)), -1)
    seeded(sharded, wanted(sharded, consultants=0, suppliers=0), "run-2")
    assert ids(sharded, "consultants") == ids(sharded, "suppliers") == []


def test_fewer_of_them_remove_the_surplus_and_keep_the_others(sharded: World) -> None:
    seeded(sharded, wanted(sharded))
    before = ids(sharded, "suppliers")
    seeded(sharded, wanted(sharded, suppliers=25), "run-2")
    assert ids(sharded, "suppliers") == before[:25]


def test_an_entity_that_is_no_longer_named_goes(sharded: World) -> None:
    seeded(sharded, wanted(sharded))
    seeded(sharded, wanted(sharded, suppliers=0), "run-2")
    assert ids(sharded, "suppliers") == []
    assert len(ids(sharded, "tenant_users")) == 20


def test_the_digest_does_not_depend_on_shards_and_is_that_of_a_dry_run(world: World) -> None:
    digests = set()
    for number, rows_per_shard in enumerate((1_000_000, 9_000), start=1):
        world.catalogue = catalogue(rows_per_shard=rows_per_shard)
        session = seeded(world, wanted(world), f"run-{number}")
        digests.add(summarize(session).digest)
    rehearsal = rehearse(world.services, world.request(wanted(world)), str(world.directory / "dry"))
    assert rehearsal.passed, [result for result in rehearsal.results if not result.passed]
    assert digests == {rehearsal.digest}


def test_a_plan_names_the_rows_of_the_tenant_that_would_change(sharded: World) -> None:
    seeded(sharded, wanted(sharded))
    same = against_loaded(sharded.services, Plan.of(wanted(sharded), sharded.catalogue), CALLER)
    assert all(change.is_empty for change in same.values())
    fewer = against_loaded(sharded.services, Plan.of(wanted(sharded, suppliers=25), sharded.catalogue), CALLER)
    assert (fewer["suppliers"].removed, fewer["suppliers"].unchanged) == (35, 25)
    gone = against_loaded(sharded.services, Plan.of(wanted(sharded, suppliers=0), sharded.catalogue), CALLER)
    assert gone["suppliers"].removed == 60


def test_a_purge_takes_them_too(sharded: World) -> None:
    session = seeded(sharded, wanted(sharded))
    session.finish("succeeded")
    sharded.control.granted = frozenset({"seed-admin"})
    deleted = purge(sharded.services, TENANT.tenant_id, "staging", "default", CALLER)
    assert deleted["suppliers"] == 60
    assert ids(sharded, "suppliers") == []
