"""HTTP to the stubs, and to nothing else: the vetted address is the one that is connected to."""

import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from threading import Event, Timer
from typing import Any, Final

from seed_pipelines.domain.outbound import Endpoint, is_near
from seed_pipelines.errors import ExternalCallsBlocked, StubUnavailable

Resolver = Callable[[str, int], Sequence[str]]
"""Host and port -> the IP addresses to try, in order; OSError if there is none."""

_CONNECT_SECONDS: Final = 2.0
_MOST_BYTES: Final = 1 << 20
_OWN_FIELDS: Final = frozenset({"host", "accept", "content-type", "content-length", "transfer-encoding", "connection"})
"""Fields that the client alone sets."""


@dataclass(frozen=True)
class Answer:
    """What a stub answered."""

    status: int
    headers: Mapping[str, str]
    """Field name in lower case -> value; those of a repeated field are joined by commas (RFC 9110, section 5.3)."""
    body: bytes

    def json(self) -> Any:
        """The body, read as JSON; ValueError."""
        return json.loads(self.body)


def resolve(host: str, port: int) -> Sequence[str]:
    """The IP addresses that the system's resolver has for a host; OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class OutboundClient:
    """Makes requests to endpoints on the list, without proxies, cookies, redirects or a second name resolution."""

    def __init__(self, *, resolver: Resolver = resolve, timeout: float = 10) -> None:
        """`timeout` is in seconds, for a whole exchange once the name is resolved; each address has at most two of them."""
        self._resolver = resolver
        self._timeout = timeout

    def request(
        self,
        method: str,
        endpoint: Endpoint,
        path: str,
        *,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer of any status, redirects too, to a request with `content` as JSON.

        Raises ExternalCallsBlocked if the host resolves to an address that is neither loopback nor private, or if `path`
        can be read in two ways; StubUnavailable if there is no whole answer in time, or one of more than a mebibyte.
        """
        target = endpoint.target(path)
        addresses = self._vetted(endpoint)
        body = None if content is None else json.dumps(content).encode()
        fields = {name: value for name, value in (headers or {}).items() if name.lower() not in _OWN_FIELDS}
        fields |= {"Host": endpoint.authority, "Accept": "application/json, application/problem+json"}
        if body is not None:
            fields["Content-Type"] = "application/json"
        connection = _VettedConnection(endpoint, addresses, self._timeout)
        with _translated(endpoint), _within(self._timeout, connection):
            connection.request(method, target, body, fields)
            return _read(connection.getresponse())

    def _vetted(self, endpoint: Endpoint) -> Sequence[str]:
        with _translated(endpoint):
            addresses = self._resolver(endpoint.host, endpoint.port)
        far = [address for address in addresses if not is_near(endpoint.host, address)]
        if far or not addresses:
            reason = f"{endpoint.host} resolves to {', '.join(far) or 'nothing'}"
            raise ExternalCallsBlocked(
                f"{endpoint.authority} is not the address of a stub: {reason}. Nothing was called.",
                endpoint=endpoint.authority,
                reason=reason,
            )
        return addresses


class _VettedConnection(HTTPConnection):
    """Connects to the first of the vetted addresses that takes it; the name serves the Host field and TLS alone."""

    def __init__(self, endpoint: Endpoint, addresses: Sequence[str], timeout: float) -> None:
        super().__init__(endpoint.host, endpoint.port, timeout=timeout)
        self._endpoint, self._addresses = endpoint, addresses
        self.wire: socket.socket | None = None
        """The socket, also once an answer without a length has taken it over."""

    def connect(self) -> None:
        """Connect; OSError of the last address if none takes it."""
        self.sock = self.wire = self._connected()
        self.sock.settimeout(self.timeout)
        if self._endpoint.scheme == "https":
            secured = ssl.create_default_context().wrap_socket(
                self.sock, server_hostname=self._endpoint.host, do_handshake_on_connect=False
            )
            self.sock = self.wire = secured
            secured.do_handshake()

    def _connected(self) -> socket.socket:
        *others, last = self._addresses
        for address in others:
            with suppress(OSError):
                return self._to(address)
        return self._to(last)

    def _to(self, address: str) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.settimeout(min(_CONNECT_SECONDS, self.timeout or _CONNECT_SECONDS))
            sock.connect((address, self._endpoint.port))
        except OSError:
            sock.close()
            raise
        return sock


@contextmanager
def _within(seconds: float, connection: _VettedConnection) -> Iterator[None]:
    """Cut the connection when the time is up, so that an answer in drops ends too; TimeoutError then."""
    expired = Event()

    def cut() -> None:
        expired.set()
        if connection.wire is not None:
            # The method of a TLS socket would take the session away from under its reader. It may be closed by now.
            with suppress(OSError):
                socket.socket.shutdown(connection.wire, socket.SHUT_RDWR)

    timer = Timer(seconds, cut)
    timer.start()
    try:
        yield
    except (OSError, HTTPException) as error:
        if not expired.is_set():
            raise
        raise TimeoutError(f"no whole answer within {seconds:g} s") from error
    finally:
        timer.cancel()
        timer.join()
        connection.close()
    if expired.is_set():
        raise TimeoutError(f"no whole answer within {seconds:g} s")


@contextmanager
def _translated(endpoint: Endpoint) -> Iterator[None]:
    try:
        yield
    except (OSError, HTTPException) as error:
        raise StubUnavailable(
            f"The stub at {endpoint.authority} gave no answer ({type(error).__name__}: {error}). Start it with "
            "`seed-data up`, or set the address where it is.",
            endpoint=endpoint.authority,
        ) from error


def _read(response: HTTPResponse) -> Answer:
    body = response.read(_MOST_BYTES + 1)
    if len(body) > _MOST_BYTES:
        raise HTTPException(f"an answer of more than {_MOST_BYTES} bytes")
    if response.length:
        raise IncompleteRead(body, response.length)
    fields: dict[str, str] = {}
    for name, value in response.getheaders():
        known = fields.get(name.lower())
        fields[name.lower()] = value if known is None else f"{known}, {value}"
    return Answer(response.status, fields, body)
