"""A collector that takes OTLP/HTTP in protobuf (OTLP 1.x) and keeps what it decodes; or takes connections and never answers."""

import gzip
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class ReceivedSpan:
    """A span as it arrived."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: Mapping[str, Any]
    is_error: bool
    seconds: float


@dataclass
class Collector:
    """What arrived, decoded; `is_slow` leaves every request without an answer until it is closed."""

    is_slow: bool = False
    spans: list[ReceivedSpan] = field(default_factory=list)
    metrics: dict[str, list[tuple[Mapping[str, Any], float]]] = field(default_factory=dict)
    """Name -> attributes and value of each point; of a histogram, its sum."""
    bodies: list[bytes] = field(default_factory=list)
    """Everything as it came, to look for what must not be there."""
    address: str = ""
    closed: threading.Event = field(default_factory=threading.Event)

    def take(self, path: str, body: bytes) -> None:
        """Decode a request of one of the two signals."""
        self.bodies.append(body)
        if path == "/v1/traces":
            sent = ExportTraceServiceRequest.FromString(body)
            self.spans += [_span(it) for of in sent.resource_spans for scope in of.scope_spans for it in scope.spans]
            return
        for of_resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for metric in (it for scope in of_resource.scope_metrics for it in scope.metrics):
                points = getattr(metric, metric.WhichOneof("data")).data_points
                self.metrics.setdefault(metric.name, []).extend(
                    (_named(point.attributes), _value(point)) for point in points
                )


@contextmanager
def collecting(*, is_slow: bool = False) -> Iterator[Collector]:
    """A collector on a free port of this machine."""
    collector = Collector(is_slow)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if collector.is_slow:
                collector.closed.wait()
                return
            collector.take(self.path, gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the name is the base class's
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.address = f"http://127.0.0.1:{server.server_address[1]}"
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        try:
            yield collector
        finally:
            collector.closed.set()
            server.shutdown()


def _span(span: Any) -> ReceivedSpan:
    took = (span.end_time_unix_nano - span.start_time_unix_nano) / 1_000_000_000
    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
    return ReceivedSpan(
        span.name, *ids, _named(span.attributes), span.status.code == span.status.STATUS_CODE_ERROR, took
    )


def _named(attributes: Any) -> Mapping[str, Any]:
    return {it.key: getattr(it.value, it.value.WhichOneof("value")) for it in attributes}


def _value(point: Any) -> float:
    return float(point.sum if hasattr(point, "explicit_bounds") else getattr(point, point.WhichOneof("value")))
