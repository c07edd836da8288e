"""Who asks again under a key gets the answer that was given, and nothing is started."""

import json
from collections.abc import Sequence

import pytest

from seed_pipelines.adapters.postgres.idempotency import Replay
from seed_pipelines.domain.plan import Shard
from seed_pipelines.errors import IdempotencyConflict, IdempotencyInProgress, OutsideWindow, RequestInvalid, SeedError
from seed_pipelines.seeding.answer import as_text, rehearsal_answer, stored_text
from seed_pipelines.seeding.ending import give_up
from seed_pipelines.seeding.generation import generate
from seed_pipelines.seeding.loading import load
from seed_pipelines.seeding.rehearsal import ask_to_rehearse, rehearse
from seed_pipelines.seeding.reporting import check_and_record
from seed_pipelines.seeding.sealing import finish
from seed_pipelines.seeding.seed_run import Session, ask, enter
from seed_pipelines.seeding.turn import Patience
from seed_pipelines_tests.worlds import TENANT, World, manifest

KEY = "nightly-2025-06-01"
NOON_HOUR = 12


def seeded(world: World, origin: str = "run-1", key: str | None = KEY) -> Session:
    """A run that went well, of everything."""
    return to_its_end(enter(world.services, world.request(origin=origin, idempotency_key=key)))


def to_its_end(session: Session) -> Session:
    """Do everything that a session is for."""
    finish(work(session))
    return session


def work(session: Session, shards: Sequence[Shard] | None = None) -> Session:
    """Generate, load and check the shards, by default all."""
    for shard in session.plan.shards if shards is None else shards:
        for entity in session.plan.entities_of(shard):
            generate(session, entity, shard)
        load(session, shard)
        check_and_record(session, shard)
    return session


def test_the_answer_is_repeated_byte_for_byte_and_nothing_is_started(world: World) -> None:
    """Neither a run, nor a lease, nor a question to Vault."""
    session = seeded(world)
    asked, runs = world.keys.asked, len(world.control.runs)
    replay = ask(world.services, world.request(origin="run-2", idempotency_key=KEY))
    assert isinstance(replay, Replay)
    assert replay.seed_run_id == session.run.seed_run_id
    assert replay.response == stored_text(session, None)
    assert (world.keys.asked, len(world.control.runs), world.control.leases) == (asked, runs, {})


def test_the_answer_says_what_landed(world: World) -> None:
    """Rows, roots, digest, checks, and which run it was."""
    session = seeded(world)
    answer = json.loads(stored_text(session, None))
    assert (answer["outcome"], answer["exit_code"], answer["problem"]) == ("seeded", 0, None)
    assert answer["rows"] == dict(session.plan.rows)
    assert answer["seed_run_id"] == str(session.run.seed_run_id)
    assert answer["idempotency_key"] == KEY
    assert answer["checks"]


def test_a_replay_comes_before_the_window(world: World) -> None:
    """An answer may be asked for at any hour; a new run may not be started."""
    seeded(world)
    world.now = world.now.replace(hour=NOON_HOUR)
    assert isinstance(ask(world.services, world.request(origin="run-2", idempotency_key=KEY)), Replay)
    with pytest.raises(OutsideWindow):
        ask(world.services, world.request(origin="run-3"))


def test_a_key_stands_for_one_manifest(world: World) -> None:
    """Whether its run is over or at work."""
    other = manifest(customers=101, in_catalogue=world.catalogue)
    enter(world.services, world.request(idempotency_key=KEY))
    with pytest.raises(IdempotencyConflict):
        enter(world.services, world.request(other, origin="run-2", idempotency_key=KEY))
    world.finished.add("run-1")
    seeded(world, "run-3")
    with pytest.raises(IdempotencyConflict) as refusal:
        enter(world.services, world.request(other, origin="run-2", idempotency_key=KEY))
    assert refusal.value.exit_code == 2


def test_a_key_whose_run_is_at_work_is_refused(world: World) -> None:
    """Before the queue; nothing is recorded for it."""
    enter(world.services, world.request(idempotency_key=KEY))
    with pytest.raises(IdempotencyInProgress) as refusal:
        enter(world.services, world.request(origin="run-2", idempotency_key=KEY))
    assert refusal.value.exit_code == 3
    assert world.control.find_run("run-2", TENANT.tenant_id, "staging", "default") is None


def test_who_waits_for_the_run_of_its_key_gets_its_answer(world: World) -> None:
    """As soon as there is one; nothing is started."""
    session = enter(world.services, world.request(idempotency_key=KEY))
    waited: list[SeedError] = []

    def waits(refusal: SeedError) -> bool:
        waited.append(refusal)
        to_its_end(session)
        return True

    patience = Patience(waits=waits)
    replay = ask(world.services, world.request(origin="run-2", idempotency_key=KEY), patience)
    assert isinstance(replay, Replay)
    assert [refusal.code for refusal in waited] == ["idempotency_in_progress"]
    assert world.control.find_run("run-2", TENANT.tenant_id, "staging", "default") is None


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt()])
def test_a_run_that_failed_or_was_stopped_leaves_its_key_free(world: World, error: BaseException) -> None:
    """Asking again under the key starts a run."""
    request = world.request(idempotency_key=KEY)
    enter(world.services, request)
    give_up(world.services, request, "default", error)
    assert isinstance(ask(world.services, world.request(origin="run-2", idempotency_key=KEY)), Session)


def test_a_run_that_crashed_is_not_repeated(world: World) -> None:
    """Its claim dies with its lease."""
    enter(world.services, world.request(idempotency_key=KEY))
    world.finished.add("run-1")
    assert isinstance(ask(world.services, world.request(origin="run-2", idempotency_key=KEY)), Session)


def test_without_a_key_the_hash_of_the_manifest_is_one(world: World) -> None:
    """Twice the same manifest is one run."""
    session = seeded(world, key=None)
    assert session.run.idempotency_key == f"seed-data:{session.manifest.integrity.manifest_hash}"
    assert isinstance(ask(world.services, world.request(origin="run-2", idempotency_key=None)), Replay)


def test_steps_of_one_origin_are_never_answered(world: World) -> None:
    """A run that enters again, after its own end too, is the run that holds the key."""
    first = seeded(world)
    again = enter(world.services, world.request(idempotency_key=None))
    assert again.run.seed_run_id == first.run.seed_run_id
    assert again.run.idempotency_key == KEY


def test_whoever_cannot_take_an_answer_is_told_to_use_another_key(world: World) -> None:
    """A Dagster run has nothing to do with an answer."""
    seeded(world)
    with pytest.raises(IdempotencyConflict, match="answered by seed run"):
        enter(world.services, world.request(origin="run-2", idempotency_key=KEY))


@pytest.mark.parametrize("key", ["", " ", "a\nb", " padded", "x" * 256])
def test_a_key_that_cannot_be_one_is_refused(world: World, key: str) -> None:
    """Before anything is looked up under it."""
    with pytest.raises(RequestInvalid, match="idempotency key"):
        enter(world.services, world.request(idempotency_key=key))


def test_a_dry_run_has_keys_of_its_own(world: World) -> None:
    """The answer to a seed run is none to a dry run, and a dry run's is repeated where a key was given."""
    seeded(world)
    request = world.request(origin="dry-1", idempotency_key=KEY)
    rehearsal = rehearse(world.services, request, str(world.directory / "dry"))
    text = as_text(rehearsal_answer(rehearsal, "dry"))
    world.control.record_answer(rehearsal.claim, TENANT.tenant_id, text)
    replay = ask_to_rehearse(world.services, world.request(origin="dry-2", idempotency_key=KEY), "elsewhere")
    assert isinstance(replay, Replay)
    assert replay.response == text
