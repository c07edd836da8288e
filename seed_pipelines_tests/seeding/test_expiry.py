"""Removing what has expired."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from seed_pipelines.adapters.postgres.dataset_expiries import DatasetExpiry
from seed_pipelines.adapters.postgres.leases import NO_TERMS, Lease, Terms
from seed_pipelines.errors import DatabaseUnavailable, Forbidden, RequestInvalid, TenantMismatch
from seed_pipelines.seeding.authorization import Caller
from seed_pipelines.seeding.expiry import ExpiryOutcome, expired_datasets, purge_expired, readable_expired
from seed_pipelines.seeding.generation import generate
from seed_pipelines.seeding.loading import load
from seed_pipelines.seeding.seed_run import enter
from seed_pipelines_tests.fakes import FakeControl
from seed_pipelines_tests.worlds import OTHER_TENANT, TENANT, World, manifest

LOADED = datetime(2025, 1, 1, tzinfo=UTC)
EXPIRED = DatasetExpiry(
    tenant_id=TENANT.tenant_id,
    tenant=TENANT.slug,
    environment="staging",
    profile="default",
    rows=220,
    loaded_at=LOADED,
    expires_at=LOADED + timedelta(days=1),
    is_expired=True,
)
OTHER = replace(EXPIRED, tenant_id=OTHER_TENANT.tenant_id, tenant=OTHER_TENANT.slug)


class RenewingControl(FakeControl):
    """What has expired is loaded again by whoever held the lease before."""

    def acquire(
        self,
        tenant_id: UUID,
        environment: str,
        seed_run_id: UUID,
        holder: str,
        holder_finished: Callable[[str], bool],
        terms: Terms = NO_TERMS,
    ) -> Lease:
        self.expiries = [replace(expiry, is_expired=False) for expiry in self.expiries]
        return super().acquire(tenant_id, environment, seed_run_id, holder, holder_finished, terms)


def seeded(world: World) -> None:
    """The dataset of tenant-a, loaded; the fake control database says that it has expired."""
    session = enter(world.services, world.request())
    (shard,) = session.plan.shards
    for entity in session.plan.entities:
        generate(session, entity, shard)
    load(session, shard)
    session.finish("succeeded")
    world.control.expiries = [EXPIRED]


def purged(world: World, origin: str) -> tuple[ExpiryOutcome, ...]:
    """What the job of staging does."""
    return purge_expired(world.services, expired_datasets(world.services, "staging"), Caller(origin))


def files(world: World) -> int:
    return len(list(world.directory.rglob("*.parquet")))


def test_an_expired_dataset_goes_and_a_seed_runner_may_do_it(world: World) -> None:
    """Rows, checkpoints, files; the record says when it expired and who removed it."""
    seeded(world)
    origin = str(uuid4())
    (outcome,) = purged(world, origin)
    assert {name: rows for name, rows in outcome.removed.items() if rows} == {"customers": 100, "bank_accounts": 120}
    assert outcome.in_words == "removed 220 rows"
    assert (world.tables.known, files(world), world.control.leases) == ([], 0, {})
    (removal,) = world.tables.removals
    assert (removal.reason, removal.expired_at, removal.origin) == ("expired", EXPIRED.expires_at, origin)


def test_what_has_not_expired_stays(world: World) -> None:
    seeded(world)
    world.control.expiries = [replace(EXPIRED, is_expired=False)]
    assert purged(world, str(uuid4())) == ()
    assert files(world) == 2


def test_one_that_is_renewed_before_the_lease_is_held_stays(world: World) -> None:
    """A run that loads it again between the list and the lease is not undone."""
    world.control = RenewingControl("staging", (TENANT,))
    seeded(world)
    (outcome,) = purged(world, str(uuid4()))
    assert (outcome.removed, outcome.refusal) == ({}, None)
    assert outcome.in_words == "stays: it was loaded again meanwhile"
    assert files(world) == 2
    assert world.control.leases == {}


def test_a_lease_in_other_hands_is_reported_and_the_others_go_on(world: World) -> None:
    seeded(world)
    world.control.expiries = [OTHER, EXPIRED]
    world.control.acquire(OTHER.tenant_id, "staging", uuid4(), "run-9", world.finished.__contains__)
    held, gone = purged(world, str(uuid4()))
    assert held.refusal is not None
    assert (held.refusal.code, held.removed) == ("lease_held", {})
    assert held.in_words.startswith("stays: lease_held")
    assert sum(gone.removed.values()) == 220


def test_a_dataset_in_use_is_reported_and_keeps_everything(world: World) -> None:
    """Its files too."""
    seeded(world)
    world.tables.referred = {world.tables.rows[TENANT.tenant_id, "customers"][0]["id"]}
    (outcome,) = purged(world, str(uuid4()))
    assert outcome.refusal is not None
    assert outcome.refusal.code == "dataset_in_use"
    assert (files(world), len(world.tables.known), world.control.leases) == (2, 1, {})


def test_who_may_not_seed_removes_nothing(world: World) -> None:
    seeded(world)
    world.control.granted = frozenset({"seed-read"})
    (outcome,) = purged(world, str(uuid4()))
    assert outcome.refusal is not None
    assert outcome.refusal.code == "forbidden"
    assert files(world) == 2


def test_the_removal_is_a_decision_on_record(world: World) -> None:
    """Under an action of its own, which a seed-runner may do."""
    seeded(world)
    purged(world, "11111111-1111-4111-8111-111111111111")
    actions = [(decision.action, decision.problem_code) for decision in world.control.decisions]
    assert ("purge_expired", None) in actions


def test_only_what_may_be_read_is_listed(world: World) -> None:
    """One tenant's reader is told nothing of others; who asks for one that may not be read is refused."""
    world.control.expiries = [EXPIRED]
    caller = Caller("reader")
    assert readable_expired(world.services, "staging", caller) == (EXPIRED,)
    world.control.granted = frozenset()
    assert readable_expired(world.services, "staging", caller) == ()
    with pytest.raises(RequestInvalid, match="'bogus' is no role"):
        readable_expired(world.services, "staging", Caller("reader", claimed_roles=("bogus",)))
    with pytest.raises(Forbidden):
        readable_expired(world.services, "staging", caller, TENANT.tenant_id)


def test_one_tenant_can_be_named(world: World) -> None:
    world.control.expiries = [OTHER, EXPIRED]
    assert expired_datasets(world.services, "staging", TENANT.tenant_id) == (EXPIRED,)


def test_a_database_that_is_away_or_anothers_is_an_error(world: World) -> None:
    with pytest.raises(TenantMismatch):
        expired_datasets(world.services, "dev")
    world.control.away = True
    with pytest.raises(DatabaseUnavailable):
        purged(world, str(uuid4()))


def test_a_load_stores_how_long_it_is_kept(world: World) -> None:
    """The days of the manifest's own mode."""
    seeded(world)
    (checkpoint,) = world.tables.known
    assert checkpoint.ttl_days == manifest(in_catalogue=world.catalogue).ttl_days


def test_rows_from_before_there_was_a_limit_are_loaded_once_more(world: World) -> None:
    """So that they expire from then on; after that they are left alone."""
    seeded(world)
    world.tables.known = [replace(world.tables.known[0], ttl_days=None)]
    session = enter(world.services, world.request(origin="run-2"))
    (shard,) = session.plan.shards
    assert not load(session, shard).left_alone
    assert load(session, shard).left_alone
