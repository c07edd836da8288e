"""`seed-data doctor` on a seeded stack: quiet where it is sound, and clear about what is open; a run says the same."""

import json
import re

import pytest

from seed_pipelines_tests.e2e.seeding.staging import OVERRIDE, TENANT_A, Finished, Staging, finish

pytestmark = pytest.mark.e2e

FEWEST_RELATIONS = 20
OPEN_VIEW = (
    "CREATE VIEW banking.overdrawn AS SELECT * FROM banking.bank_account WHERE balance < 0;"
    " GRANT SELECT ON banking.overdrawn TO seed_loader"
)


def doctor(staging: Staging, *arguments: str) -> Finished:
    """What the command says of staging."""
    return finish(staging.start_program(["seed-data", "doctor", "--environment", "staging", *arguments]))


def test_a_sound_database_is_left_as_it_was(seeded: Staging) -> None:
    """Exit 0, with how many relations and attacks there were; not a row is touched."""
    done = doctor(seeded)
    assert done.exit_code == 0, done.stderr
    summary = re.search(r"staging: no hole in (\d+) relations after ([\d,]+) attacks", done.stdout)
    assert summary is not None
    assert int(summary[1]) >= FEWEST_RELATIONS
    assert "banking.financial_transaction" in done.stdout
    assert "No row was there to come back from banking.account_category" in done.stdout


def test_a_hole_is_named_with_its_cure(seeded: Staging) -> None:
    """Exit 6, a table for people, Problem Details for machines; the cure closes it."""
    with seeded.changed(OPEN_VIEW, "DROP VIEW banking.overdrawn"):
        found, as_json = doctor(seeded), doctor(seeded, "--json", "--tenant-id", str(TENANT_A))
        cure = "ALTER VIEW banking.overdrawn SET (security_invoker = true)"
        with seeded.superuser() as connection:
            connection.execute(cure.encode())
        cured = doctor(seeded)
    assert found.exit_code == as_json.exit_code == 6
    assert cure in found.stdout
    assert found.problem["code"] == "rls_not_enforced"
    assert {finding["relation"] for finding in found.problem["findings"]} == {"banking.overdrawn"}
    (diagnosis,) = json.loads(as_json.stdout)
    assert diagnosis["victim"] == "tenant-a"
    assert any("rows of another tenant came back" in hole["finding"] for hole in diagnosis["holes"])
    assert cured.exit_code == 0, cured.stdout


def test_a_hole_stops_a_run_before_its_report(staging: Staging) -> None:
    """The check `rls_enforced` is red, although the seeded tables themselves hold."""
    with staging.changed(OPEN_VIEW, "DROP VIEW banking.overdrawn"):
        done = staging.seed("--json", *OVERRIDE)
    assert done.exit_code == 2, done.stderr
    assert done.problem["code"] == "checks_failed"
    assert {check["name"] for check in done.outcome["checks"] if not check["passed"]} == {"rls_enforced"}


def test_one_tenant_or_all(staging: Staging) -> None:
    """Both at once are a mistake."""
    refused = doctor(staging, "--all", "--tenant-id", str(TENANT_A))
    assert (refused.exit_code, refused.problem["code"]) == (2, "request_invalid")
