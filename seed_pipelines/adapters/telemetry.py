"""Traces and metrics over OTLP/HTTP (OpenTelemetry), sent in the background: whoever has begun waits for no collector.

What a collector does not take in time is lost. A process that ends sends what is left, for two seconds at most.
"""

import logging
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from multiprocessing.util import Finalize
from typing import Final
from uuid import uuid4

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from seed_pipelines.domain.tracing import Trace
from seed_pipelines.errors import TelemetryUnavailable

SERVICE: Final = "seed-pipelines"
CHECK_SECONDS: Final = 3.0
"""How long the check waits for the collector."""
PATIENCE_SECONDS: Final = 2.0
"""How long a process that ends sends what is left."""

_SCOPE: Final = InstrumentationScope("seed_pipelines")
_NANOSECONDS: Final = 1_000_000_000

Attributes = Mapping[str, str | int]

logger = logging.getLogger(__name__)


def telemetry_over_http() -> "OtlpTelemetry":
    """To the collector that OTEL_EXPORTER_OTLP_ENDPOINT names, with the headers, certificates and timeouts of its kin."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # it would log every batch that is lost
    return OtlpTelemetry(OTLPSpanExporter(), OTLPMetricExporter(), OTLPSpanExporter(timeout=CHECK_SECONDS))


class OtlpTelemetry:
    """Takes spans and measurements at once, and sends them later; one for a process."""

    def __init__(
        self,
        spans: SpanExporter,
        metrics: MetricExporter,
        probe: SpanExporter,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """`probe` is an exporter of spans for the check alone, whose time-out is how long that may take."""
        self._probe = probe
        self._resource = Resource.create({"service.name": SERVICE, "service.instance.id": str(uuid4())})
        self._spans = BatchSpanProcessor(_Watched(spans))
        reader = PeriodicExportingMetricReader(metrics)
        self._meters = MeterProvider([reader], resource=self._resource, shutdown_on_exit=False)
        self._instruments = _instruments(self._meters)
        self._patience_seconds = patience_seconds
        self._is_over = threading.Event()
        self._last = threading.Thread(target=self._send_the_rest, name="telemetry-end", daemon=True)
        self._last.start()
        Finalize(None, self.close, exitpriority=1)  # Dagster's runs are children of multiprocessing, which skip atexit

    def check(self) -> None:
        """Send a request without spans, which a collector answers with success (OTLP); TelemetryUnavailable."""
        if self._probe.export(()) is not SpanExportResult.SUCCESS:
            raise TelemetryUnavailable(
                "The collector that OTEL_EXPORTER_OTLP_ENDPOINT names took no request in time. Start it, or run without the "
                "variable."
            )

    def span(
        self, trace: Trace, name: str, began: datetime, seconds: float, attributes: Attributes, code: str | None
    ) -> None:
        """A step of a run that is over; `code` says what it failed for, None that it went well."""
        own = _context(trace.trace_id, secrets.token_hex(8))
        self._end(name, own, _context(trace.trace_id, trace.root_id), began, seconds, attributes, code)

    def run(self, trace: Trace, began: datetime, seconds: float, attributes: Attributes, code: str | None) -> None:
        """A run that is over, of which the steps are part."""
        self._end("seed run", _context(trace.trace_id, trace.root_id), None, began, seconds, attributes, code)

    def measure(self, metric: str, value: float, attributes: Attributes) -> None:
        """A measurement, of a counter what is added to it; KeyError for a metric that there is not."""
        self._instruments[metric](value, attributes)

    def close(self) -> None:
        """Send what is left, and wait for it no longer than the patience lasts; a second time does nothing."""
        self._is_over.set()
        self._last.join(self._patience_seconds)

    def _end(
        self,
        name: str,
        own: SpanContext,
        parent: SpanContext | None,
        began: datetime,
        seconds: float,
        attributes: Attributes,
        code: str | None,
    ) -> None:
        start = round(began.timestamp() * _NANOSECONDS)
        failed = {} if code is None else {"error.type": code}
        self._spans.on_end(
            ReadableSpan(
                name,
                context=own,
                parent=parent,
                resource=self._resource,
                attributes={**attributes, **failed},
                kind=SpanKind.INTERNAL,
                status=Status(StatusCode.OK) if code is None else Status(StatusCode.ERROR, code),
                start_time=start,
                end_time=start + round(seconds * _NANOSECONDS),
                instrumentation_scope=_SCOPE,
            )
        )

    def _send_the_rest(self) -> None:
        self._is_over.wait()
        self._spans.shutdown()  # type: ignore[no-untyped-call]  # the SDK does not annotate it
        self._meters.shutdown()


class _Watched(SpanExporter):
    """An exporter whose losses are told once."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._has_lost = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        found = self._exporter.export(spans)
        if found is not SpanExportResult.SUCCESS and not self._has_lost:
            self._has_lost = True
            logger.warning("The collector of traces and metrics takes nothing; runs go on without it.")
        return found

    def shutdown(self) -> None:
        self._exporter.shutdown()


def _context(trace_id: str, span_id: str) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _instruments(provider: MeterProvider) -> Mapping[str, Callable[[float, Attributes], None]]:
    """Name of a metric -> what takes a measurement of it."""
    meter = provider.get_meter(_SCOPE.name)
    rows = meter.create_counter("seed.rows", "{row}", "Rows that were generated, or written into the database.")
    outcomes = meter.create_counter("seed.outcomes", "{run}", "Runs and requests that ended, by verdict or problem.")
    duration = meter.create_histogram("seed.step.duration", "s", "How long a step took for a shard.")
    budget = meter.create_gauge("seed.budget.used_ratio", "1", "Cost of the newest run so far, of its budget.")
    overdue = meter.create_gauge("seed.sealing.overdue", "{report}", "Reports past their deadline and not sealed.")
    return {
        "seed.rows": rows.add,
        "seed.outcomes": outcomes.add,
        "seed.step.duration": duration.record,
        "seed.budget.used_ratio": budget.set,
        "seed.sealing.overdue": overdue.set,
    }
