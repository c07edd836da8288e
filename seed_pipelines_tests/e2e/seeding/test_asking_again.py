"""Asking again under a key, asking at the same time, and waiting for one's turn, with the real command."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from seed_pipelines_tests.e2e.seeding.staging import (
    NO_KEY,
    OVERRIDE,
    TENANT_A,
    Staging,
    finish,
    volumetry,
    write_manifest,
)
from seed_pipelines_tests.e2e.seeding.test_refusals import assert_refused

pytestmark = pytest.mark.e2e


@contextmanager
def stopped(staging: Staging, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
    """A run that holds the lease and stands still; it is killed at the end, unless it is over."""
    process = staging.start_stopped(*arguments, *OVERRIDE)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def recorded_runs(staging: Staging) -> int:
    """Seed runs in the database."""
    with staging.superuser() as connection:
        return int((connection.execute("SELECT count(*) FROM seed.seed_run").fetchone() or (-1,))[0])


class TestAnswer:
    @pytest.mark.parametrize("key", [("--idempotency-key", "nightly"), (NO_KEY,)], ids=["given", "fallback"])
    def test_is_repeated_byte_for_byte_and_nothing_is_started(self, staging: Staging, key: tuple[str, ...]) -> None:
        """Whether a key was given or the manifest's hash is the key; no row, file or run changes."""
        first = staging.seed(*key, "--json", *OVERRIDE)
        assert first.exit_code == 0, first.stderr
        contents, runs = staging.contents(), recorded_runs(staging)
        again = staging.seed(*key, "--json")
        assert (again.exit_code, again.stdout, again.stderr) == (0, first.stdout, "")
        told = staging.seed(*key)
        assert "nothing was started" in told.stdout
        assert first.outcome["digest"] in told.stdout
        assert (staging.contents(), recorded_runs(staging)) == (contents, runs)

    def test_another_manifest_under_the_key_is_a_conflict(self, staging: Staging, tmp_path: Path) -> None:
        """Exit 2; the first stays the one that was seeded."""
        assert staging.seed("--idempotency-key", "nightly", *OVERRIDE).exit_code == 0
        other = write_manifest(tmp_path / "other.json", volumetry=volumetry(101, 120))
        refused = staging.seed("--idempotency-key", "nightly", "--manifest-path", other, *OVERRIDE)
        problem = assert_refused(refused, 2, "idempotency_conflict")
        assert problem["status"] == 409

    def test_seeding_another_manifest_and_then_the_first_again_does_seed_it(
        self, staging: Staging, tmp_path: Path
    ) -> None:
        """The hash of a manifest stands for an answer only as long as that is what is loaded."""
        before = staging.seed(NO_KEY, "--json", *OVERRIDE).outcome
        other = write_manifest(tmp_path / "other.json", volumetry=volumetry(101, 120))
        assert staging.seed(NO_KEY, "--manifest-path", other, *OVERRIDE).exit_code == 0
        after = staging.seed(NO_KEY, "--json", *OVERRIDE).outcome
        assert after["seed_run_id"] != before["seed_run_id"]
        assert after["digest"] == before["digest"]
        assert staging.visible_rows(TENANT_A) == (100, 120)

    def test_of_a_dry_run_is_repeated_where_a_key_was_given(self, staging: Staging, tmp_path: Path) -> None:
        """And made anew where none was."""
        first, again, anew = (
            staging.seed("--dry-run", "--json", "--output", tmp_path / name, *key)
            for name, key in (
                ("first", ("--idempotency-key", "ci")),
                ("again", ("--idempotency-key", "ci")),
                ("anew", (NO_KEY,)),
            )
        )
        assert (first.exit_code, again.stdout) == (0, first.stdout)
        assert json.loads(anew.stdout)["directory"] == str(tmp_path / "anew")
        assert not (tmp_path / "again").exists()


class TestAtOnce:
    def test_the_key_of_a_run_at_work_is_refused(self, staging: Staging) -> None:
        """Exit 3, and the run that is at work goes on."""
        with stopped(staging, "--idempotency-key", "nightly") as process:
            refused = staging.seed("--idempotency-key", "nightly", *OVERRIDE)
            assert_refused(refused, 3, "idempotency_in_progress")
            process.send_signal(signal.SIGCONT)
            assert finish(process).exit_code == 0

    def test_a_third_run_in_the_environment_is_refused(self, staging: Staging) -> None:
        """Two other tenants are being seeded: exit 3, and nothing of the third is left behind."""
        with staging.superuser() as connection:
            for slot in (1, 2):
                tenant = connection.execute(
                    "INSERT INTO seed.tenant VALUES (gen_random_uuid(), %s) RETURNING tenant_id", [f"busy-{slot}"]
                ).fetchone()
                connection.execute(
                    "INSERT INTO seed.lease (tenant_id, environment, token, seed_run_id, holder, slot, acquired_at,"
                    " expires_at) VALUES (%s, 'staging', nextval('seed.fencing_token'), gen_random_uuid(), %s, %s,"
                    " now(), now() + interval '1 hour')",
                    [*(tenant or ()), str(uuid4()), slot],
                )
        try:
            assert_refused(staging.seed(*OVERRIDE), 3, "concurrency_cap")
        finally:
            with staging.superuser() as connection:
                left = connection.execute("SELECT count(*) FROM seed.queue_entry").fetchone()
                connection.execute("DELETE FROM seed.lease")
                connection.execute("DELETE FROM seed.tenant WHERE slug LIKE 'busy-%'")
        assert left == (0,)

    def test_a_run_that_waits_is_served_when_the_lease_is_free(self, staging: Staging) -> None:
        """It says why it waits, and goes on by itself."""
        with stopped(staging) as process:
            waiting = staging.start("--wait", *OVERRIDE)
            assert waiting.stderr is not None
            assert waiting.stderr.readline().startswith("waiting: Dagster run")
            process.send_signal(signal.SIGCONT)
            assert finish(process).exit_code == 0
            served = finish(waiting)
        assert served.exit_code == 0, served.stderr
        assert served.stdout.startswith("queue_entry=")

    def test_a_run_that_waits_for_another_with_its_key_is_answered(self, staging: Staging) -> None:
        """It starts nothing when that one is done."""
        key = ("--idempotency-key", "nightly")
        with stopped(staging, *key) as process:
            waiting = staging.start("--wait", *key, *OVERRIDE)
            assert waiting.stderr is not None
            assert "is at work under the key" in waiting.stderr.readline()
            process.send_signal(signal.SIGCONT)
            assert finish(process).exit_code == 0
            answered = finish(waiting)
        assert answered.exit_code == 0, answered.stderr
        assert "nothing was started" in answered.stdout
        assert recorded_runs(staging) == 1

    def test_ctrl_c_while_waiting_leaves_no_entry(self, staging: Staging) -> None:
        """Exit 130; the run that holds the lease is not touched."""
        with stopped(staging) as process:
            waiting = staging.start("--wait", *OVERRIDE)
            assert waiting.stderr is not None
            waiting.stderr.readline()
            waiting.send_signal(signal.SIGINT)
            assert_refused(finish(waiting), 130, "interrupted")
            with staging.superuser() as connection:
                assert connection.execute("SELECT count(*) FROM seed.queue_entry").fetchone() == (0,)
            process.send_signal(signal.SIGCONT)
            assert finish(process).exit_code == 0
