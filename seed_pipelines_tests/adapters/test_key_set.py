"""The issuer's key set over https: from a server that is trusted, in time, whole and of a size that makes sense."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import pytest

from seed_pipelines.adapters.identity_provider import MOST_OFTEN_SECONDS, IdentityProvider
from seed_pipelines.adapters.key_set import LARGEST_KEY_SET, reader_of
from seed_pipelines.errors import IdentityUnavailable, RequestInvalid
from seed_pipelines_tests.adapters.test_identity_provider import MINUTE, Clock
from seed_pipelines_tests.api.issuers import Issuer
from seed_pipelines_tests.fakes.https_stub import Authority, HttpsStub, authority, secured
from seed_pipelines_tests.fakes.raw_stub import Reply, listening, sends

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"


def answers(text: str) -> Reply:
    """A reply with a body of JSON."""
    body = text.encode()
    return sends(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """A private authority that this process trusts."""
    made = authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.authority_file))
    return made


def test_keys_come_from_a_server_of_a_private_authority(made: Authority) -> None:
    """That `SSL_CERT_FILE` names; the request says what it wants and nothing of the caller."""
    with secured(made, answers(Issuer().text)) as stub:
        assert IdentityProvider(stub.address()).key("ES256") is not None
    (asked,) = stub.asked
    assert asked.startswith(b"GET /keys HTTP/1.1\r\n")
    assert b"authorization" not in asked.lower()
    assert b"accept: application/json\r\n" in asked.lower()


def test_a_server_that_is_not_trusted_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without its authority, and where the certificate is another host's."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    made = authority(tmp_path, "issuer.example")
    with secured(made, answers(Issuer().text)) as stub:
        with pytest.raises(IdentityUnavailable):
            IdentityProvider(stub.address()).key("ES256")
        monkeypatch.setenv("SSL_CERT_FILE", str(made.authority_file))
        with pytest.raises(IdentityUnavailable):
            IdentityProvider(stub.address()).key("ES256")
    assert stub.asked == []
    assert caplog.text.count("CERTIFICATE_VERIFY_FAILED") == 2


def test_redirects_are_not_followed(made: Authority) -> None:
    """To wherever they lead."""
    with listening(answers(Issuer().text)) as elsewhere:
        location = f"Location: http://127.0.0.1:{elsewhere.port}/keys\r\n".encode()
        moved = sends(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n" + location + b"\r\n")
        with secured(made, moved) as stub, pytest.raises(HTTPException, match="302"):
            reader_of(stub.address(), 5)()
    assert len(stub.asked) == 1
    assert elsewhere.asked == []


def in_drops(caller: socket.socket) -> None:
    """Send a byte of a header field now and then, for as long as anybody listens."""
    caller.sendall(HEAD + b"X-Slow: ")
    for _ in range(2_000):
        caller.sendall(b"a")
        time.sleep(0.01)  # the pause is what is tried: far shorter than the reader's patience with one silence


def without_end(caller: socket.socket) -> None:
    """Send a body that never ends, as fast as it is taken."""
    caller.sendall(HEAD + b"\r\n")
    while True:
        caller.sendall(b" " * 65_536)


def test_an_answer_in_drops_ends_in_time(made: Authority) -> None:
    """Each byte comes in time, the whole does not."""
    with secured(made, in_drops) as stub, pytest.raises(TimeoutError):
        reader_of(stub.address(), 0.5)()


def test_a_handshake_that_does_not_end_is_cut() -> None:
    """By a server that accepts the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TimeoutError):
        reader_of(f"https://localhost:{silent.getsockname()[1]}/keys", 0.5)()


def test_an_answer_without_end_is_read_no_further_than_a_set_can_be(made: Authority) -> None:
    with secured(made, without_end) as stub, pytest.raises(ValueError, match="more than"):
        reader_of(stub.address(), 20)()


@pytest.mark.parametrize(
    "reply",
    [
        sends(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"),
        sends(HEAD + b"Content-Length: 1000\r\n\r\n{"),
        sends(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n{"),
        sends(b"no HTTP\r\n\r\n"),
        sends(),
        answers("[" * 100_000),
        answers("[1]"),
        answers("\N{LATIN SMALL LETTER E WITH ACUTE}"),
        sends(HEAD + b"Content-Length: 2\r\n\r\n\xff\xfe"),
    ],
)
def test_what_is_no_whole_key_set_is_as_good_as_none(made: Authority, reply: Reply) -> None:
    """The API says that the keys cannot be had, and does not fail."""
    with secured(made, reply) as stub, pytest.raises(IdentityUnavailable):
        IdentityProvider(stub.address()).key("ES256")


def test_a_server_that_is_away_is_as_good_as_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(IdentityUnavailable):
        IdentityProvider(f"https://localhost:{port}/keys").key("ES256")


def test_a_file_is_read_no_further_either(tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_bytes(b" " * (LARGEST_KEY_SET + 1))
    with pytest.raises(ValueError, match="more than"):
        reader_of(str(tmp_path / "jwks.json"), 1)()


@pytest.mark.parametrize(
    "address", ["https://user:secret@issuer.example/keys", "https://issuer.example@", "https:///keys"]
)
def test_an_address_has_a_host_and_no_secret(address: str) -> None:
    """The log names the address where keys cannot be had."""
    with pytest.raises(RequestInvalid) as refusal:
        IdentityProvider(address)
    assert "secret" not in str(refusal.value)


def test_keys_may_rotate(made: Authority) -> None:
    """A new key is believed half a minute after the last look at most, the old one for five minutes more."""
    first, second, clock = Issuer(), Issuer(), Clock()
    new = second.text.replace('"ES256", "alg"', '"ES256-2", "alg"')
    assert new != second.text
    with secured(made, answers(first.text)) as stub:
        provider = IdentityProvider(stub.address(), clock)
        old_key = provider.key("ES256")
        stub.reply = answers(new)
        clock.now += MOST_OFTEN_SECONDS
        assert old_key is not None
        assert provider.key("ES256") is old_key
        assert provider.key("ES256-2") is not None
        assert provider.key("ES256") is None
    assert len(stub.asked) == 2


@contextmanager
def held(made: Authority, clock: Clock) -> Iterator[tuple[IdentityProvider, HttpsStub, threading.Event]]:
    """A provider that knows its keys, whose server answers no more until the event is set."""
    released = threading.Event()
    well = answers(Issuer().text)

    def waits(caller: socket.socket) -> None:
        assert released.wait(20)
        well(caller)

    with secured(made, well) as stub:
        provider = IdentityProvider(stub.address(), clock, seconds=20)
        assert provider.key("ES256") is not None
        stub.reply = waits
        try:
            yield provider, stub, released
        finally:
            released.set()


def test_whoever_has_a_known_key_waits_for_nobody(made: Authority) -> None:
    """Not for those who look for one that is not known, nor for whoever reads the set anew."""
    clock = Clock()
    with held(made, clock) as (provider, stub, released):
        clock.now += 6 * MINUTE
        found: list[object] = []
        reading = threading.Thread(target=lambda: found.append(provider.key("unknown")))
        reading.start()
        while len(stub.asked) < 2:
            reading.join(0.01)
            assert reading.is_alive()
        assert provider.key("ES256") is not None
        assert reading.is_alive()
        released.set()
        reading.join()
    assert found == [None]
    assert len(stub.asked) == 2
