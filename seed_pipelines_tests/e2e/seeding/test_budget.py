"""The budget of a run with the real database: what stops, what landed, what is charged, and the run after it."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines_tests.e2e.seeding.staging import OVERRIDE, TENANT_A, Staging, finish, volumetry, write_manifest

pytestmark = pytest.mark.e2e

BY_THE_BYTE = {"brl_per_thousand_rows": "0", "brl_per_thousand_requests": "0", "brl_per_gib_written": str(2**30)}
"""A real for each byte of Parquet files, of which a plan knows only estimates."""


def budgeted(path: Path, cap: float) -> Path:
    """The staging manifest of tenant-a at its caps, with a budget."""
    budget = {"cost_cap_brl": cap, "error_budget_pct": 1}
    return write_manifest(path, volumetry=volumetry(500, 600), budget=budget)


def plan(staging: Staging, manifest: Path, **variables: str) -> dict[str, Any]:
    done = finish(staging.start_program(["seed-data", "plan", str(manifest), "--json"], **variables))
    assert done.exit_code == 0, done.stderr
    return done.outcome


def ledger(staging: Staging) -> dict[str, tuple[int, Decimal]]:
    """Piece -> rows and reais of the newest seed run."""
    with staging.superuser() as connection:
        return {
            piece: (rows, cost)
            for piece, rows, cost in connection.execute(
                "SELECT piece, rows, cost_brl FROM seed.budget_entry WHERE seed_run_id ="
                " (SELECT seed_run_id FROM seed.seed_run ORDER BY started_at DESC LIMIT 1) ORDER BY recorded_at"
            )
        }


def test_a_plan_above_its_cap_is_refused(seeded: Staging, tmp_path: Path) -> None:
    """Exit 5, before anything is drawn or entered."""
    refused = seeded.seed("--manifest-path", budgeted(tmp_path / "tiny.json", 0.01), *OVERRIDE)
    assert (refused.exit_code, refused.problem["code"], refused.problem["status"]) == (5, "budget_exceeded", 429)
    assert refused.stdout == ""


def test_a_run_that_turns_out_dearer_stops_before_the_piece_that_exceeds_its_cap(
    staging: Staging, tmp_path: Path
) -> None:
    """Nothing landed, the lease is free, what was done is charged; a run with a larger cap goes through."""
    packaged = Catalogue.packaged().model_dump(mode="json")
    catalogue = tmp_path / "catalogue.json"
    catalogue.write_text(json.dumps(packaged | {"cost_models": {"newest": "b", "models": {"b": BY_THE_BYTE}}}))
    planned = Decimal(
        plan(staging, budgeted(tmp_path / "free.json", 10**9), SEED_CATALOGUE_FILE=str(catalogue))["cost"]["total_brl"]
    )
    exact = budgeted(tmp_path / "exact.json", float(planned))
    stopped = staging.seed("--json", "--manifest-path", exact, *OVERRIDE, SEED_CATALOGUE_FILE=str(catalogue))
    assert stopped.exit_code == 5, stopped.stderr
    assert (stopped.problem["code"], stopped.problem["piece"]) == ("budget_exceeded", "generate/bank_accounts/0000")
    assert stopped.outcome["cost_brl"] == stopped.problem["spent_brl"]
    assert list(ledger(staging)) == ["masking_keys/0000", "generate/customers/0000"]
    assert staging.visible_rows(TENANT_A) == (0, 0)
    assert [path.name for path in (staging.data_dir / "staging/tenant-a/default").iterdir()] == ["customers"]
    with staging.superuser() as connection:
        assert connection.execute("SELECT count(*) FROM seed.lease").fetchone() == (0,)
        assert connection.execute("SELECT status, problem ->> 'code' FROM seed.seed_run").fetchall() == [
            ("failed", "budget_exceeded")
        ]

    larger = budgeted(tmp_path / "larger.json", float(2 * planned))
    done = staging.seed("--json", "--manifest-path", larger, *OVERRIDE, SEED_CATALOGUE_FILE=str(catalogue))
    assert done.exit_code == 0, done.stderr
    assert staging.visible_rows(TENANT_A) == (500, 600)
    entries = ledger(staging)
    assert {piece: rows for piece, (rows, _) in entries.items()} == {
        "masking_keys/0000": 0,
        "generate/customers/0000": 500,
        "generate/bank_accounts/0000": 600,
        "load/0000": 1_100,
    }
    assert Decimal(done.outcome["cost_brl"]) == sum(cost for _, cost in entries.values())
    with staging.superuser() as connection:
        report = connection.execute("SELECT report -> 'budget' ->> 'cost_brl' FROM seed.shard_report").fetchone()
    assert report == (done.outcome["cost_brl"],)


def test_a_plan_knows_how_long_a_run_takes_once_there_was_one(staging: Staging, tmp_path: Path) -> None:
    """Before that it says that there was none."""
    manifest = write_manifest(tmp_path / "plain.json")
    assert plan(staging, manifest)["duration"] == {
        "seconds": None,
        "unknown_because": "no past run in this environment",
    }
    assert staging.seed("--manifest-path", manifest, *OVERRIDE).exit_code == 0
    known = plan(staging, manifest)["duration"]
    assert known["seconds"] > 0
    assert known["past_pieces"] == 4
    assert known["most_stretched"] == 1
    with staging.superuser() as connection:
        (whole,) = connection.execute(
            "SELECT extract(epoch FROM ended_at - started_at) FROM seed.seed_run"
        ).fetchone() or (0,)
    assert known["seconds"] == pytest.approx(float(whole), abs=0.2)
