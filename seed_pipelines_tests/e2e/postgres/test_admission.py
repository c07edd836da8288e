"""Slots of an environment, the queue for them, and idempotency keys, with their lease or not at all."""

from collections.abc import Callable, Sequence
from uuid import uuid4

import pytest
from psycopg import sql

from seed_pipelines.adapters.postgres.control import PostgresControl
from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.idempotency import FALLBACK_PREFIX, Claim, Replay
from seed_pipelines.adapters.postgres.leases import Lease, Terms
from seed_pipelines.adapters.postgres.seed_runs import NewSeedRun, SeedRun
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.errors import (
    ConcurrencyCap,
    IdempotencyConflict,
    IdempotencyInProgress,
    LeaseHeld,
    LeaseLost,
    QueueExpired,
    QueuePending,
    SeedError,
)
from seed_pipelines_tests.e2e.postgres.conftest import (
    ENVIRONMENT,
    TENANT_A,
    TENANT_B,
    UNGRANTED,
    Server,
    never,
    succeed,
)

pytestmark = pytest.mark.e2e

TENANT_C = UNGRANTED
HASH, OTHER_HASH = "ab" * 32, "cd" * 32
SLOTS = 2


@pytest.fixture
def state(control: Database) -> PostgresControl:
    """The control tables, leases of a minute."""
    return PostgresControl(control, 60)


def claim_of(key: str, manifest_hash: str = HASH, tenant: Tenant = TENANT_A) -> Claim:
    """A key for a run of a manifest."""
    return Claim(tenant.tenant_id, ENVIRONMENT, "seed_run", key, manifest_hash, "default")


def opened(state: PostgresControl, claim: Claim) -> SeedRun:
    """A running seed run."""
    return state.open_run(
        NewSeedRun(
            tenant_id=claim.tenant_id,
            environment=ENVIRONMENT,
            profile=claim.profile,
            origin=str(uuid4()),
            manifest_hash=claim.manifest_hash,
            mode="baseline",
            idempotency_key=claim.key,
            requested_by="",
            manifest={},
        )
    )


def started(
    state: PostgresControl, claim: Claim, finished: Callable[[str], bool] = never, entry: int | None = None
) -> tuple[SeedRun, Lease]:
    """A seed run that holds its lease, a slot and its key."""
    run = opened(state, claim)
    terms = Terms(SLOTS, entry, claim)
    return run, state.acquire(claim.tenant_id, ENVIRONMENT, run.seed_run_id, run.origin, finished, terms)


def answered(state: PostgresControl, claim: Claim) -> Replay | None:
    """What somebody else is told who asks under the key."""
    return state.answered(claim, uuid4(), never)


def aged(stack: Server, table: str, column: str, hours: float) -> None:
    """Let a table's rows be older."""
    with stack.superuser() as connection:
        statement = sql.SQL("UPDATE {0} SET {1} = {1} - make_interval(secs => {2})")
        seconds = sql.Literal(hours * 3600)
        connection.execute(statement.format(sql.Identifier("seed", table), sql.Identifier(column), seconds))


def remaining(stack: Server) -> Sequence[tuple[object, ...]]:
    """Keys that are there."""
    with stack.superuser() as connection:
        return connection.execute("SELECT key FROM seed.idempotency_key ORDER BY key").fetchall()


class TestSlots:
    """At most two runs of an environment at once."""

    def test_a_third_tenant_is_refused_until_a_slot_is_given_back(self, state: PostgresControl) -> None:
        """Whatever it asked for is not half there."""
        _, first = started(state, claim_of("a"))
        started(state, claim_of("b", tenant=TENANT_B))
        with pytest.raises(ConcurrencyCap) as refusal:
            started(state, claim_of("c", tenant=TENANT_C))
        assert (refusal.value.exit_code, refusal.value.extensions["cap"]) == (3, SLOTS)
        assert answered(state, claim_of("c", OTHER_HASH, TENANT_C)) is None
        state.release(first)
        started(state, claim_of("c", tenant=TENANT_C))

    def test_work_that_takes_no_slot_does_not_count(self, state: PostgresControl) -> None:
        """A purge holds a lease and nothing else."""
        state.acquire(TENANT_A.tenant_id, ENVIRONMENT, uuid4(), "purge", never)
        started(state, claim_of("b", tenant=TENANT_B))
        started(state, claim_of("c", tenant=TENANT_C))

    def test_the_slot_of_a_run_that_died_is_taken(self, control: Database) -> None:
        """Its lease expired, or Dagster knows it to be over; its tenant's next run starts anew."""
        dead = PostgresControl(control, 0)
        _, expired = started(dead, claim_of("a"))
        state = PostgresControl(control, 60)
        over, _ = started(state, claim_of("b", tenant=TENANT_B))
        _, third = started(state, claim_of("c", tenant=TENANT_C))
        with pytest.raises(LeaseLost):
            state.heartbeat(expired)
        state.release(third)
        started(state, claim_of("a"), over.origin.__eq__)
        started(state, claim_of("c", tenant=TENANT_C), over.origin.__eq__)

    def test_a_tenant_that_takes_over_keeps_its_slot(self, control: Database) -> None:
        """The places of others are not needed for it."""
        _, old = started(PostgresControl(control, 0), claim_of("a"))
        state = PostgresControl(control, 60)
        started(state, claim_of("b", tenant=TENANT_B))
        _, new = started(state, claim_of("a2"))
        assert new.token > old.token


class TestQueue:
    """In order of arrival."""

    def enter(self, state: PostgresControl, tenant: Tenant) -> int:
        """A new entry."""
        return state.enter_queue(tenant.tenant_id, ENVIRONMENT, str(uuid4()))

    def test_the_first_of_a_tenant_is_served_first(self, state: PostgresControl) -> None:
        """The second is told how many are ahead."""
        first, second = self.enter(state, TENANT_A), self.enter(state, TENANT_A)
        with pytest.raises(QueuePending) as refusal:
            started(state, claim_of("late"), entry=second)
        assert (refusal.value.exit_code, refusal.value.extensions) == (5, {"queue_entry": second, "ahead": 1})
        _, lease = started(state, claim_of("early"), entry=first)
        with pytest.raises(LeaseHeld):
            started(state, claim_of("late"), entry=second)
        state.release(lease)
        started(state, claim_of("late"), entry=second)

    def test_the_last_slot_goes_to_whoever_came_first(self, state: PostgresControl) -> None:
        """Of different tenants that all could go."""
        started(state, claim_of("a"))
        first, second = self.enter(state, TENANT_B), self.enter(state, TENANT_C)
        with pytest.raises(QueuePending):
            started(state, claim_of("c", tenant=TENANT_C), entry=second)
        started(state, claim_of("b", tenant=TENANT_B), entry=first)

    def test_who_waits_for_a_lease_does_not_hold_up_another_tenant(self, state: PostgresControl) -> None:
        """There is a slot for the second, and none that the first could take."""
        started(state, claim_of("a"))
        self.enter(state, TENANT_A)
        started(state, claim_of("b", tenant=TENANT_B), entry=self.enter(state, TENANT_B))

    @pytest.mark.parametrize(("column", "hours"), [("seen_at", 0.01), ("expires_at", 0.1)])
    def test_an_entry_that_nobody_asks_for_holds_nobody_up(
        self, stack: Server, state: PostgresControl, column: str, hours: float
    ) -> None:
        """Its process was killed, or its time is up; it is taken away by who goes past it."""
        self.enter(state, TENANT_A)
        self.enter(state, TENANT_B)
        aged(stack, "queue_entry", column, hours)
        waiting = self.enter(state, TENANT_B)
        started(state, claim_of("a"), entry=self.enter(state, TENANT_A))
        with stack.superuser() as connection:
            assert connection.execute("SELECT entry_id FROM seed.queue_entry").fetchall() == [(waiting,)]

    def test_a_place_is_kept_for_five_minutes(self, stack: Server, state: PostgresControl) -> None:
        """After that it is gone, and so is the row once another enters."""
        entry = self.enter(state, TENANT_A)
        state.stay_in_queue(entry)
        aged(stack, "queue_entry", "expires_at", 5 / 60)
        with pytest.raises(QueueExpired) as refusal:
            state.stay_in_queue(entry)
        assert refusal.value.exit_code == 5
        self.enter(state, TENANT_A)
        with stack.superuser() as connection:
            assert connection.execute("SELECT count(*) FROM seed.queue_entry").fetchone() == (1,)

    def test_the_entry_goes_with_the_lease(self, stack: Server, state: PostgresControl) -> None:
        """Whoever holds the lease waits for nothing; leaving twice changes nothing."""
        entry = self.enter(state, TENANT_A)
        started(state, claim_of("a"), entry=entry)
        state.leave_queue(entry)
        with stack.superuser() as connection:
            assert connection.execute("SELECT count(*) FROM seed.queue_entry").fetchone() == (0,)


class TestKeys:
    """One effect for each key."""

    def test_the_answer_is_stored_with_the_end_of_the_run(self, state: PostgresControl) -> None:
        """Status, answer and lease change together, and the answer comes back byte for byte."""
        run, lease = started(state, claim_of("k"))
        succeed(state, run, lease, '{"é": 1}\n')
        found = answered(state, claim_of("k"))
        assert found is not None
        assert (found.seed_run_id, found.response) == (run.seed_run_id, '{"é": 1}\n')
        assert state.answer_of(run) == found.response
        assert state.join(run) is None
        ended = state.find_run(run.origin, run.tenant_id, ENVIRONMENT, "default")
        assert ended is not None
        assert ended.status == "succeeded"

    def test_a_run_that_lost_its_lease_gives_no_answer(self, control: Database) -> None:
        """Whoever took over gives it; neither its status nor its report is written."""
        run, old = started(PostgresControl(control, 0), claim_of("k"))
        state = PostgresControl(control, 60)
        again, new = started(state, claim_of("k"))
        with pytest.raises(LeaseLost):
            succeed(state, run, old, "old")
        with pytest.raises(LeaseLost):
            state.record_shard(old, "0000", {"passed": True})
        succeed(state, again, new, "new")
        found = answered(state, claim_of("k"))
        assert found is not None
        assert found.response == "new"

    def test_a_key_at_work_or_answered_refuses_another_manifest(self, state: PostgresControl) -> None:
        """And the same manifest only while it is at work."""
        run, lease = started(state, claim_of("k"))
        with pytest.raises(IdempotencyInProgress, match="the key is free then") as at_work:
            answered(state, claim_of("k"))
        assert 50 < at_work.value.extensions["expires_in_seconds"] <= 60
        with pytest.raises(IdempotencyConflict):
            answered(state, claim_of("k", OTHER_HASH))
        succeed(state, run, lease, "done")
        with pytest.raises(IdempotencyConflict):
            answered(state, claim_of("k", OTHER_HASH))

    def test_a_key_is_the_tenants_own(self, state: PostgresControl) -> None:
        """And that of its environment and operation."""
        run, lease = started(state, claim_of("k"))
        succeed(state, run, lease, "done")
        assert answered(state, claim_of("k", tenant=TENANT_B)) is None
        assert answered(state, Claim(TENANT_A.tenant_id, ENVIRONMENT, "dry_run", "k", HASH, "default")) is None

    def test_the_key_of_a_run_that_failed_is_free(self, stack: Server, state: PostgresControl) -> None:
        """Even for another manifest."""
        run, lease = started(state, claim_of("k"))
        state.finish_run(run.seed_run_id, "failed", None)
        state.release(lease)
        assert remaining(stack) == []
        assert answered(state, claim_of("k", OTHER_HASH)) is None

    @pytest.mark.parametrize("ended", ["expired", "finished"])
    def test_the_claim_of_a_run_that_died_is_void(self, control: Database, ended: str) -> None:
        """Its lease expired, or its holder is known to be over."""
        before = PostgresControl(control, 0 if ended == "expired" else 60)
        run, _ = started(before, claim_of("k"))
        state = PostgresControl(control, 60)
        finished = never if ended == "expired" else run.origin.__eq__
        assert state.answered(claim_of("k", OTHER_HASH), uuid4(), finished) is None
        started(state, claim_of("k", OTHER_HASH), finished)

    def test_an_answer_is_repeated_for_a_day(self, stack: Server, state: PostgresControl) -> None:
        """By the clock of the database; one that is at work does not expire."""
        run, lease = started(state, claim_of("k"))
        aged(stack, "idempotency_key", "claimed_at", 48)
        with pytest.raises(IdempotencyInProgress):
            answered(state, claim_of("k"))
        succeed(state, run, lease, "done")
        aged(stack, "idempotency_key", "completed_at", 23.9)
        assert answered(state, claim_of("k")) is not None
        aged(stack, "idempotency_key", "completed_at", 0.2)
        assert answered(state, claim_of("k", OTHER_HASH)) is None
        started(state, claim_of("next"))
        assert remaining(stack) == [("next",)]

    def test_seeding_another_manifest_voids_the_answers_that_stand_for_manifests(
        self, stack: Server, state: PostgresControl
    ) -> None:
        """The dataset is no more what they say; keys that somebody gave stay what they are."""
        for key in (f"{FALLBACK_PREFIX}{HASH}", "given"):
            run, lease = started(state, claim_of(key))
            succeed(state, run, lease, "done")
        started(state, claim_of(f"{FALLBACK_PREFIX}{OTHER_HASH}", OTHER_HASH))
        assert remaining(stack) == [("given",), (f"{FALLBACK_PREFIX}{OTHER_HASH}",)]

    def test_a_purged_dataset_has_no_answers(self, state: PostgresControl) -> None:
        """Asking again seeds it again."""
        run, lease = started(state, claim_of("k"))
        succeed(state, run, lease, "done")
        state.forget_answers(TENANT_A.tenant_id, ENVIRONMENT, "other")
        assert answered(state, claim_of("k")) is not None
        state.forget_answers(TENANT_A.tenant_id, ENVIRONMENT, "default")
        assert answered(state, claim_of("k")) is None

    def test_the_first_answer_to_a_dry_run_stays(self, state: PostgresControl) -> None:
        """Two at once give one answer."""
        claim = Claim(TENANT_A.tenant_id, ENVIRONMENT, "dry_run", "k", HASH, "default")
        for text in ("first", "second"):
            state.record_answer(claim, uuid4(), text)
        found = answered(state, claim)
        assert found is not None
        assert found.response == "first"

    def test_a_refused_run_claims_nothing(self, stack: Server, state: PostgresControl) -> None:
        """All of the terms, or none."""
        started(state, claim_of("k"))
        for refused in (claim_of("other"), claim_of("k")):
            with pytest.raises(SeedError):
                started(state, refused)
        assert remaining(stack) == [("k",)]


def test_control_tables_are_not_the_data_logins(data: Database) -> None:
    """Neither the queue nor the answers can be read by whoever loads rows."""
    for table in ("queue_entry", "idempotency_key"):
        with pytest.raises(SeedError, match="permission denied"), data.connection() as connection:
            connection.execute(sql.SQL("SELECT FROM {}").format(sql.Identifier("seed", table)))
