"""The staging manifest of tenant-a through `seed_data`: what lands, who sees it, and that it is the same every time."""

import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from seed_pipelines.local.paths import StackPaths
from seed_pipelines.local.s3_server import BUCKET
from seed_pipelines.local.stack import LocalStack, Purpose
from seed_pipelines_tests.e2e.conftest import PROJECT_DIR, RunningStack, running_stack, stack_directory
from seed_pipelines_tests.e2e.seeding.conftest import Reference
from seed_pipelines_tests.e2e.seeding.staging import (
    OVERRIDE,
    TENANT_A,
    TENANT_B,
    Staging,
    finish,
    volumetry,
    window,
    write_catalogue,
    write_manifest,
)

pytestmark = pytest.mark.e2e


def test_the_first_run(staging: Staging) -> None:
    """Rows under row level security, one Parquet file per entity, and tables of what was done, its rate and digest."""
    done = staging.seed(*OVERRIDE)
    assert done.exit_code == 0, done.stderr
    assert staging.visible_rows(TENANT_A) == (100, 120)
    assert staging.visible_rows(TENANT_B) == (0, 0)
    assert staging.visible_rows(None) == (0, 0)
    files = {path.parent.name: pq.read_metadata(path).num_rows for path in staging.data_dir.rglob("*.parquet")}
    assert files == {"customers": 100, "bank_accounts": 120}
    queued, first, *_ = done.stdout.splitlines()
    assert queued.startswith("queue_entry=")
    assert first == "manifest_hash=b1f913b2c48d3037fa2ee16a14fc23bee87a6b0cdcf1b8ebb9ecf4aa01c9e110"
    for text in ("rows planned", "rows landed", "rows/s", "digests_equal", "dataset digest"):
        assert text in done.stdout
    assert "FAILED" not in done.stdout


def test_the_same_every_time(staging: Staging, reference: Reference) -> None:
    """A second run leaves the very rows alone; one after rows were edited and deleted puts them right."""
    first = staging.seed("--json", *OVERRIDE)
    before = staging.contents()
    second = staging.seed("--json", *OVERRIDE)
    assert (first.exit_code, second.exit_code) == (0, 0), first.stderr + second.stderr
    assert len(second.outcome["digest"]) == 64
    assert second.outcome["digest"] == first.outcome["digest"] == reference.outcome["digest"]
    assert second.outcome["rows"] == {"customers": 100, "bank_accounts": 120}
    assert second.outcome["seed_run_id"] != first.outcome["seed_run_id"]
    assert staging.contents().tables == before.tables
    assert "left alone" in staging.materialization(second.outcome["dagster_run_id"], "database")

    with staging.superuser() as connection:
        connection.execute("UPDATE banking.customer SET full_name = 'Edited' WHERE email LIKE 'a%'")
        connection.execute("DELETE FROM banking.bank_account WHERE account_number LIKE '%7'")
    assert staging.rows_digest() != reference.rows
    third = staging.seed("--json", *OVERRIDE)
    assert third.exit_code == 0, third.stderr
    assert third.outcome["digest"] == reference.outcome["digest"]
    assert staging.rows_digest() == reference.rows


def test_another_stack_with_the_same_key_gives_the_same_rows(reference: Reference, key_file: Path) -> None:
    """`seed-data up --pii-key-file` elsewhere, found by its directory alone: the same digest, the same tables."""
    with stack_directory() as state_dir:
        program = str(Path(sys.executable).with_name("seed-data"))
        up = [program, "up", "--without-stubs", "--state-dir", str(state_dir), "--pii-key-file", str(key_file)]
        subprocess.run(up, check=True, capture_output=True, cwd=PROJECT_DIR)
        purpose = Purpose(PROJECT_DIR, PROJECT_DIR / "manifests", pii_key_file=key_file)
        stack = RunningStack(LocalStack(StackPaths.of(state_dir)), purpose)
        elsewhere = Staging(stack, {"SEED_STATE_DIR": str(state_dir)})
        done = elsewhere.seed("--json", *OVERRIDE)
        assert done.exit_code == 0, done.stderr
        assert elsewhere.rows_digest() == reference.rows
    assert done.outcome["digest"] == reference.outcome["digest"]
    assert done.outcome["dagster_run_id"] != reference.outcome["dagster_run_id"]


def test_another_key_gives_other_rows(seeded: Staging, reference: Reference) -> None:
    """What makes the comparison above worth something; and a run with it over the first rows is refused."""
    with running_stack() as stack:
        other = Staging.of(stack)
        done = other.seed("--json", *OVERRIDE)
        assert done.exit_code == 0, done.stderr
        assert done.outcome["digest"] != reference.outcome["digest"]
        assert other.rows_digest() != reference.rows
        refused = seeded.seed(
            *OVERRIDE,
            SEED_VAULT_ADDR=other.variables["SEED_VAULT_ADDR"],
            SEED_VAULT_TOKEN_FILE=other.variables["SEED_VAULT_TOKEN_FILE"],
        )
    assert refused.exit_code == 2, refused.stderr
    assert refused.problem["code"] == "masking_key_changed"


def test_another_number_of_shards_gives_the_same_digests(staging: Staging, tmp_path: Path) -> None:
    """Three shards over the one that was there: every shard is replaced, no row is doubled, no digest changes.

    The manifest's window is open, so the runs need no override.
    """
    manifest = write_manifest(tmp_path / "many.json", volumetry=volumetry(9_000, 10_800), window=window(-1, 1))
    digests = {}
    for rows_per_shard, shards in ((50_000, 1), (10_000, 3)):
        catalogue = write_catalogue(tmp_path / "catalogue.json", rows_per_shard)
        done = staging.seed("--json", "--manifest-path", manifest, SEED_CATALOGUE_FILE=str(catalogue))
        assert done.exit_code == 0, done.stderr
        assert (done.outcome["shards_loaded"], done.outcome["shards_planned"]) == (shards, shards)
        assert "window_overridden_because" not in done.outcome
        digests[shards] = (done.outcome["digest"], done.outcome["roots"], staging.rows_digest())
    assert staging.visible_rows(TENANT_A) == (9_000, 10_800)
    assert digests[1] == digests[3]


def test_without_a_manifest_file_a_minimal_baseline_runs(staging: Staging, tmp_path: Path) -> None:
    """In memory, with a warning that says so."""
    done = staging.seed("--json", "--manifest-path", tmp_path / "absent.yaml", *OVERRIDE)
    assert done.exit_code == 0, done.stderr
    assert "warning:" in done.stderr
    assert "absent.yaml does not exist" in done.stderr
    assert done.outcome["mode"] == "baseline"
    assert staging.visible_rows(TENANT_A) == (100, 120)
    assert list(tmp_path.iterdir()) == []


def test_rows_in_a_bucket_are_those_in_a_directory(staging: Staging, reference: Reference) -> None:
    """Parquet on S3: the same digests, and no file in the data directory."""
    done = staging.seed("--json", *OVERRIDE, SEED_DATA_URL=f"s3://{BUCKET}/data")
    assert done.exit_code == 0, done.stderr
    assert done.outcome["digest"] == reference.outcome["digest"]
    assert staging.rows_digest() == reference.rows
    assert staging.contents().files == {}
    listed = staging.stack.stack.s3.client().list_objects_v2(Bucket=BUCKET, Prefix="data/")
    assert [item["Key"] for item in listed["Contents"] if item["Size"]] == [
        "data/staging/tenant-a/default/bank_accounts/0000.parquet",
        "data/staging/tenant-a/default/customers/0000.parquet",
    ]


def test_a_second_run_is_refused_while_one_is_active(staging: Staging) -> None:
    """Exit 3 while the first stands still in the middle of its work; another tenant is not held up by it."""
    first = staging.start_stopped(*OVERRIDE)
    try:
        second = staging.seed(*OVERRIDE)
        other_tenant = staging.seed(*OVERRIDE, tenant=TENANT_B)
    finally:
        first.send_signal(signal.SIGCONT)
        ended = finish(first)
    assert second.exit_code == 3, second.stderr
    assert second.problem["code"] == "lease_held"
    assert second.problem["holder"]
    assert other_tenant.exit_code == 0, other_tenant.stderr
    assert ended.exit_code == 0, ended.stderr
    assert staging.visible_rows(TENANT_A) == (100, 120)
    assert staging.contents().tables["seed.lease"][0] == 0


class TestDryRun:
    def test_it_rehearses_the_run_at_any_hour_and_touches_nothing(
        self, seeded: Staging, reference: Reference, tmp_path: Path
    ) -> None:
        """Outside the window, over a loaded dataset: the digest of the real run, files in its own directory only."""
        output = tmp_path / "rehearsal"
        manifest = write_manifest(tmp_path / "later.json", window=window(2, 3))
        done = seeded.seed("--json", "--dry-run", "--output", output, "--manifest-path", manifest)
        assert done.exit_code == 0, done.stderr
        assert done.outcome["outcome"] == "dry run"
        assert done.outcome["rows"] == {"customers": 100, "bank_accounts": 120}
        assert all(check["passed"] for check in done.outcome["checks"])
        assert done.outcome["roots"] == reference.outcome["roots"]
        assert done.outcome["digest"] == reference.outcome["digest"]
        files = [str(path.relative_to(output)) for path in sorted(output.rglob("*.parquet"))]
        assert files == [f"staging/tenant-a/default/{name}/0000.parquet" for name in ("bank_accounts", "customers")]

    def test_it_passes_the_other_guards(self, seeded: Staging, tmp_path: Path) -> None:
        """A rehearsal of what would be refused is refused, and writes no file."""
        later = write_manifest(tmp_path / "later.json", reference_datetime="2025-02-01T00:00:00Z")
        refused = seeded.seed("--dry-run", "--output", tmp_path / "out", "--manifest-path", later)
        assert (refused.exit_code, refused.problem["code"]) == (2, "reference_datetime_drift")
        assert not (tmp_path / "out").exists()
