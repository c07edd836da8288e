"""Every refusal of `seed_data`: its exit code, its Problem Details on stderr, and nothing touched."""

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from seed_pipelines_tests.e2e.conftest import PROJECT_DIR
from seed_pipelines_tests.e2e.seeding.staging import (
    OVERRIDE,
    STAGING_MANIFEST,
    TENANT_A,
    Finished,
    Staging,
    await_lease,
    finish,
    window,
    write_manifest,
)
from seed_pipelines_tests.manifest_examples import changed, example

pytestmark = pytest.mark.e2e

WHICH = ("--tenant-id", str(TENANT_A), "--environment", "staging")
REVOKE_ALL = f"DELETE FROM seed.role_grant WHERE subject = 'seed_operator' AND tenant_id = '{TENANT_A}'"  # noqa: S608  # a constant
RESTORE_ALL = (
    "INSERT INTO seed.role_grant (subject, role, tenant_id, environment)"  # noqa: S608  # a constant
    f" SELECT 'seed_operator', role, '{TENANT_A}', 'staging' FROM (VALUES ('seed-admin'), ('seed-runner'), ('seed-read'))"
    " AS roles (role)"
)


def assert_refused(finished: Finished, exit_code: int, code: str) -> dict[str, Any]:
    """The command refused for this reason, in the form of RFC 9457."""
    assert finished.exit_code == exit_code, finished.stderr
    problem = finished.problem
    assert problem["code"] == code
    assert problem["exit_code"] == exit_code
    assert problem["type"] == f"urn:seed-pipelines:problem:{code}"
    assert {"title", "status", "detail"} <= problem.keys()
    assert "Traceback" not in finished.stderr
    assert re.fullmatch(r"(queue_entry=\d+\n)?", finished.stdout)
    return problem


class TestManifest:
    def test_tampered(self, seeded: Staging, tmp_path: Path) -> None:
        """A cap changed after sealing: exit 2, with the hash that the content has."""
        tampered = tmp_path / "tampered.json"
        tampered.write_text(json.dumps(changed(example(), "/volumetry/customers/cap", 99)))
        refused = seeded.seed("--manifest-path", tampered, *OVERRIDE)
        assert_refused(refused, 2, "manifest_hash_mismatch")

    def test_broken(self, seeded: Staging, tmp_path: Path) -> None:
        """Not a manifest at all: exit 2, with every issue."""
        broken = tmp_path / "broken.yaml"
        broken.write_text("metadata: {tenant: tenant-a}\nsurprise: 1\n")
        problem = assert_refused(seeded.seed("--manifest-path", broken, *OVERRIDE), 2, "manifest_invalid")
        assert "/surprise" in {issue["pointer"] for issue in problem["issues"]}

    def test_other_mode(self, seeded: Staging) -> None:
        """`--mode` contradicts the manifest: exit 2."""
        problem = assert_refused(seeded.seed("--mode", "carga", *OVERRIDE), 2, "tenant_mismatch")
        assert problem["manifest"] == {"mode": "baseline"}

    def test_other_tenant(self, seeded: Staging) -> None:
        """The manifest of tenant-b for the id of tenant-a: exit 2."""
        of_b = PROJECT_DIR / "manifests/staging/tenant-b.yaml"
        problem = assert_refused(seeded.seed("--manifest-path", of_b, *OVERRIDE), 2, "tenant_mismatch")
        assert problem["manifest"] == {"tenant": "tenant-b"}

    def test_reference_datetime_drift(self, seeded: Staging, tmp_path: Path) -> None:
        """Another reference_datetime than the loaded dataset's: exit 2."""
        later = write_manifest(tmp_path / "later.json", reference_datetime="2025-02-01T00:00:00Z")
        problem = assert_refused(seeded.seed("--manifest-path", later, *OVERRIDE), 2, "reference_datetime_drift")
        assert problem["loaded"].startswith("2025-01-01")

    def test_other_salt_version(self, seeded: Staging, tmp_path: Path) -> None:
        """Another salt_version than the loaded dataset's: exit 2, and Vault is not even asked for that key."""
        salted = write_manifest(tmp_path / "salted.json", metadata={**example()["metadata"], "salt_version": "v2"})
        assert_refused(seeded.seed("--manifest-path", salted, *OVERRIDE), 2, "masking_key_changed")


class TestOutbound:
    @pytest.mark.parametrize("options", [OVERRIDE, ("--dry-run",)], ids=["run", "dry run"])
    def test_a_real_address_in_the_manifest(self, seeded: Staging, tmp_path: Path, options: tuple[str, ...]) -> None:
        """Exit 2 before anything is queued, with the member that names it, whatever else it names."""
        real = {"kyc": "http://127.0.0.1:4010", "pagamentos": "https://api.pagamentos.example"}
        outward = write_manifest(tmp_path / "outward.json", integrations=real)
        problem = assert_refused(seeded.seed("--manifest-path", outward, *options), 2, "external_calls_blocked")
        assert (problem["status"], problem["endpoint"]) == (503, "integrations.pagamentos")
        with seeded.superuser() as connection:
            assert connection.execute("SELECT count(*) FROM seed.queue_entry").fetchone() == (0,)

    def test_a_real_address_in_the_environment(self, seeded: Staging) -> None:
        """Exit 2, with the variable, and without the credentials that stand in it."""
        refused = seeded.seed(*OVERRIDE, SEED_KYC_URL="http://ana:secret@localhost:4010")
        assert assert_refused(refused, 2, "external_calls_blocked")["endpoint"] == "SEED_KYC_URL"
        assert "secret" not in refused.stderr


class TestWindow:
    def test_outside(self, seeded: Staging, tmp_path: Path) -> None:
        """A window that opens in two hours, and no override: exit 5, with the time it opens."""
        later = write_manifest(tmp_path / "later.json", window=window(2, 3))
        problem = assert_refused(seeded.seed("--manifest-path", later), 5, "outside_window")
        assert problem["opens_at"][11:16] == json.loads(later.read_text())["window"]["start_utc"]

    def test_an_override_needs_a_reason(self, seeded: Staging, tmp_path: Path) -> None:
        """Blanks are none: exit 2."""
        later = write_manifest(tmp_path / "later.json", window=window(2, 3))
        refused = seeded.seed("--manifest-path", later, "--override-window", " ")
        assert_refused(refused, 2, "request_invalid")


class TestIsolation:
    def test_tenant_removed(self, seeded: Staging) -> None:
        """The tenant is no longer registered: exit 6."""
        tenant = f"tenant_id = '{TENANT_A}'"
        without_checks = "SET session_replication_role = replica"
        remove = f"{without_checks}; DELETE FROM seed.tenant WHERE {tenant}"  # noqa: S608  # a constant
        restore = f"{without_checks}; INSERT INTO seed.tenant VALUES ('{TENANT_A}', 'tenant-a')"  # noqa: S608  # same
        with seeded.changed(remove, restore):
            refused = seeded.seed(*OVERRIDE)
        assert_refused(refused, 6, "tenant_unknown")

    @pytest.mark.parametrize(
        ("change", "undo"),
        [
            pytest.param(
                "DROP POLICY tenant ON banking.bank_account",
                "CREATE POLICY tenant ON banking.bank_account TO seed_loader"
                " USING (tenant_id = (SELECT seed.current_tenant()))"
                " WITH CHECK (tenant_id = (SELECT seed.current_tenant()))",
                id="policy dropped",
            ),
            pytest.param(
                "ALTER TABLE banking.customer NO FORCE ROW LEVEL SECURITY",
                "ALTER TABLE banking.customer FORCE ROW LEVEL SECURITY",
                id="FORCE removed",
            ),
            pytest.param(
                "ALTER TABLE banking.customer DISABLE ROW LEVEL SECURITY",
                "ALTER TABLE banking.customer ENABLE ROW LEVEL SECURITY",
                id="row level security disabled",
            ),
            pytest.param(
                "CREATE POLICY hole ON banking.customer FOR INSERT TO seed_loader WITH CHECK (true)",
                "DROP POLICY hole ON banking.customer",
                id="policy that lets another tenant's row in",
            ),
        ],
    )
    def test_row_security_not_enforced(self, seeded: Staging, change: str, undo: str) -> None:
        """Exit 6, naming the hole."""
        with seeded.changed(change, undo):
            refused = seeded.seed(*OVERRIDE)
        problem = assert_refused(refused, 6, "rls_not_enforced")
        assert problem["holes"]

    def test_role_revoked(self, seeded: Staging) -> None:
        """Without a role nothing of the tenant is changed or shown, whatever is claimed: exit 6, each refusal on record."""
        before = len(seeded.refusals())
        with seeded.changed(REVOKE_ALL, RESTORE_ALL):
            refused = seeded.seed("--role", "seed-admin", *OVERRIDE)
            others = [
                seeded.seed(*OVERRIDE),
                seeded.seed("--dry-run"),
                seeded.run("seed-data", "plan", str(STAGING_MANIFEST), "--applied"),
                seeded.run("seed-data", "purge", *WHICH, "--dry-run"),
                seeded.run("seed-data", "purge", *WHICH, "--yes", "--json"),
            ]
        assert assert_refused(refused, 6, "forbidden")["claimed"] == ["seed-admin"]
        for other in others:
            assert_refused(other, 6, "forbidden")
        asked_for = [action for _, action, code in seeded.refusals()[before:] if code == "forbidden"]
        assert asked_for == ["seed", "seed", "dry_run", "read", "read", "read"]

    def test_a_claim_that_was_not_granted(self, seeded: Staging) -> None:
        """Refused even where another role would do: exit 6."""
        revoke = REVOKE_ALL + " AND role = 'seed-read'"
        restore = RESTORE_ALL.replace(" ('seed-admin'), ('seed-runner'),", "")
        with seeded.changed(revoke, restore):
            problem = assert_refused(
                seeded.seed("--role", "seed-admin", "--role", "seed-read", *OVERRIDE), 6, "forbidden"
            )
        assert (problem["subject"], problem["claimed"]) == ("seed_operator", ["seed-read"])

    def test_who_claims_less_may_less(self, seeded: Staging) -> None:
        """A runner overrides no window, a reader does not seed, though more is granted: exit 6."""
        problem = assert_refused(seeded.seed("--role", "seed-runner", *OVERRIDE), 6, "forbidden")
        assert problem["required"] == ["seed-admin"]
        assert seeded.refusals()[-1] == ("seed_operator", "override_window", "forbidden")
        assert_refused(seeded.seed("--dry-run", SEED_ROLES="seed-read"), 6, "forbidden")

    def test_a_role_that_does_not_exist(self, seeded: Staging) -> None:
        """Exit 2."""
        assert_refused(seeded.seed("--role", "root", *OVERRIDE), 2, "request_invalid")


class TestDependencies:
    def test_vault_sealed(self, seeded: Staging) -> None:
        """Exit 4."""
        with seeded.vault_sealed():
            refused = seeded.seed(*OVERRIDE)
        problem = assert_refused(refused, 4, "vault_unavailable")
        assert "sealed" in problem["detail"]

    def test_vault_away(self, seeded: Staging) -> None:
        """Exit 4."""
        with seeded.vault_away():
            refused = seeded.seed(*OVERRIDE)
        assert_refused(refused, 4, "vault_unavailable")

    def test_postgres_away(self, seeded: Staging) -> None:
        """Exit 4."""
        with seeded.postgres_away():
            refused = seeded.seed(*OVERRIDE)
        assert_refused(refused, 4, "database_unavailable")

    def test_stack_down(self, seeded: Staging, tmp_path: Path) -> None:
        """Without a database of one's own and without the local stack: exit 4, with the command that starts it."""
        process = seeded.start(
            *OVERRIDE, SEED_DATABASE_URL="", SEED_CONTROL_DATABASE_URL="", SEED_STATE_DIR=str(tmp_path / "none")
        )
        stdout, stderr = process.communicate(timeout=180)
        problem = assert_refused(Finished(process.returncode, stdout, stderr), 4, "stack_unavailable")
        assert "seed-data up" in problem["detail"]


def test_the_manifest_of_these_tests_is_the_canonical_one() -> None:
    """The example that tests change is the file that `make run` seeds."""
    assert example()["integrity"]["manifest_hash"] in STAGING_MANIFEST.read_text()


class TestInterruption:
    @pytest.mark.parametrize(
        ("sent", "steps"),
        [(signal.SIGINT, 0), (signal.SIGINT, 1), (signal.SIGTERM, 0)],
        ids=["Ctrl-C at once", "Ctrl-C after a step", "SIGTERM at once"],
    )
    def test_a_stopped_run_says_so_and_leaves_nothing_half(
        self, staging: Staging, sent: signal.Signals, steps: int
    ) -> None:
        """Stopped after the lease is held: exit 130, the rows as they were, the lease free for the next run."""
        assert staging.seed(*OVERRIDE).exit_code == 0
        before = staging.rows_digest()
        process = staging.start(*OVERRIDE)
        assert process.stdout is not None
        await_lease(process.stdout)
        if steps:
            staging.await_step("validated_manifest")
        process.send_signal(sent)
        stopped = finish(process)
        assert stopped.exit_code == 130, stopped.stderr
        assert stopped.problem["code"] == "interrupted"
        assert "Traceback" not in stopped.stderr
        assert staging.rows_digest() == before
        with staging.superuser() as connection:
            assert connection.execute("SELECT count(*) FROM seed.lease").fetchone() == (0,)
        assert staging.seed(*OVERRIDE).exit_code == 0
