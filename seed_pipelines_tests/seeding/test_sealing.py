"""Every run that ends has one signed report, and none has succeeded before it is sealed."""

import json
from dataclasses import replace

import pytest

from seed_pipelines.domain.evidence.chain import START, verify_chain
from seed_pipelines.domain.evidence.envelope import open_envelope, payload_of
from seed_pipelines.domain.evidence.log import read_checkpoint
from seed_pipelines.domain.evidence.object_keys import report_object
from seed_pipelines.domain.evidence.report import link_of
from seed_pipelines.domain.evidence.statement import read_report
from seed_pipelines.errors import EvidenceInvalid, LeaseLost, VaultUnavailable, WormUnavailable
from seed_pipelines.seeding.budget import charge_generation, charge_keys
from seed_pipelines.seeding.ending import abandon, give_up
from seed_pipelines.seeding.generation import generate
from seed_pipelines.seeding.outbox import probe, report_ended_runs, seal_checkpoint, seal_ended, seal_waiting
from seed_pipelines.seeding.sealing import finish
from seed_pipelines.seeding.seed_run import Session, enter
from seed_pipelines_tests.seeding.test_answer import work
from seed_pipelines_tests.worlds import TENANT, World, catalogue, manifest, reported


def worked(world: World, origin: str = "run-1") -> Session:
    """A run whose work is done."""
    return work(enter(world.services, world.request(origin=origin)))


def status(world: World, session: Session) -> str:
    """How the run stands in the database."""
    return world.control.runs[session.run.seed_run_id].status


def test_a_run_has_succeeded_once_its_report_is_sealed(world: World) -> None:
    """Its lease goes with it, and where the report is stands in the index."""
    session = worked(world)
    found = finish(session)
    assert status(world, session) == "succeeded"
    assert world.control.leases == {}
    assert world.bucket.objects[found.evidence.object_key] == found.report.envelope
    assert world.bucket.objects[found.evidence.page_key] == found.report.page
    assert world.reports.outbox == {}


def test_the_sealed_report_is_signed_and_says_what_landed(world: World) -> None:
    """By a key that is published beside it."""
    session = worked(world)
    found = finish(session)
    opened = open_envelope(found.report.envelope, world.signer.public_keys())
    report = read_report(opened.statement)
    assert report["verdict"] == "succeeded"
    assert {v["entity"]: v["delivered"] for v in report["volumes"]} == dict(session.plan.rows)
    assert report["checklist"]["failed"] == 0
    assert report["manifest"] == session.manifest.document
    assert report["fencing_token"] == session.lease.token
    (key,) = (key for key in world.bucket.objects if key.endswith(".pem"))
    assert world.bucket.objects[key].decode() == world.signer.public_keys()[0].pem


def test_the_report_says_how_long_each_step_took(world: World) -> None:
    """By the ledger and the checks; its time is no part of the dataset's digest."""
    session = enter(world.services, world.request())
    (customers, *_), (shard, *_) = session.plan.entities, session.plan.shards
    charge_keys(session, shard)
    charge_generation(session, customers, shard, generate(session, customers, shard), 1.5)
    report = read_report(payload_of(finish(work(session)).report.envelope))
    made, checked = report["steps"]
    rows = shard.rows[customers.name]
    assert made == {"step": "generate", "entity": customers.name, "shards": 1, "rows": rows, "seconds": 1.5}
    assert (checked["step"], checked["shards"]) == ("check", len(session.plan.shards))
    assert checked["rows"] == sum(shard.total_rows for shard in session.plan.shards)
    assert checked["seconds"] > 0


def test_the_answer_names_the_report(world: World) -> None:
    """So that whoever asked can find it."""
    session = worked(world)
    found = finish(session)
    answer = json.loads(world.control.answer_of(session.run) or "")
    assert answer["report"] == {
        "sequence": 1,
        "sha256": found.report.sha256,
        "object_key": found.evidence.object_key,
    }


def test_a_bucket_that_is_away_leaves_a_run_sealing_and_the_next_try_seals_the_same_bytes(world: World) -> None:
    """Two signatures of one text differ: nothing is signed twice."""
    session = worked(world)
    world.bucket.away = True
    with pytest.raises(WormUnavailable):
        finish(session)
    assert status(world, session) == "sealing"
    (composed,) = world.reports.composed.values()
    world.bucket.away = False
    assert finish(session).report == composed
    assert status(world, session) == "succeeded"


def test_a_run_that_died_while_its_report_waited_is_ended_by_the_sensor(world: World) -> None:
    """And answers the key it was asked for with."""
    session = worked(world)
    reported(session)
    world.control.leases.clear()
    (attempt,) = seal_waiting(world.services, "staging")
    assert attempt.evidence is not None
    assert status(world, session) == "succeeded"
    assert world.control.answer_of(session.run)


def test_past_its_deadline_a_run_has_failed_and_its_report_is_sealed_all_the_same(world: World) -> None:
    """Late evidence is evidence; late success is none."""
    session = worked(world)
    reported(session)
    world.bucket.away, world.reports.overdue = True, True
    (attempt,) = seal_waiting(world.services, "staging")
    assert attempt.problem is not None
    assert attempt.problem["code"] == "worm_unavailable"
    assert attempt.is_overdue
    assert status(world, session) == "failed"
    world.bucket.away = False
    (attempt,) = seal_waiting(world.services, "staging")
    assert attempt.evidence is not None
    assert status(world, session) == "failed"


@pytest.mark.parametrize(("error", "verdict"), [(RuntimeError("broken"), "failed"), (KeyboardInterrupt(), "aborted")])
def test_runs_that_failed_or_were_stopped_are_reported_too(world: World, error: BaseException, verdict: str) -> None:
    """Once, however often is asked."""
    abandon(enter(world.services, world.request()), error)
    for _ in range(2):
        assert report_ended_runs(world.services, "staging") == {}
        seal_waiting(world.services, "staging")
    (report,) = world.reports.composed.values()
    assert report.verdict == verdict
    assert world.reports.index.keys() == world.reports.composed.keys()


def test_a_run_that_was_refused_before_it_began_is_not_reported(world: World) -> None:
    """It held no lease: the refusal stands in the database."""
    request = world.request()
    world.tables.away = True
    with pytest.raises(Exception, match="away") as refusal:
        enter(world.services, request)
    give_up(world.services, request, "default", refusal.value)
    report_ended_runs(world.services, "staging")
    assert world.reports.composed == {}


def test_a_run_that_fell_silent_is_ended_and_reported(world: World) -> None:
    """Its process died without a word, and its lease ran out."""
    session = enter(world.services, world.request())
    world.control.leases.clear()
    report_ended_runs(world.services, "staging")
    assert status(world, session) == "aborted"
    (report,) = world.reports.composed.values()
    assert report.verdict == "aborted"


def test_a_backfill_may_fall_silent_between_its_runs(world: World) -> None:
    """Until Dagster says that it is over."""
    session = enter(world.services, world.request(origin="backfill:nightly"))
    world.control.leases.clear()
    report_ended_runs(world.services, "staging")
    assert status(world, session) == "running"
    world.finished.add("backfill:nightly")
    report_ended_runs(world.services, "staging")
    assert status(world, session) == "aborted"


def test_a_run_that_is_begun_anew_has_a_report_of_each_attempt(world: World) -> None:
    """The first says that it failed, the second that it succeeded."""
    abandon(enter(world.services, world.request()), RuntimeError("broken"))
    report_ended_runs(world.services, "staging")
    finish(worked(world))
    assert [(report.attempt, report.verdict) for report in world.reports.composed.values()] == [
        (1, "failed"),
        (2, "succeeded"),
    ]


def test_reports_form_a_chain(world: World) -> None:
    """Each names the one before it."""
    for number in range(3):
        finish(worked(world, f"run-{number}"))
    links = []
    for report in world.reports.composed.values():
        opened = open_envelope(report.envelope, world.signer.public_keys())
        links.append(link_of(opened, read_report(opened.statement)))
    assert verify_chain(links, after=START).sequence == 3
    with pytest.raises(EvidenceInvalid, match="missing"):
        verify_chain([links[0], links[2]], after=START)


def test_one_report_that_cannot_be_sealed_keeps_the_head_of_the_log_back_and_not_the_others(world: World) -> None:
    """The log is signed up to the first report that is not sealed, and once it is, over all of them."""
    for number in range(3):
        abandon(enter(world.services, world.request(origin=f"run-{number}")), RuntimeError("broken"))
    report_ended_runs(world.services, "staging")
    first = next(iter(world.reports.composed.values()))
    taken = report_object("staging", "tenant-a", first.sequence, first.sha256) + ".dsse.json"
    world.bucket.objects[taken] = b"somebody else's"
    attempts = seal_waiting(world.services, "staging")
    assert [attempt.evidence is None for attempt in attempts] == [True, False, False]
    assert world.reports.checkpoints == []
    del world.bucket.objects[taken]
    seal_waiting(world.services, "staging")
    (checkpoint,) = world.reports.checkpoints
    opened = open_envelope(world.bucket.objects[checkpoint.object_key], world.signer.public_keys())
    head = read_checkpoint(opened.statement)
    assert (head.environment, head.tree_size, head.root) == ("staging", 3, checkpoint.root)
    assert seal_checkpoint(world.services, "staging") is None


def test_a_run_without_its_lease_cannot_end_well(world: World) -> None:
    """Another took over: its report is not composed."""
    session = worked(world)
    world.control.leases[TENANT.tenant_id, "staging"] = replace(session.lease, token=session.lease.token + 1)
    with pytest.raises(LeaseLost):
        finish(session)
    assert world.reports.composed == {}


def test_a_run_of_some_shards_is_partial(world: World) -> None:
    """Whatever others have loaded."""
    world.catalogue = catalogue(rows_per_shard=10_000)
    wanted = manifest(12_000, 14_000, in_catalogue=world.catalogue)
    session = enter(world.services, world.request(wanted))
    found = finish(work(session, session.plan.shards[:1]))
    assert found.report.verdict == "partial"
    assert status(world, session) == "partial"


def test_nothing_begins_where_nothing_could_be_sealed(world: World) -> None:
    """Neither without the bucket nor without the key that signs."""
    world.bucket.away = True
    with pytest.raises(WormUnavailable) as refusal:
        enter(world.services, world.request())
    assert refusal.value.exit_code == 4
    assert world.control.runs == {}
    world.bucket.away, world.signer.sealed = False, True
    with pytest.raises(VaultUnavailable):
        enter(world.services, world.request())
    assert world.control.runs == {}


def test_a_step_of_a_run_that_began_does_not_probe_again(world: World) -> None:
    """Every step enters its run."""
    for _ in range(3):
        enter(world.services, world.request())
    assert world.bucket.probes == 1


class TestSensorAlone:
    """Where only the sensor may write into the bucket."""

    @pytest.fixture(autouse=True)
    def _alone(self, world: World) -> None:
        world.seal_by, world.seal_deadline_seconds = "sensor", 0.2

    def test_what_it_last_found_of_the_bucket_counts(self, world: World) -> None:
        """Nothing yet, too long ago, or a problem: nothing begins."""
        with pytest.raises(WormUnavailable, match="nothing of it yet"):
            enter(world.services, world.request())
        probe(world.services, "staging")
        enter(world.services, world.request())
        assert world.reports.probe is not None
        world.reports.probe = replace(world.reports.probe, age_seconds=301)
        with pytest.raises(WormUnavailable, match="301 s ago"):
            enter(world.services, world.request(origin="run-2"))
        world.bucket.away = True
        with pytest.raises(WormUnavailable):
            probe(world.services, "staging")
        with pytest.raises(WormUnavailable, match="The sensor that seals says: The fake bucket is away"):
            enter(world.services, world.request(origin="run-2"))

    def test_a_run_waits_for_it(self, world: World) -> None:
        """And has succeeded when it comes back."""
        probe(world.services, "staging")
        session = worked(world)
        reported(session)
        seal_waiting(world.services, "staging")
        assert finish(session).evidence in world.reports.index.values()
        assert status(world, session) == "succeeded"

    def test_a_run_does_not_wait_for_ever(self, world: World) -> None:
        """Nor does it write into the bucket itself."""
        probe(world.services, "staging")
        session = worked(world)
        with pytest.raises(WormUnavailable, match="did not seal"):
            finish(session)
        assert seal_ended(world.services, session.run) is None
        assert world.bucket.asked == []


def test_a_report_whose_key_transit_no_longer_shows_is_not_sealed(world: World) -> None:
    """Nobody could verify it."""
    session = worked(world)
    reported(session)
    world.signer = type(world.signer)()
    (attempt,) = seal_waiting(world.services, "staging")
    assert attempt.problem is not None
    assert attempt.problem["code"] == "evidence_invalid"
    assert status(world, session) == "sealing"
