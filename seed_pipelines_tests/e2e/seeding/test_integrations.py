"""Runs that call the stubs of the outside systems: the real Prism, one that refuses, and none at all."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from seed_pipelines.domain.integration_calls import CALLED
from seed_pipelines_tests.e2e.conftest import RunningStack, running_stack
from seed_pipelines_tests.e2e.seeding.staging import OVERRIDE, Staging, volumetry, write_manifest
from seed_pipelines_tests.fakes.raw_stub import listening, sends
from seed_pipelines_tests.node_tools import needs_prism

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    needs_prism,
]

CHANGES: Final[dict[str, Any]] = {
    "mode": "dr",
    "ttl": {"dr_days": 1},
    "budget": {"cost_cap_brl": 100, "error_budget_pct": 50},
    "rate_limit": {"limit": 600, "window_seconds": 60},
    "backoff": {"base_seconds": 0.1, "jitter_factor": 0.1, "max_retries": 1, "max_interval_seconds": 2},
}
DECISIONS: Final = {"ACTIVE": "APPROVED", "BLOCKED": "REVIEW", "DELINQUENT": "REVIEW", "CANCELED": "REJECTED"}
REFUSES: Final = sends(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture(scope="module")
def stack() -> Iterator[RunningStack]:
    """A stack with stubs, which a test may stop."""
    with running_stack(stubs=True) as running:
        yield running


@pytest.fixture
def staging(stack: RunningStack) -> Iterator[Staging]:
    """Staging without rows."""
    found = Staging.of(stack)
    found.clear()
    yield found
    found.clear()


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A rehearsal of disaster recovery, ten of its customers to be asked about."""
    return write_manifest(tmp_path / "dr.json", volumetry=volumetry(100, 120), **CHANGES)


def test_stubs_answer_about_the_rows_that_landed(staging: Staging, manifest: Path) -> None:
    """As the status of each customer has it; the report says what was asked and answered."""
    done = staging.seed("--manifest-path", manifest, *OVERRIDE, "--json")
    assert done.exit_code == 0, done.stderr
    used = {use["integration"]: use for use in report_of(staging)["integrations"]}
    assert list(used) == list(CALLED[:2]), "there are no transactions to pay and to tell of"
    assert (used["kyc"]["requests"], used["kyc"]["failed"], used["kyc"]["refused"]) == (10, 0, 0)
    with staging.superuser() as connection:
        statuses = connection.execute(
            "SELECT status FROM (SELECT status, row_number() OVER (ORDER BY id) - 1 AS position FROM banking.customer)"
            " WHERE position % 10 = 0"
        ).fetchall()
    assert used["kyc"]["outcomes"] == Counter(DECISIONS[status] for (status,) in statuses)
    report = report_of(staging)
    assert report["error_budget"]["requests"] == 20
    assert report["service_levels"]["p95_ms"]["measured"] > 0


def test_a_stub_that_refuses_ends_the_run_and_puts_it_to_the_next_window(staging: Staging, manifest: Path) -> None:
    """Exit 5; the report is sealed with what was refused, and the sensor knows when to begin anew."""
    with listening(REFUSES) as stub:
        address = f"http://127.0.0.1:{stub.port}"
        ports = f"{staging.variables['SEED_STUB_PORTS']},{stub.port}"
        done = staging.seed("--manifest-path", manifest, *OVERRIDE, SEED_KYC_URL=address, SEED_STUB_PORTS=ports)
        assert len(stub.asked) == 2
    assert done.exit_code == 5, done.stderr
    assert done.problem["code"] == "rate_limited"
    report = report_of(staging)
    assert report["verdict"] == "failed"
    assert [problem["code"] for problem in report["errors"]] == ["rate_limited"]
    (used,) = report["integrations"]
    assert (used["integration"], used["requests"], used["refused"]) == ("kyc", 2, 2)
    assert report["rate_limit"]["used"][0]["waited_seconds"] == pytest.approx(1, abs=0.2)
    assert deferred(staging) == 1


def test_a_stub_that_is_away_ends_the_run_and_its_return_lets_the_next_through(
    staging: Staging, manifest: Path
) -> None:
    """Exit 4 after the retries; nothing is held afterwards."""
    kyc = staging.stack.stack.stubs[0]
    kyc.stop()
    try:
        done = staging.seed("--manifest-path", manifest, *OVERRIDE)
    finally:
        staging.stack.stack.up(staging.stack.purpose)
    assert done.exit_code == 4, done.stderr
    assert done.problem["code"] == "stub_unavailable"
    again = Staging.of(staging.stack).seed("--manifest-path", manifest, *OVERRIDE)
    assert again.exit_code == 0, again.stderr


def report_of(staging: Staging) -> dict[str, Any]:
    """The newest report, which is sealed."""
    query = (
        "SELECT convert_from(envelope, 'UTF8')::jsonb ->> 'payload' FROM seed.report JOIN seed.evidence"
        " USING (tenant_id, seed_run_id, attempt) ORDER BY log_index DESC LIMIT 1"
    )
    with staging.superuser() as connection:
        (payload,) = connection.execute(query).fetchone() or ("",)
        decoded = connection.execute("SELECT convert_from(decode(%s, 'base64'), 'UTF8')::jsonb", [payload]).fetchone()
    statement: dict[str, Any] = (decoded or ({},))[0]
    return dict(statement["predicate"])


def deferred(staging: Staging) -> int:
    """Runs of Dagster's storage that are put to a later window."""
    url = staging.stack.stack.postgres.provisioning_url("postgres", "dagster")
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT count(*) FROM run_tags WHERE key = 'seed/deferred_to'").fetchone()
    return int((found or (-1,))[0])
