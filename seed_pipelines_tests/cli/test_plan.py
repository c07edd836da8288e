"""`seed-data plan`, without a database and without Vault."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from seed_pipelines.cli import main
from seed_pipelines_tests.manifest_examples import example, sealed

BUDGET = {"cost_cap_brl": 0.1, "error_budget_pct": 1}


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No local stack and no settings of whoever runs the tests."""
    for name in ("SEED_DATABASE_URL", "SEED_CONTROL_DATABASE_URL", "SEED_DATA_URL", "SEED_CATALOGUE_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SEED_STATE_DIR", str(tmp_path / "no-stack"))


def written(path: Path, **changes: Any) -> Path:
    """A sealed manifest of tenant-a in staging; `changes` replace top-level members."""
    path.write_text(yaml.safe_dump(sealed({**example(), **changes})))
    return path


def printed(*arguments: str | Path) -> str:
    result = CliRunner().invoke(main, ["plan", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def planned(*arguments: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(printed(*arguments, "--json"))
    return found


def test_a_plan_says_what_a_run_would_ask_write_and_cost(tmp_path: Path) -> None:
    """Rows of each entity, requests by whom they go to, bytes, and reais by the cost model; no cap where there is none."""
    found = planned(written(tmp_path / "a.yaml"))
    assert found["rows"] == {"customers": 100, "bank_accounts": 120}
    assert found["requests"] == {"vault_transit": 9, "parquet_files": 0, "application_stubs": 0}
    assert found["estimated_bytes"] > 10_000
    assert found["cost"] == {
        "model": "v1",
        "total_brl": "0.009167",
        "cap_brl": None,
        "share_of_cap_pct": None,
        "within_cap": True,
    }


def test_files_in_a_bucket_have_requests_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three for a small file; they are paid for."""
    manifest = written(tmp_path / "a.yaml")
    before = planned(manifest)["cost"]["total_brl"]
    monkeypatch.setenv("SEED_DATA_URL", "s3://bucket/prefix")
    found = planned(manifest)
    assert found["requests"]["parquet_files"] == 6
    assert found["cost"]["total_brl"] > before


def test_the_cost_is_held_against_the_cap(tmp_path: Path) -> None:
    """As a share of it; a plan that costs more says that it would be refused."""
    manifest = written(tmp_path / "a.yaml", budget=BUDGET)
    cost = planned(manifest)["cost"]
    assert (cost["cap_brl"], cost["share_of_cap_pct"], cost["within_cap"]) == ("0.1", "9.17", True)
    assert "9.17 % of the cap of 0.1 BRL" in printed(manifest)
    tight = written(tmp_path / "b.yaml", budget={**BUDGET, "cost_cap_brl": 0.001})
    assert planned(tight)["cost"]["within_cap"] is False
    assert "budget_exceeded" in printed(tight)


def test_the_window_and_its_next_opening_are_named(tmp_path: Path) -> None:
    """In UTC."""
    found = planned(written(tmp_path / "a.yaml", window={"start_utc": "23:30", "end_utc": "04:00"}))
    assert found["window"] == "23:30 to 04:00 UTC"
    assert found["window_opens_next_at"].endswith("T23:30:00+00:00")


@pytest.mark.parametrize(
    ("name", "value"), [("tenant", "tenant-b"), ("environment", "homolog"), ("profile", "regression")]
)
def test_another_dataset_is_not_compared_without_a_warning(tmp_path: Path, name: str, value: str) -> None:
    """Every row differs, and why is said."""
    here = written(tmp_path / "a.yaml")
    there = written(tmp_path / "b.yaml", metadata={**example()["metadata"], name: value})
    found = planned(here, "--against", there)
    assert f"{name} {value} against {example()['metadata'][name]}" in found["warning"]
    assert {change["unchanged"] for change in found["changes"].values()} == {0}
    assert "every row differs" in printed(here, "--against", there)


def test_another_state_of_the_dataset_is_compared_without_a_word(tmp_path: Path) -> None:
    """Three customers more are three rows more."""
    here = written(tmp_path / "a.yaml", volumetry={"customers": {"cap": 103}, "bank_accounts": {"cap": 120}})
    found = planned(here, "--against", written(tmp_path / "b.yaml"))
    assert found["warning"] is None
    assert (found["changes"]["customers"]["added"], found["changes"]["customers"]["unchanged"]) == (3, 100)
    assert "warning" not in printed(here, "--against", written(tmp_path / "b.yaml"))
