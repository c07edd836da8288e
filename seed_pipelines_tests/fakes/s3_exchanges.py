"""Requests to an S3 server and its answers, on a loopback port in front of whatever answers them, with planted faults."""

import http.client
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

_SUBRESOURCES: Final = {
    "versioning": "GetBucketVersioning",
    "object-lock": "GetObjectLockConfiguration",
    "versions": "ListObjectVersions",
    "retention": "GetObjectRetention",
}
_OBJECTS: Final = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}


@dataclass(frozen=True)
class Request:
    """One request, as it came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    number: int = 1
    """Of those of its operation, from 1."""

    @property
    def query(self) -> dict[str, str]:
        """The first value of each parameter; empty ones too."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query, True).items()}

    @property
    def key(self) -> str:
        """What stands after the bucket."""
        return unquote(urlsplit(self.target).path).removeprefix("/").partition("/")[2]

    @property
    def operation(self) -> str:
        """S3's name for it."""
        return next((_SUBRESOURCES[name] for name in self.query if name in _SUBRESOURCES), _OBJECTS[self.method])


@dataclass(frozen=True)
class Answer:
    """One answer; a cut one announces its whole length, and ends half-way."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: bool = False
    silent: bool = False
    """Nothing is said, and the connection stays open."""


Backend = Callable[[Request], Answer]
Fault = Callable[[Request, Backend], Answer]


@dataclass
class FaultyServer:
    """Gives every request to a backend, through the fault that is planted."""

    backend: Backend
    endpoint_url: str = ""
    fault: Fault | None = None
    requests: list[Request] = field(default_factory=list)

    @property
    def operations(self) -> list[str]:
        """What was asked, in order."""
        return [request.operation for request in self.requests]

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        request = replace(request, number=self.operations.count(request.operation) + 1)
        self.requests.append(request)
        return self.backend(request) if self.fault is None else self.fault(request, self.backend)


@contextmanager
def faulty_server(backend: Backend) -> Iterator[FaultyServer]:
    """A server on loopback, until the block ends."""
    faulty = FaultyServer(backend)
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = faulty.answer(Request(self.command, self.path, dict(self.headers), body))
            if answer.silent:
                closing.wait()
                self.close_connection = True
                return
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if "content-length" not in {name.lower() for name in answer.headers}:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body[: len(answer.body) // 2] if answer.cut else answer.body)
            self.close_connection = answer.cut

        do_GET = do_HEAD = do_DELETE = do_PUT  # noqa: N815 # the names that http.server gives them

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # likewise
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        faulty.endpoint_url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield faulty
        finally:
            closing.set()
            server.shutdown()
            thread.join()


def forwarded_to(address: str) -> Backend:
    """A backend that passes requests on, as they were signed, to a server at `http://host:port`."""

    def forward(request: Request) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
        try:
            headers = {name: value for name, value in request.headers.items() if name.lower() != "expect"}
            connection.request(request.method, request.target, request.body, headers)
            answer = connection.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in _OF_ONE_CONNECTION}
            return Answer(answer.status, kept, answer.read())
        finally:
            connection.close()

    return forward


_OF_ONE_CONNECTION: Final = frozenset({"connection", "transfer-encoding", "keep-alive"})


def failing(operation: str, status: int, code: str, times: int | None = None) -> Fault:
    """The first `times` requests of an operation are answered with an error and reach nobody; None for all."""
    return _first(times, operation, lambda request, _: failure(request, status, code))


def failing_after(operation: str, status: int, code: str, times: int | None = None) -> Fault:
    """Likewise, but what was asked is done."""

    def fault(request: Request, backend: Backend) -> Answer:
        backend(request)
        return failure(request, status, code)

    return _first(times, operation, fault)


def silent(operation: str, times: int | None = None) -> Fault:
    """The first `times` requests of an operation are never answered, and reach nobody."""
    return _first(times, operation, lambda *_: Answer(0, silent=True))


def silent_after(operation: str, times: int | None = None) -> Fault:
    """Likewise, but what was asked is done."""

    def fault(request: Request, backend: Backend) -> Answer:
        backend(request)
        return Answer(0, silent=True)

    return _first(times, operation, fault)


def cut(operation: str, times: int | None = None) -> Fault:
    """The first `times` answers to an operation end half-way."""
    return _first(times, operation, lambda request, backend: replace(_with_length(backend(request)), cut=True))


def replaced(operation: str, old: bytes, new: bytes) -> Fault:
    """The answers to an operation hold other bytes, of another length too."""

    def fault(request: Request, backend: Backend) -> Answer:
        answer = backend(request)
        headers = {name: value for name, value in answer.headers.items() if name.lower() != "content-length"}
        return Answer(answer.status, headers, answer.body.replace(old, new))

    return _first(None, operation, fault)


def both(outer: Fault, inner: Fault) -> Fault:
    """One fault in the answers of another."""
    return lambda request, backend: outer(request, lambda sent: inner(sent, backend))


def with_header(operation: str, name: str, value: str | None) -> Fault:
    """The answers to an operation have another header; None takes it away."""

    def fault(request: Request, backend: Backend) -> Answer:
        answer = backend(request)
        others = {key: kept for key, kept in answer.headers.items() if key.lower() != name.lower()}
        return replace(answer, headers=others if value is None else {**others, name: value})

    return _first(None, operation, fault)


def without_request_header(operation: str, *names: str) -> Fault:
    """The server does not see some headers of an operation, as one that does not know them."""
    unseen = {name.lower() for name in names}

    def fault(request: Request, backend: Backend) -> Answer:
        kept = {name: value for name, value in request.headers.items() if name.lower() not in unseen}
        return backend(replace(request, headers=kept))

    return _first(None, operation, fault)


def ahead_by(skew: timedelta) -> Fault:
    """Every answer is dated later."""

    def fault(request: Request, backend: Backend) -> Answer:
        answer = backend(request)
        headers = {name: value for name, value in answer.headers.items() if name.lower() != "date"}
        date = next(value for name, value in answer.headers.items() if name.lower() == "date")
        return replace(answer, headers={**headers, "Date": format_datetime(parsedate_to_datetime(date) + skew, True)})

    return fault


def failure(request: Request, status: int, code: str) -> Answer:
    """An error as S3 writes it."""
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>Planted.</Message></Error>'.encode()
    return Answer(status, {"Content-Type": "application/xml"}, b"" if request.method == "HEAD" else body)


def _first(times: int | None, operation: str, planted: Fault) -> Fault:
    def fault(request: Request, backend: Backend) -> Answer:
        if request.operation != operation or (times is not None and request.number > times):
            return backend(request)
        return planted(request, backend)

    return fault


def _with_length(answer: Answer) -> Answer:
    return replace(answer, headers={**answer.headers, "Content-Length": str(len(answer.body))})
