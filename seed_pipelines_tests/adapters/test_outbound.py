"""Requests to stubs that a test answers for: the vetted address alone is connected to, and an answer has an end."""

import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from seed_pipelines.adapters.outbound import OutboundClient
from seed_pipelines.domain.outbound import endpoint_of
from seed_pipelines.errors import ExternalCallsBlocked, StubUnavailable
from seed_pipelines_tests.fakes.raw_stub import RawStub, Reply, listening, sends

FAR = "93.184.216.34"


@pytest.fixture
def stub() -> Iterator[RawStub]:
    """A stub that answers well."""
    with listening() as found:
        yield found


@dataclass
class Resolver:
    """Gives one answer after the other, the last one for ever, and counts."""

    answers: Sequence[Sequence[str]] = (("127.0.0.1",),)
    asked: int = 0

    def __call__(self, host: str, port: int) -> Sequence[str]:
        """The next answer."""
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


def client(*answers: Sequence[str], timeout: float = 5) -> OutboundClient:
    return OutboundClient(resolver=Resolver(answers or (("127.0.0.1",),)), timeout=timeout)


class TestRequest:
    def test_a_request_has_the_name_of_the_endpoint_and_the_content_as_json(self, stub: RawStub) -> None:
        answer = client().request("POST", stub.endpoint(path="/v1"), "/checks?a=b", content={"status": "ACTIVE"})
        assert (answer.status, answer.json()) == (200, {"well": True})
        head, _, body = stub.asked[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /v1/checks?a=b HTTP/1.1\r\n")
        assert f"Host: stub:{stub.port}".encode() in head
        assert body == b'{"status": "ACTIVE"}'

    def test_a_caller_adds_fields_but_never_another_host(self, stub: RawStub) -> None:
        client().request("GET", stub.endpoint(), "/", headers={"Prefer": "code=429", "host": "evil.com"})
        assert b"Prefer: code=429" in stub.asked[0]
        assert stub.asked[0].lower().count(b"host:") == 1
        assert b"evil.com" not in stub.asked[0]

    def test_a_field_cannot_smuggle_another(self, stub: RawStub) -> None:
        with pytest.raises(ValueError, match="header"):
            client().request("GET", stub.endpoint(), "/", headers={"Prefer": "x\r\nHost: evil.com"})
        assert stub.asked == []

    def test_every_status_is_an_answer_with_its_fields(self) -> None:
        reply = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nVary: a\r\nVary: b\r\nContent-Length: 0\r\n\r\n"
        with listening(sends(reply)) as stub:
            answer = client().request("GET", stub.endpoint(), "/")
        assert (answer.status, answer.headers["retry-after"], answer.headers["vary"]) == (429, "2", "a, b")

    def test_a_redirect_is_an_answer_and_is_not_followed(self) -> None:
        reply = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
        with listening(sends(reply)) as stub:
            answer = client().request("GET", stub.endpoint(), "/")
            assert len(stub.asked) == 1
        assert answer.status == 302

    def test_proxies_of_the_environment_are_not_used(self, stub: RawStub, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        assert client().request("GET", stub.endpoint(), "/").status == 200


class TestResolution:
    @pytest.mark.parametrize("far", [FAR, "169.254.169.254", "0.0.0.0", "::ffff:127.0.0.1"])  # noqa: S104  # not bound
    def test_a_name_that_leads_outside_is_not_called(self, stub: RawStub, far: str) -> None:
        """One far address among near ones is enough."""
        for addresses in ([far], ["127.0.0.1", far], [far, "127.0.0.1"]):
            with pytest.raises(ExternalCallsBlocked, match=far):
                client(addresses).request("GET", stub.endpoint(), "/")
        assert stub.asked == []

    def test_a_name_without_addresses_is_not_called(self, stub: RawStub) -> None:
        with pytest.raises(ExternalCallsBlocked, match="nothing"):
            client([]).request("GET", stub.endpoint(), "/")

    def test_a_name_is_resolved_once_and_that_address_is_connected_to(self, stub: RawStub) -> None:
        """DNS rebinding: what the name means a moment later does not matter, until the next request asks again."""
        resolver = Resolver([("127.0.0.1",), (FAR,)])
        rebound = OutboundClient(resolver=resolver)
        assert rebound.request("GET", stub.endpoint(), "/").status == 200
        assert resolver.asked == 1
        with pytest.raises(ExternalCallsBlocked):
            rebound.request("GET", stub.endpoint(), "/")
        assert len(stub.asked) == 1

    def test_nothing_but_the_resolver_is_asked_for_a_name(self, stub: RawStub, monkeypatch: pytest.MonkeyPatch) -> None:
        """`stub` has no address on this machine: the connection is made by the number alone."""

        def nobody(*_: object, **__: object) -> None:
            raise AssertionError("resolved again")

        monkeypatch.setattr(socket, "getaddrinfo", nobody)
        assert client().request("GET", stub.endpoint(), "/").status == 200

    def test_the_next_vetted_address_is_tried(self, stub: RawStub) -> None:
        assert client(["::1", "127.0.0.1"]).request("GET", stub.endpoint(), "/").status == 200

    def test_the_system_resolver_knows_localhost(self, stub: RawStub) -> None:
        assert OutboundClient().request("GET", stub.endpoint("localhost"), "/").status == 200


class TestBounds:
    def test_nobody_there(self) -> None:
        with listening() as stub:
            endpoint = stub.endpoint()
        with pytest.raises(StubUnavailable) as failure:
            client().request("GET", endpoint, "/")
        assert failure.value.exit_code == 4

    @pytest.mark.parametrize(
        "reply",
        [
            sends(b""),
            sends(b"SSH-2.0-OpenSSH\r\n"),
            sends(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
            sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
            sends(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * (1 << 20), b"x"),
            sends(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n"),
        ],
        ids=["silence", "not HTTP", "half a body", "half a chunk", "more than a mebibyte", "too many fields"],
    )
    def test_half_an_answer_is_none(self, reply: Reply) -> None:
        with listening(reply) as stub, pytest.raises(StubUnavailable):
            client().request("GET", stub.endpoint(), "/")

    @pytest.mark.parametrize(
        "beginning",
        [
            b"",
            b"HTTP/1.1 200 OK\r\nX: ",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n",
        ],
        ids=["nothing", "fields without end", "a body without end", "a body of known length"],
    )
    def test_an_answer_in_drops_ends_when_the_time_is_up(self, beginning: bytes) -> None:
        hung_up = threading.Event()

        def drop(caller: socket.socket) -> None:
            try:
                caller.sendall(beginning)
                while not hung_up.wait(0.02):
                    caller.sendall(b"x" if beginning else b"")
            except OSError:
                hung_up.set()

        with listening(drop) as stub:
            try:
                with pytest.raises(StubUnavailable, match=r"0\.3 s|timed out"):
                    client(timeout=0.3).request("GET", stub.endpoint(), "/")
            finally:
                hung_up.set()

    def test_a_stub_that_speaks_no_tls(self, stub: RawStub) -> None:
        secured = endpoint_of("test", f"https://stub:{stub.port}", {stub.port})
        with pytest.raises(StubUnavailable):
            client().request("GET", secured, "/")
