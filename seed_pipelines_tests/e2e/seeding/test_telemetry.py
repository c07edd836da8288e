"""A run in staging and its collector: what arrives, and that a run does as well without one."""

import signal
from collections.abc import Iterator
from socket import socket

import pytest

from seed_pipelines.domain.evidence.envelope import payload_of
from seed_pipelines.domain.evidence.statement import read_report
from seed_pipelines_tests.e2e.seeding.staging import OVERRIDE, TENANT_A, Finished, Staging, finish
from seed_pipelines_tests.fakes.otlp_receiver import collecting

pytestmark = pytest.mark.e2e


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address that nothing listens at, for as long as the test runs."""
    with socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def seeded(staging: Staging, endpoint: str) -> Finished:
    """A run that exports to an address."""
    return staging.seed("--json", *OVERRIDE, tenant=TENANT_A, **exporting_to(endpoint))


def exporting_to(endpoint: str) -> dict[str, str]:
    """The variables of a run that exports to an address."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "NO_PROXY": "127.0.0.1"}


def test_a_run_arrives_as_one_trace(staging: Staging) -> None:
    """Every step under the trace id of its sealed report, its rows and cost beside it, and nothing that it seeded."""
    with collecting() as collector:
        done = seeded(staging, collector.address)
    assert done.exit_code == 0, done.stderr
    run = done.outcome["seed_run_id"]
    with staging.superuser() as connection:
        query = "SELECT envelope, (SELECT email FROM banking.customer LIMIT 1) FROM seed.report WHERE seed_run_id = %s"
        found = connection.execute(query, [run]).fetchone()
    assert found is not None
    envelope, email = bytes(found[0]), str(found[1])
    assert {span.trace_id for span in collector.spans} == {read_report(payload_of(envelope))["run"]["trace_id"]}
    names = [span.name for span in collector.spans]
    assert {name: names.count(name) for name in names} == {
        "generate": 2,
        "load": 1,
        "check": 1,
        "seal": 1,
        "seed run": 1,
    }
    (root,) = (span for span in collector.spans if span.name == "seed run")
    assert {span.parent_id for span in collector.spans} == {root.span_id, ""}
    assert not any(span.is_error for span in collector.spans)
    rows = {(of["seed.step"], of.get("seed.entity")): value for of, value in collector.metrics["seed.rows"]}
    assert set(rows) == {("generate", "customers"), ("generate", "bank_accounts"), ("load", None)}
    assert rows["load", None] == rows["generate", "customers"] + rows["generate", "bank_accounts"]
    assert [(of["seed.outcome"], value) for of, value in collector.metrics["seed.outcomes"]] == [("succeeded", 1)]
    sent = b"".join(collector.bodies)
    assert b"staging" in sent
    secrets = [value for name, value in staging.variables.items() if "TOKEN" in name or "SECRET" in name]
    assert secrets
    assert not [secret for secret in (*secrets, email) if secret.encode() in sent]


def test_nothing_begins_while_the_collector_is_away(staging: Staging, nobody: str) -> None:
    """Exit 4, no seed run, no row: whether nobody listens or nobody answers."""
    refused = [seeded(staging, nobody)]
    with collecting(is_slow=True) as collector:
        refused.append(seeded(staging, collector.address))
    assert [(done.exit_code, done.problem["code"]) for done in refused] == [(4, "telemetry_unavailable")] * 2
    with staging.superuser() as connection:
        assert connection.execute("SELECT count(*) FROM seed.seed_run").fetchone() == (0,)


def test_a_run_goes_on_without_a_collector(staging: Staging) -> None:
    """One that goes away once the run holds its lease is missed by nobody."""
    with collecting() as collector:
        process = staging.start_stopped(*OVERRIDE, **exporting_to(collector.address))
    process.send_signal(signal.SIGCONT)
    done = finish(process)
    assert done.exit_code == 0, done.stderr
