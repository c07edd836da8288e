"""Dry runs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from seed_pipelines.domain.checks import CHECKS
from seed_pipelines.errors import RlsNotEnforced, VaultUnavailable
from seed_pipelines.seeding.generation import generate
from seed_pipelines.seeding.loading import load
from seed_pipelines.seeding.rehearsal import Rehearsal, rehearse
from seed_pipelines.seeding.rehearsal_report import rehearsal_report
from seed_pipelines.seeding.reporting import summarize
from seed_pipelines.seeding.seed_run import enter
from seed_pipelines_tests.worlds import World, catalogue, manifest


def rehearsed(world: World, output: Path) -> Rehearsal:
    return rehearse(world.services, world.request(), str(output))


def test_a_dry_run_checks_everything_at_any_hour_and_touches_nothing(world: World, tmp_path: Path) -> None:
    world.now = datetime(2025, 6, 1, 12, tzinfo=UTC)
    found = rehearsed(world, tmp_path / "out")
    assert found.passed
    assert {result.name for result in found.results} == set(CHECKS) - {"rls_enforced"}
    assert world.tables.rows == {}
    assert (world.control.runs, world.control.leases) == ({}, {})
    assert {Path(file.uri).is_relative_to(tmp_path / "out") for file in found.files} == {True}


@pytest.mark.parametrize("red", [False, True])
def test_a_dry_run_has_a_report_that_is_in_no_chain(world: World, tmp_path: Path, red: bool) -> None:
    """Of what its files hold; the audit checklist says what a dry run cannot answer."""
    request = world.request(origin="00000000-0000-4000-8000-000000000001")
    rehearsal = rehearse(world.services, request, str(tmp_path))
    if red:
        first, *others = rehearsal.results
        rehearsal = replace(rehearsal, results=(replace(first, passed=False), *others))
    report = rehearsal_report(world.services, request, rehearsal, world.now, world.now + timedelta(seconds=2))
    assert (report["operation"], report["verdict"]) == ("dry_run", "failed" if red else "succeeded")
    assert report["chain"] is None
    assert report["dataset_digest"] == rehearsal.digest
    assert report["checklist"]["failed"] == int(red)
    assert [problem["code"] for problem in report["errors"]] == ["checks_failed"] * red
    assert {volume["entity"]: volume["delivered"] for volume in report["volumes"]} == dict(rehearsal.rows)


def test_a_dry_run_finds_the_digest_of_the_real_run(world: World, tmp_path: Path) -> None:
    world.catalogue = catalogue(9_000)
    wanted = manifest(9_000, 10_800, in_catalogue=world.catalogue)
    found = rehearse(world.services, world.request(wanted), str(tmp_path / "out"))
    session = enter(world.services, world.request(wanted))
    for shard in session.plan.shards:
        for entity in session.plan.entities:
            generate(session, entity, shard)
        load(session, shard)
    assert found.digest == summarize(session).digest


def test_a_dry_run_needs_vault_and_row_level_security(world: World, tmp_path: Path) -> None:
    world.keys.sealed = True
    with pytest.raises(VaultUnavailable):
        rehearsed(world, tmp_path)
    world.tables.holes = ["a hole"]
    with pytest.raises(RlsNotEnforced):
        rehearsed(world, tmp_path)
