"""A run against the bucket, the chain and the log: each way to tamper with them is found, and named."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from seed_pipelines.adapters.evidence.stored_objects import ObjectLock
from seed_pipelines.adapters.postgres.reports import Report
from seed_pipelines.errors import (
    DatabaseUnavailable,
    EvidenceInvalid,
    Forbidden,
    RequestInvalid,
    TenantMismatch,
    TenantUnknown,
    VaultUnavailable,
    WormUnavailable,
)
from seed_pipelines.seeding.sealing import finish
from seed_pipelines.seeding.verification.findings import require_valid
from seed_pipelines.seeding.verification.run import Scope, verify_run, verify_sealed_envelope
from seed_pipelines_tests.fakes.evidence_bucket import RETAINED
from seed_pipelines_tests.seeding.verification.sealed_runs import SealedWorld, failed, flipped, results
from seed_pipelines_tests.worlds import CALLER, TENANT, reported

Tampering = Callable[[SealedWorld, tuple[Report, ...]], None]

EVERYTHING = (
    *("envelope", "signature", "statement", "checklist", "record"),
    *("sealed envelope", "sealed page", "retention", "other versions", "public key"),
    *("sealed reports", "database", "chain", "log heads", "log", "inclusion"),
)


@pytest.fixture
def runs(world: SealedWorld) -> tuple[Report, ...]:
    return tuple(world.run(f"run-{number}") for number in range(1, 4))


def test_every_run_of_a_good_chain_verifies(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    for report in runs:
        found = world.verified(report)
        assert results(found) == dict.fromkeys(EVERYTHING, "pass")
        assert found.about["sequence"] == report.sequence
        require_valid(found)


def test_a_run_is_found_by_its_dagster_run_too(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    found = verify_run(world.services, "staging", "run-2", CALLER)
    assert found.about["seed_run_id"] == str(runs[1].seed_run_id)


def test_without_the_chain_one_report_and_the_newest_head_are_opened(
    world: SealedWorld, runs: tuple[Report, ...]
) -> None:
    """What was done to another report is not seen then."""
    key = world.evidence(runs[2]).object_key
    world.bucket.objects[key] = flipped(world.bucket.objects[key])
    assert set(results(world.verified(runs[0], chain=False))) == set(EVERYTHING) - {
        "sealed reports",
        "database",
        "chain",
    }
    assert not world.verified(runs[0], chain=False).failures
    assert "chain" in failed(world.verified(runs[0]))


def flipped_object(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    key = world.evidence(runs[1]).object_key
    world.bucket.objects[key] = flipped(world.bucket.objects[key])


def flipped_page(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    key = world.evidence(runs[1]).page_key
    world.bucket.objects[key] = flipped(world.bucket.objects[key])


def lost_object(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    del world.bucket.objects[world.evidence(runs[1]).object_key]


def put_above(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    world.bucket.later[world.evidence(runs[1]).object_key] = [b"a nicer report"]


def deleted_above(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    world.bucket.later[world.evidence(runs[1]).page_key] = [None]


def weaker_lock(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    world.bucket.locks[world.evidence(runs[1]).object_key] = ObjectLock("GOVERNANCE", RETAINED)


def no_lock(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    world.bucket.locks[world.evidence(runs[1]).page_key] = None


def bare_public_key(world: SealedWorld, _: tuple[Report, ...]) -> None:
    (key,) = (key for key in world.bucket.objects if key.endswith(".pem"))
    world.bucket.locks[key] = None


def weaker_log_head(world: SealedWorld, _: tuple[Report, ...]) -> None:
    newest = max(key for key in world.bucket.objects if "/log/" in key)
    world.bucket.locks[newest] = ObjectLock("GOVERNANCE", RETAINED)


def shorter_lock(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    world.bucket.locks[world.evidence(runs[1]).page_key] = ObjectLock("COMPLIANCE", RETAINED - timedelta(days=2))


def other_public_key(world: SealedWorld, _: tuple[Report, ...]) -> None:
    (key,) = (key for key in world.bucket.objects if key.endswith(".pem"))
    world.bucket.objects[key] = b"another"


def flipped_in_the_database(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    key = (runs[1].seed_run_id, runs[1].attempt)
    world.reports.composed[key] = replace(runs[1], envelope=flipped(runs[1].envelope, 20))


def verdict_in_the_database(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    world.reports.composed[runs[1].seed_run_id, runs[1].attempt] = replace(runs[1], verdict="failed")


def removed_in_the_database(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    world.forget(runs[2])


def removed_in_the_bucket(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    del world.bucket.objects[world.evidence(runs[2]).object_key]


def removed_in_both(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    """The newest report: the signed head of the log alone knows that it was there."""
    removed_in_the_bucket(world, runs)
    world.forget(runs[2])


def removed_in_the_middle(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    del world.bucket.objects[world.evidence(runs[0]).object_key]
    world.forget(runs[0])


def swapped_objects(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    one, other = (world.evidence(report).object_key for report in runs[1:])
    objects = world.bucket.objects
    objects[one], objects[other] = objects[other], objects[one]


def swapped_in_the_database(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    one, other = runs[0], runs[2]
    for report, number in ((one, other), (other, one)):
        key = (report.seed_run_id, report.attempt)
        world.reports.composed[key] = replace(report, sequence=number.sequence, log_index=number.log_index)


def truncated_object(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    key = world.evidence(runs[1]).object_key
    world.bucket.objects[key] = world.bucket.objects[key][:-1]


def strange_object(world: SealedWorld, _: tuple[Report, ...]) -> None:
    world.bucket.objects["staging/tenant-a/reports/0000000004-notes.txt"] = b"x"


def forged_report(world: SealedWorld, _: tuple[Report, ...]) -> None:
    """One with a right name for its bytes, which nobody signed."""
    world.bucket.objects[f"staging/tenant-a/reports/0000000004-{'0' * 64}.dsse.json"] = b"{}"


def flipped_head(world: SealedWorld, _: tuple[Report, ...]) -> None:
    key = world.reports.checkpoints[0].object_key
    world.bucket.objects[key] = flipped(world.bucket.objects[key])


def lost_head(world: SealedWorld, _: tuple[Report, ...]) -> None:
    del world.bucket.objects[world.reports.checkpoints[-1].object_key]


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        (flipped_object, {"sealed envelope", "chain"}),
        (truncated_object, {"sealed envelope", "chain"}),
        (flipped_page, {"sealed page"}),
        (lost_object, {"sealed envelope", "database", "chain"}),
        (put_above, {"other versions"}),
        (deleted_above, {"other versions"}),
        (weaker_lock, {"retention"}),
        (shorter_lock, {"retention"}),
        (no_lock, {"retention"}),
        (bare_public_key, {"public key"}),
        (weaker_log_head, {"log heads"}),
        (other_public_key, {"public key"}),
        (flipped_in_the_database, {"envelope", "sealed envelope"}),
        (verdict_in_the_database, {"record"}),
        (removed_in_the_database, {"database", "chain", "log", "inclusion"}),
        (removed_in_the_bucket, {"database", "chain"}),
        (removed_in_both, {"log", "inclusion"}),
        (removed_in_the_middle, {"chain", "log", "inclusion"}),
        (swapped_objects, {"sealed envelope", "chain"}),
        (swapped_in_the_database, {"database", "chain", "log"}),
        (strange_object, {"sealed reports"}),
        (forged_report, {"database", "chain"}),
        (flipped_head, {"log heads"}),
        (lost_head, {"log heads"}),
    ],
)
def test_tampering_is_found_and_named(
    world: SealedWorld, runs: tuple[Report, ...], tampering: Tampering, found: set[str]
) -> None:
    tampering(world, runs)
    verification = world.verified(runs[1])
    assert set(failed(verification)) == found
    with pytest.raises(EvidenceInvalid) as refused:
        require_valid(verification)
    assert {it["what"] for it in refused.value.extensions["findings"]} == found


def test_a_version_with_the_same_bytes_is_no_tampering(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    """A server that ignores If-None-Match makes one when a put is repeated."""
    key = world.evidence(runs[1]).object_key
    world.bucket.later[key] = [runs[1].envelope]
    assert not world.verified(runs[1]).failures


def test_a_kept_envelope_proves_that_the_database_lost_its_report(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    """Of which the bucket still has it."""
    assert not verify_sealed_envelope(world.services, "staging", runs[2].envelope, CALLER).failures
    world.forget(runs[2])
    found = verify_sealed_envelope(world.services, "staging", runs[2].envelope, CALLER)
    assert set(failed(found)) == {"record", "database", "chain", "log", "inclusion"}
    assert results(found)["sealed envelope"] == "pass"


@pytest.mark.usefixtures("runs")
def test_an_envelope_of_another_history_is_refused(world: SealedWorld) -> None:
    """One that the same key signed with a number that another report has."""
    other = SealedWorld(world.directory, signer=world.signer)
    kept = other.run("run-elsewhere")
    found = verify_sealed_envelope(world.services, "staging", kept.envelope, CALLER)
    assert {"record", "sealed envelope"} <= set(failed(found))


@pytest.mark.usefixtures("runs")
def test_a_report_that_waits_is_verified_by_what_the_database_has(world: SealedWorld) -> None:
    session = world.begin("run-4")
    world.bucket.away = True
    with pytest.raises(WormUnavailable):
        finish(session)
    world.bucket.away = False
    waiting = reported(session)
    found = world.verified(waiting)
    assert not found.failures
    assert results(found)["sealed envelope"] == "not_applicable"
    assert results(found)["inclusion"] == "not_applicable"
    assert results(found)["chain"] == "pass"


def test_a_run_that_ends_while_the_bucket_is_listed_is_no_tampering(
    world: SealedWorld, runs: tuple[Report, ...]
) -> None:
    bucket, listed = world.bucket, world.bucket.versions
    ended: list[Report] = []

    def late(prefix: str):  # type: ignore[no-untyped-def]  # the port's own type
        if prefix.endswith("/reports/") and not ended:
            ended.append(world.run("run-late"))
        return listed(prefix)

    bucket.versions = late  # type: ignore[method-assign]  # the moment cannot be hit otherwise
    assert not world.verified(runs[1]).failures
    assert ended


@pytest.mark.usefixtures("runs")
def test_keys_that_somebody_holds_are_trusted_in_place_of_transit(world: SealedWorld) -> None:
    """So that Vault need not be asked, and its keys need not be believed."""
    pems = tuple(key.pem for key in world.signer.public_keys())
    world.signer.sealed = True
    assert not verify_run(world.services, "staging", "run-1", CALLER, pems=pems).failures
    with pytest.raises(VaultUnavailable):
        verify_run(world.services, "staging", "run-1", CALLER)


def test_what_is_away_is_no_finding(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    world.bucket.away = True
    with pytest.raises(WormUnavailable):
        world.verified(runs[0])
    world.bucket.away = False
    world.control.away = True
    with pytest.raises(DatabaseUnavailable):
        world.verified(runs[0])


def test_only_who_may_read_the_tenant_verifies(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    """The answer is on record either way."""
    world.control.granted = frozenset({"seed-read"})
    assert not world.verified(runs[0]).failures
    world.control.granted = frozenset()
    with pytest.raises(Forbidden):
        world.verified(runs[0])
    with pytest.raises(Forbidden):
        verify_sealed_envelope(world.services, "staging", runs[0].envelope, CALLER)
    assert [decision.problem_code for decision in world.control.decisions if decision.action == "read"][
        -1
    ] == "forbidden"


def test_what_does_not_exist_is_said(world: SealedWorld, runs: tuple[Report, ...]) -> None:
    with pytest.raises(RequestInvalid, match="No report of run-9"):
        verify_run(world.services, "staging", "run-9", CALLER)
    with pytest.raises(RequestInvalid, match="attempt 2"):
        verify_run(world.services, "staging", "run-1", CALLER, attempt=2)
    with pytest.raises(TenantMismatch):
        verify_run(world.services, "dev", "run-1", CALLER)
    world.control.tenants = ()
    with pytest.raises(TenantUnknown):
        verify_sealed_envelope(world.services, "staging", runs[0].envelope, CALLER, scope=Scope(chain=False))
    assert TENANT.slug == "tenant-a"
