"""A wire across the way out of the process: sockets reach this machine and the program's own servers, or nothing.

It catches what was not meant: a library that reports home, a client that was given a real address. It is no wall, and
docs/deployment.md names what it does not see: code that is not Python's (libpq, the AWS SDK of Arrow, gRPC, libuv), ctypes, child
processes and interpreters that do not install it themselves, sockets that were connected before, and what a proxy on this
machine does with a call. It cannot see what a name resolves to either: for half a minute after a listed name was looked up, any
address but a metadata service may be connected to at that name's port. What must not get out whatever happens needs a network
namespace or a network policy.
"""

import ipaddress
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from seed_pipelines.domain.outbound import METADATA
from seed_pipelines.errors import ExternalCallsBlocked

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_LOOKUP_SECONDS: Final = 30.0
_INTERNET: Final = frozenset({socket.AF_INET, socket.AF_INET6})
_OF_THIS_MACHINE: Final = frozenset(
    getattr(socket, name) for name in ("AF_UNIX", "AF_NETLINK", "AF_ALG") if hasattr(socket, name)
)
_GIVEN: Final = -1
"""The family of a socket that is made of a file descriptor: it is known when the socket is used."""
_KIND: Final = 0xF
"""The bits of a socket's type without its flags (Linux, `socket(2)`)."""
_RESOLVER_PORT: Final = 53
"""On this machine too it is asked for names of the outside (RFC 1035, section 4.2), and passes the question on."""
_NAMES_OF_THIS_MACHINE: Final = frozenset({"", "localhost"})


@dataclass(frozen=True)
class Site:
    """A server of the program's own."""

    host: str
    """A name or an IP address; with a dot in front, every name below it."""
    port: int | None
    """None for every port."""

    def has(self, host: str, port: int | None) -> bool:
        """Whether a call to this host and port is one to this server; a port of None is not known yet."""
        named = host.endswith(self.host) if self.host.startswith(".") else host == self.host
        return named and (self.port is None or port is None or port == self.port)


Sites = Callable[[], Iterable[Site]]


class Tripwire:
    """Decides about the audit events of `socket`; others pass."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_spanned = False
        self.sources: list[Sites] = []
        """What gives the servers that may be reached, asked at each call that is not to this machine."""
        self._clock = clock
        self._looked_up: dict[int | None, float] = {}
        """Port of a listed name -> when it was looked up."""
        self._checks: dict[str, Callable[..., None]] = {
            "socket.__new__": self._creation,
            "socket.connect": self._connection,
            "socket.sendto": self._connection,
            "socket.sendmsg": self._connection,
            "socket.getaddrinfo": self._lookup,
            "socket.gethostbyname": self._lookup,
            "socket.gethostbyaddr": self._lookup,
            "socket.getnameinfo": self._reverse_lookup,
        }

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook (PEP 578); ExternalCallsBlocked for a call to the outside."""
        check = self._checks.get(event)
        if check is not None:
            check(*arguments)

    def _creation(self, _: socket.socket, family: int, kind: int, *__: Any) -> None:
        """Sockets that send without naming where to: raw ones, and those of other families."""
        known = family == _GIVEN or family in _INTERNET or family in _OF_THIS_MACHINE
        if not known or (family in _INTERNET and kind & _KIND == socket.SOCK_RAW):
            raise _blocked(f"a socket of family {int(family)} and type {kind & _KIND}")

    def _connection(self, caller: socket.socket, address: Any) -> None:
        if address is None or caller.family in _OF_THIS_MACHINE:
            return
        if caller.family not in _INTERNET or not isinstance(address, tuple):
            raise _blocked(f"a socket of family {int(caller.family)}")
        host, port = _text(address[0]), int(address[1])
        here = _is_here(host) and port != _RESOLVER_PORT
        if not (here or any(self._listed(host, port)) or self._follows_a_lookup(host, port)):
            raise _blocked(f"{host}, port {port}")

    def _lookup(self, host: Any, port: Any = None, *_: Any) -> None:
        name, number = _text(host), _number(port)
        if _is_here(name) or name == socket.gethostname().lower():
            return
        ports = {number if site.port is None else site.port for site in self._listed(name, number)}
        if not ports:
            raise _blocked(name if number is None else f"{name}, port {number}")
        self._looked_up.update(dict.fromkeys(ports, self._clock()))

    def _reverse_lookup(self, address: tuple[Any, ...]) -> None:
        self._lookup(address[0], address[1])

    def _listed(self, host: str, port: int | None) -> Iterator[Site]:
        return (site for sites in self.sources for site in sites() if site.has(host, port))

    def _follows_a_lookup(self, host: str, port: int) -> bool:
        address = _address(host)
        if address is None or _is_nobodys(address):
            return False
        latest = max(self._looked_up.get(port, 0.0), self._looked_up.get(None, 0.0))
        return latest > 0.0 and self._clock() - latest <= _LOOKUP_SECONDS


_TRIPWIRE: Final = Tripwire()


def install(sites: Sites) -> None:
    """Span the wire in this process, for good; these servers may be reached."""
    admit(sites)
    if not _TRIPWIRE.is_spanned:
        _TRIPWIRE.is_spanned = True
        sys.addaudithook(_TRIPWIRE.audit)


def admit(sites: Sites) -> None:
    """Let these servers be reached too, where the wire is spanned."""
    if sites not in _TRIPWIRE.sources:
        _TRIPWIRE.sources.append(sites)


def _blocked(endpoint: str) -> ExternalCallsBlocked:
    reason = "neither on this machine nor one of the program's own servers"
    return ExternalCallsBlocked(
        f"Something tried to reach {endpoint}, which is {reason}. It was stopped before anything was sent; a server that "
        "belongs to the deployment is named in SEED_INFRASTRUCTURE_HOSTS.",
        endpoint=endpoint,
        reason=reason,
    )


def _is_here(host: str) -> bool:
    address = _address(host)
    return host in _NAMES_OF_THIS_MACHINE if address is None else address.is_loopback


def _is_nobodys(address: IPAddress) -> bool:
    """Whether no server of a deployment has this address, so that no name of one can mean it."""
    return address.is_multicast or address.is_unspecified or any(address in network for network in METADATA)


def _address(host: str) -> IPAddress | None:
    """The address that a host is; that which a mapped one stands for (RFC 4291, section 2.5.5.2)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _text(host: Any) -> str:
    """A host as the socket module takes it: None, text or bytes; a name's trailing dot says nothing here."""
    text = "" if host is None else bytes(host).decode("latin-1") if isinstance(host, bytes | bytearray) else str(host)
    return text.lower().removesuffix(".")


def _number(port: Any) -> int | None:
    text = "" if port is None else _text(port)
    return int(text) if text.isascii() and text.isdigit() else None
