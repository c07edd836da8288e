"""Waiting for a lease and a slot."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from seed_pipelines.adapters.postgres.leases import Lease
from seed_pipelines.errors import ConcurrencyCap, DatabaseUnavailable, LeaseHeld, QueueExpired, SeedError
from seed_pipelines.seeding.seed_run import Session, ask, enter
from seed_pipelines.seeding.turn import RUNS_PER_ENVIRONMENT, Patience
from seed_pipelines_tests.worlds import World


@dataclass
class Waiter:
    """Somebody in the queue: does something after each refusal, and goes on."""

    after: Callable[[], None]
    entries: list[int] = field(default_factory=list)
    refusals: list[SeedError] = field(default_factory=list)

    @property
    def patience(self) -> Patience:
        """Its way to wait."""
        return Patience(self.entries.append, self.waits)

    def waits(self, refusal: SeedError) -> bool:
        """Ask again."""
        self.refusals.append(refusal)
        self.after()
        return True


def test_a_run_that_waits_goes_on_when_the_lease_is_given_back(world: World) -> None:
    """It had a place in the queue meanwhile, and has none any more."""
    first = enter(world.services, world.request())
    waiter = Waiter(lambda: first.finish("partial"))
    session = ask(world.services, world.request(origin="run-2"), waiter.patience)
    assert isinstance(session, Session)
    assert [type(refusal) for refusal in waiter.refusals] == [LeaseHeld]
    assert waiter.entries == [2]
    assert world.control.queue == []


def test_whoever_does_not_wait_leaves_the_queue(world: World) -> None:
    """And is refused at once."""
    enter(world.services, world.request())
    with pytest.raises(LeaseHeld):
        enter(world.services, world.request(origin="run-2"))
    assert world.control.queue == []


def test_a_place_in_the_queue_ends(world: World) -> None:
    """After that the run is refused, and recorded as refused."""
    enter(world.services, world.request())
    waiter = Waiter(world.control.queue.clear)
    with pytest.raises(QueueExpired) as refusal:
        ask(world.services, world.request(origin="run-2"), waiter.patience)
    assert refusal.value.exit_code == 5


def test_an_interruption_leaves_the_queue(world: World) -> None:
    """Ctrl-C while waiting."""

    def stop() -> None:
        raise KeyboardInterrupt

    enter(world.services, world.request())
    with pytest.raises(KeyboardInterrupt):
        ask(world.services, world.request(origin="run-2"), Waiter(stop).patience)
    assert world.control.queue == []


def test_a_place_that_cannot_be_left_hides_nothing(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither why the run was refused nor that it got its lease; the place dies by itself."""

    def cut(_entry_id: int) -> None:
        raise DatabaseUnavailable("Cut.")

    monkeypatch.setattr(world.control, "leave_queue", cut)
    enter(world.services, world.request())
    with pytest.raises(LeaseHeld):
        enter(world.services, world.request(origin="run-2"))
    assert caplog.text.count("stays in the queue") == 2


@pytest.mark.parametrize("writers", [0, 1])
def test_those_who_still_write_under_a_lost_lease_are_ended(
    world: World, monkeypatch: pytest.MonkeyPatch, writers: int
) -> None:
    """Then the lease is had, though nobody waits; where there are none to be ended, the run is refused."""
    stopped = enter(world.services, world.request())
    world.tables.writers = writers
    acquire = world.control.acquire

    def acquired(*arguments: Any) -> Lease:
        if not world.tables.ended:
            raise LeaseHeld("Writers are at work.", holder="run-1", expires_in_seconds=0, token=stopped.lease.token)
        world.finished.add(stopped.run.origin)
        return acquire(*arguments)

    monkeypatch.setattr(world.control, "acquire", acquired)
    if writers:
        assert enter(world.services, world.request(origin="run-2")).lease.token > stopped.lease.token
    else:
        with pytest.raises(LeaseHeld):
            enter(world.services, world.request(origin="run-2"))
    assert world.tables.ended == [stopped.lease.token]


def test_no_more_runs_than_slots(world: World) -> None:
    """A third tenant of the environment is refused."""
    for number in range(RUNS_PER_ENVIRONMENT):
        other = Lease(uuid4(), "staging", uuid4(), f"other-{number}", number)
        world.control.leases[other.tenant_id, "staging"] = other
    with pytest.raises(ConcurrencyCap) as refusal:
        enter(world.services, world.request(origin="run-2"))
    assert refusal.value.exit_code == 3
