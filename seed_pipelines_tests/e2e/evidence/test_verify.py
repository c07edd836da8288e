"""`seed-data verify` on a real stack: what was sealed verifies, and whatever is changed afterwards is named."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, LiteralString

import pytest
from psycopg import sql

from seed_pipelines_tests.e2e.conftest import PROJECT_DIR, RunningStack
from seed_pipelines_tests.e2e.seeding.staging import OVERRIDE, TENANT_B, Finished, Staging, volumetry, write_manifest

pytestmark = pytest.mark.e2e

TOOLS: Final = ("bash", "curl", "jq", "openssl", "base64", "sha256sum")


SEAL_HEAD: Final = """
from seed_pipelines.orchestration.instance import dagster_instance
from seed_pipelines.orchestration.resources import SeedingFromSettings
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.seeding.outbox import seal_checkpoint
seal_checkpoint(SeedingFromSettings(Settings()).services("staging", dagster_instance()), "staging")
"""
"""What the sensor does after each report."""


@dataclass(frozen=True)
class Sealed:
    """Staging with two runs of tenant-a, whose reports are sealed; the second one's rows are loaded."""

    staging: Staging
    first: str
    """Its seed run."""
    last: str
    last_dagster_run: str

    def verify(self, *arguments: str, **variables: str) -> Finished:
        """Run `seed-data verify --json` to its end."""
        process = self.staging.start_program(["seed-data", "verify", *arguments, "--json"], **variables)
        stdout, stderr = process.communicate(timeout=180)
        return Finished(process.returncode, stdout, stderr)

    def here(self, run: str, *arguments: str) -> Finished:
        """Verify a run in staging."""
        return self.verify(run, "--environment", "staging", *arguments)

    def row(self, query: LiteralString, **values: object) -> Any:
        """The first column of the first row of a query, seen by a superuser."""
        with self.staging.superuser() as connection:
            found = connection.execute(statement(query, **values).encode()).fetchone()
        assert found is not None, query
        return found[0]

    @property
    def envelope(self) -> bytes:
        """The envelope of the last run, by the database."""
        return bytes(self.row("SELECT envelope FROM seed.report WHERE seed_run_id = {run}", run=self.last))

    @property
    def object_key(self) -> str:
        """Where it is sealed."""
        return str(self.row("SELECT object_key FROM seed.evidence WHERE seed_run_id = {run}", run=self.last))

    @contextmanager
    def changed(self, change: str, undo: str, table: str | None = None) -> Iterator[None]:
        """Change the database as a superuser would, for whom even `append_only` is no obstacle, and change it back."""
        guard = "ALTER TABLE {} {} TRIGGER append_only"
        around = [guard.format(table, word) for word in ("DISABLE", "ENABLE")] if table else ["SELECT 1", "SELECT 1"]
        with self.staging.changed(";".join((around[0], change, around[1])), ";".join((around[0], undo, around[1]))):
            yield


@pytest.fixture(scope="module")
def sealed(local_stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    """Two runs, of which the second replaces the rows of the first."""
    staging = Staging.of(local_stack)
    smaller = write_manifest(tmp_path_factory.mktemp("manifest") / "smaller.json", volumetry=volumetry(40, 50))
    first = staging.seed("--json", "--manifest-path", smaller, *OVERRIDE)
    assert first.exit_code == 0, first.stderr
    last = staging.seed("--json", *OVERRIDE)
    assert last.exit_code == 0, last.stderr
    head = staging.run("python", "-c", SEAL_HEAD)
    assert head.exit_code == 0, head.stderr
    return Sealed(staging, first.outcome["seed_run_id"], last.outcome["seed_run_id"], last.outcome["dagster_run_id"])


def found(done: Finished) -> Mapping[str, str]:
    """What was looked at -> the result."""
    return {finding["what"]: finding["result"] for finding in json.loads(done.stdout)["findings"]}


def failures(done: Finished) -> set[str]:
    """What the problem on stderr says to have failed."""
    assert done.exit_code == 2, done.stderr
    assert done.problem["code"] == "evidence_invalid"
    return {finding["what"] for finding in done.problem["findings"]}


def test_a_sealed_run_verifies_with_its_rows(sealed: Sealed) -> None:
    """By the id of its seed run or of its Dagster run."""
    for run in (sealed.last, sealed.last_dagster_run):
        done = sealed.here(run, "--rows")
        assert done.exit_code == 0, done.stderr
        assert done.outcome["report"]["seed_run_id"] == sealed.last
        assert {"sealed envelope", "chain", "log", "inclusion", "public key", "rows of customers"} <= {
            what for what, result in found(done).items() if result == "pass"
        }
        assert "fail" not in found(done).values()


def test_a_replaced_run_verifies_and_says_where_its_rows_went(sealed: Sealed) -> None:
    """Nothing of it is called tampering."""
    done = sealed.here(sealed.first, "--rows")
    assert done.exit_code == 0, done.stderr
    assert found(done)["dataset"] == "not_applicable"


def test_one_changed_letter_of_one_row_is_named(sealed: Sealed) -> None:
    """Table, id and column on stderr, both values in the output alone."""
    row_id = sealed.row("SELECT id FROM banking.customer ORDER BY id OFFSET 17 LIMIT 1")
    email = sealed.row("SELECT email FROM banking.customer WHERE id = {id}", id=row_id)
    update: LiteralString = "UPDATE banking.customer SET email = {email} WHERE id = {id}"
    with sealed.changed(statement(update, email="z" + email[1:], id=row_id), statement(update, email=email, id=row_id)):
        done = sealed.here(sealed.last, "--rows")
    assert failures(done) == {"rows of customers"}
    assert done.problem["table"] == "banking.customer"
    assert done.problem["row_id"] == str(row_id)
    assert done.problem["columns"] == ["email"]
    assert email not in done.stderr
    different = done.outcome["first_different_row"]
    assert (different["made"]["email"], different["stored"]["email"]) == (email, "z" + email[1:])
    assert sealed.here(sealed.last, "--rows").exit_code == 0


def test_a_deleted_row_is_named(sealed: Sealed) -> None:
    account = sealed.row("SELECT id FROM banking.bank_account ORDER BY id OFFSET 3 LIMIT 1")
    lose = statement(
        "CREATE TABLE kept AS SELECT * FROM banking.bank_account WHERE id = {id};"
        " DELETE FROM banking.bank_account WHERE id = {id}",
        id=account,
    )
    with sealed.changed(lose, "INSERT INTO banking.bank_account SELECT * FROM kept; DROP TABLE kept"):
        done = sealed.here(sealed.last, "--rows")
    assert failures(done) == {"rows of bank_accounts"}
    assert done.outcome["first_different_row"]["id"] == str(account)
    assert done.outcome["first_different_row"]["stored"] is None


def test_an_envelope_changed_in_the_database_is_found(sealed: Sealed) -> None:
    """By its own form, and by the bucket, which has the bytes that were sealed."""
    flip = statement(
        "UPDATE seed.report SET envelope = set_byte(envelope, 100, get_byte(envelope, 100) # 1),"
        " sha256 = encode(sha256(set_byte(envelope, 100, get_byte(envelope, 100) # 1)), 'hex') WHERE seed_run_id = {run}",
        run=sealed.last,
    )
    with sealed.changed(flip, flip, table="seed.report"):
        done = sealed.here(sealed.last)
    assert {"signature", "sealed envelope", "database", "chain"} & failures(done) >= {"sealed envelope", "database"}


def test_a_report_that_the_database_lost_is_found(sealed: Sealed, tmp_path: Path) -> None:
    """The chain of the bucket is longer; and who kept the envelope can show that it was there."""
    envelope = tmp_path / "kept.json"
    envelope.write_bytes(sealed.envelope)
    lose = statement(
        "CREATE TABLE kept_report AS SELECT * FROM seed.report WHERE seed_run_id = {run};"
        " CREATE TABLE kept_evidence AS SELECT * FROM seed.evidence WHERE seed_run_id = {run};"
        " ALTER TABLE seed.evidence DISABLE TRIGGER append_only;"
        " DELETE FROM seed.evidence WHERE seed_run_id = {run};"
        " DELETE FROM seed.report WHERE seed_run_id = {run}",
        run=sealed.last,
    )
    restore = "; ".join(
        (
            "INSERT INTO seed.report SELECT * FROM kept_report",
            "INSERT INTO seed.evidence SELECT * FROM kept_evidence",
            "ALTER TABLE seed.evidence ENABLE TRIGGER append_only",
            "DROP TABLE kept_report, kept_evidence",
        )
    )
    with sealed.changed(lose, restore, table="seed.report"):
        assert {"database", "chain"} <= failures(sealed.here(sealed.first))
        done = sealed.verify(str(envelope), "--environment", "staging")
        assert {"record", "database"} <= failures(done)
        assert found(done)["sealed envelope"] == "pass"
    assert sealed.verify(str(envelope), "--environment", "staging").exit_code == 0


def test_what_is_put_above_a_sealed_version_is_named(sealed: Sealed) -> None:
    """A later version and a delete marker; the sealed version still verifies. Both are taken away again."""
    s3 = sealed.staging.stack.stack.s3.client()
    bucket = "seed-evidence"
    key = sealed.object_key
    above = s3.put_object(Bucket=bucket, Key=key, Body=b"a nicer report")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key=key)["VersionId"]
    try:
        done = sealed.here(sealed.last)
        assert failures(done) == {"other versions"}
        assert above in done.problem["detail"]
        assert marker in done.problem["detail"]
        assert found(done)["sealed envelope"] == "pass"
    finally:
        for version in (marker, above):
            s3.delete_object(Bucket=bucket, Key=key, VersionId=version)
    assert sealed.here(sealed.last).exit_code == 0


@pytest.mark.parametrize("mode", [None, "GOVERNANCE"])
def test_a_version_that_can_be_deleted_is_named(sealed: Sealed, mode: str | None) -> None:
    """The database is made to point at a copy with the right bytes, without a lock or with one that can be lifted."""
    s3, key = sealed.staging.stack.stack.s3.client(), sealed.object_key
    until = sealed.row("SELECT retain_until FROM seed.evidence WHERE seed_run_id = {run}", run=sealed.last)
    pinned = sealed.row("SELECT version_id FROM seed.evidence WHERE seed_run_id = {run}", run=sealed.last)
    lock = {} if mode is None else {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": until}
    copy = s3.put_object(Bucket="seed-evidence", Key=key, Body=sealed.envelope, **lock)["VersionId"]
    point: LiteralString = "UPDATE seed.evidence SET version_id = {version} WHERE seed_run_id = {run}"
    try:
        change, undo = (statement(point, version=version, run=sealed.last) for version in (copy, pinned))
        with sealed.changed(change, undo, table="seed.evidence"):
            done = sealed.here(sealed.last)
        assert failures(done) == {"retention"}
        (finding,) = done.problem["findings"]
        assert (finding["key"], finding["version_id"]) == (key, copy)
        assert ("not locked" if mode is None else f"locked in {mode}") in done.problem["detail"]
    finally:
        s3.delete_object(Bucket="seed-evidence", Key=key, VersionId=copy, BypassGovernanceRetention=True)
    assert sealed.here(sealed.last).exit_code == 0


def test_an_envelope_and_a_pem_need_nothing_else(sealed: Sealed, tmp_path: Path) -> None:
    """No variables, no servers; a flipped bit is `evidence_invalid`."""
    kept = sealed.envelope
    envelope, pem = tmp_path / "envelope.json", tmp_path / "key.pem"
    envelope.write_bytes(kept)
    s3 = sealed.staging.stack.stack.s3.client()
    (key,) = s3.list_objects_v2(Bucket="seed-evidence", Prefix="staging/keys/")["Contents"]
    pem.write_bytes(s3.get_object(Bucket="seed-evidence", Key=key["Key"])["Body"].read())
    command = [str(Path(sys.executable).with_name("seed-data")), "verify", str(envelope), "--public-key", str(pem)]
    alone = {"PATH": os.defpath, "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=alone)
    assert done.returncode == 0, done.stderr
    assert "verified" in done.stdout
    envelope.write_bytes(kept[:200] + bytes([kept[200] ^ 1]) + kept[201:])
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=alone)
    assert done.returncode == 2
    assert json.loads(done.stderr)["code"] == "evidence_invalid"


def test_who_may_not_read_the_tenant_may_not_verify(sealed: Sealed) -> None:
    taken = "UPDATE seed.role_grant SET subject = 'was_' || subject"
    with sealed.changed(taken, "UPDATE seed.role_grant SET subject = substr(subject, 5)"):
        done = sealed.here(sealed.last)
    assert done.exit_code == 6, done.stdout
    assert done.problem["code"] == "forbidden"


def test_a_purged_dataset_is_said_to_be_so(sealed: Sealed) -> None:
    """By the record of its removal, without which it is a finding."""
    done = sealed.staging.seed("--json", *OVERRIDE, tenant=TENANT_B)
    assert done.exit_code == 0, done.stderr
    purge = ["seed-data", "purge", "--tenant-id", str(TENANT_B), "--environment", "staging", "--yes"]
    assert sealed.staging.run(*purge).exit_code == 0
    run = done.outcome["seed_run_id"]
    purged = sealed.here(run, "--rows")
    assert purged.exit_code == 0, purged.stderr
    assert found(purged)["dataset"] == "not_applicable"
    with sealed.staging.superuser() as connection:
        connection.execute("DELETE FROM seed.dataset_removal")
    assert failures(sealed.here(run, "--rows")) == {"dataset"}


def test_the_page_for_auditors_runs_as_it_stands(sealed: Sealed, tmp_path: Path) -> None:
    """Each shell block of docs/audit.md, one after another, and then the lines of Python."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} are not on this machine")
    page = (PROJECT_DIR / "docs" / "audit.md").read_text(encoding="utf-8")
    script = tmp_path / "audit.sh"
    script.write_text("set -euo pipefail\n" + "\n".join((*blocks(page, "sh"), *blocks(page, "bash"))))
    variables = {
        **sealed.staging.variables,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "RUN_ID": sealed.last,
        "REPORT_KEY": sealed.object_key,
        "NO_PROXY": "127.0.0.1",
    }
    done = subprocess.run(
        ["bash", str(script)], capture_output=True, text=True, check=False, cwd=tmp_path, env=variables, timeout=300
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    for line in ("Verified OK", "COMPLIANCE", "the chain is whole"):
        assert line in done.stdout
    python = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks(page, "python"))],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert python.returncode == 0, python.stderr
    listed = "grep '\\.dsse\\.json$')"
    lines = "\n".join((*blocks(page, "sh"), *blocks(page, "bash")))
    assert lines.count(listed) == 1
    script.write_text(lines.replace(listed, f"{listed[:-1]} | tail -n +2)"))
    broken = subprocess.run(
        ["bash", str(script)], capture_output=True, text=True, check=False, cwd=tmp_path, env=variables, timeout=300
    )
    assert "FAILED: report 1: its number, and what is before it" in broken.stdout
    assert "the chain is whole" not in broken.stdout
    flipped = bytearray((tmp_path / "envelope.json").read_bytes())
    flipped[60] ^= 1
    (tmp_path / "envelope.json").write_bytes(flipped)
    signature = "\n".join(block for block in blocks(page, "bash") if "-verify" in block)
    refused = subprocess.run(
        ["bash", "-c", "set -euo pipefail\n" + signature], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert refused.returncode != 0


def statement(text: LiteralString, **values: object) -> str:
    """A statement with values in it, for a connection that takes several at once."""
    return sql.SQL(text).format(**{name: sql.Literal(value) for name, value in values.items()}).as_string()


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in a language, in their order."""
    return [part.split("```")[0] for part in page.split(f"```{language}\n")[1:]]
