"""What a collector receives, and that nobody waits for one."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from socket import socket

import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from seed_pipelines.adapters.telemetry import OtlpTelemetry
from seed_pipelines.domain.tracing import Trace
from seed_pipelines.errors import TelemetryUnavailable
from seed_pipelines_tests.fakes.otlp_receiver import collecting

TRACE = Trace.of_attempt("ab" * 16, 1)
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PLACE = {"seed.environment": "staging", "seed.tenant": "tenant-a"}


@contextmanager
def telemetry_to(address: str, patience_seconds: float = 10) -> Iterator[OtlpTelemetry]:
    exporters = OTLPSpanExporter(f"{address}/v1/traces"), OTLPMetricExporter(f"{address}/v1/metrics")
    probe = OTLPSpanExporter(f"{address}/v1/traces", timeout=0.5)
    telemetry = OtlpTelemetry(*exporters, probe, patience_seconds=patience_seconds)
    yield telemetry
    telemetry.close()


def test_a_run_is_one_trace_with_its_steps() -> None:
    """The steps hang on the run, whichever process told of which; what failed says for what."""
    with collecting() as collector:
        with telemetry_to(collector.address) as one, telemetry_to(collector.address) as other:
            one.span(TRACE, "load", BEGAN, 1.5, PLACE, None)
            one.span(TRACE, "check", BEGAN, 0.5, PLACE, "checks_failed")
            other.run(TRACE, BEGAN, 2.5, PLACE, "checks_failed")
        spans = {span.name: span for span in collector.spans}
    assert {span.trace_id for span in collector.spans} == {TRACE.trace_id}
    assert (spans["seed run"].span_id, spans["seed run"].parent_id) == (TRACE.root_id, "")
    assert {spans[step].parent_id for step in ("load", "check")} == {TRACE.root_id}
    assert spans["load"].span_id != spans["check"].span_id
    assert spans["load"].attributes == PLACE
    assert spans["check"].attributes == {**PLACE, "error.type": "checks_failed"}
    assert [spans[name].is_error for name in ("load", "check", "seed run")] == [False, True, True]
    assert [spans[name].seconds for name in ("load", "check", "seed run")] == [1.5, 0.5, 2.5]


def test_measurements_are_added_up_or_replaced() -> None:
    """Counters add, histograms have a sum, of a gauge the newest counts."""
    with collecting() as collector, telemetry_to(collector.address) as telemetry:
        for rows in (3, 4):
            telemetry.measure("seed.rows", rows, PLACE)
            telemetry.measure("seed.step.duration", rows, PLACE)
            telemetry.measure("seed.budget.used_ratio", rows / 8, PLACE)
        telemetry.close()
        received = {name: value for name, ((attributes, value),) in collector.metrics.items() if attributes == PLACE}
    assert received == {"seed.rows": 7, "seed.step.duration": 7, "seed.budget.used_ratio": 0.5}


def test_another_attempt_has_another_root() -> None:
    """Under the trace that the report names."""
    again = Trace.of_attempt(TRACE.trace_id, 2)
    assert again.trace_id == TRACE.trace_id
    assert again.root_id != TRACE.root_id
    assert len(bytes.fromhex(again.root_id)) == 8


def test_a_slow_collector_holds_nobody_up() -> None:
    """Neither a step, whatever it tells, nor the end of the process beyond its patience."""
    with collecting(is_slow=True) as collector, telemetry_to(collector.address, patience_seconds=0.3) as telemetry:
        for _ in range(5_000):
            telemetry.span(TRACE, "load", BEGAN, 1, PLACE, None)
            telemetry.measure("seed.rows", 1, PLACE)
        telemetry.close()
        assert not collector.closed.is_set(), "nobody let it go, and still nobody waits"
        assert collector.spans == []


def test_a_collector_that_answers_passes_the_check() -> None:
    """With a request that holds no span."""
    with collecting() as collector, telemetry_to(collector.address) as telemetry:
        telemetry.check()
        assert collector.bodies == [b""]


@pytest.mark.parametrize("is_slow", [True, False])
def test_one_that_is_slow_or_away_does_not(*, is_slow: bool) -> None:
    """The refusal does not name the address, which may hold a password."""
    with collecting(is_slow=is_slow) as collector:
        address = collector.address
        if is_slow:
            with telemetry_to(address, 0.1) as telemetry, pytest.raises(TelemetryUnavailable):
                telemetry.check()
    if not is_slow:
        with telemetry_to(address, 0.1) as telemetry, pytest.raises(TelemetryUnavailable) as refused:
            telemetry.check()
        assert address not in refused.value.detail


def test_a_collector_that_is_away_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Not for every batch that is lost, and without the address, which may hold a password."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    exporters = OTLPSpanExporter(f"{address}/v1/traces", timeout=0.2), OTLPMetricExporter(address, timeout=0.2)
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    telemetry = OtlpTelemetry(*exporters, exporters[0], patience_seconds=10)
    for _ in range(1_200):
        telemetry.span(TRACE, "load", BEGAN, 1, PLACE, None)
    telemetry.close()
    assert [record.message for record in caplog.records if "collector" in record.message] == [
        "The collector of traces and metrics takes nothing; runs go on without it."
    ]
