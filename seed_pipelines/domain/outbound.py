"""Which addresses a call may go to: a short list of hosts and ports, compared with addresses that can be read one way only."""

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal, cast

from seed_pipelines.errors import ExternalCallsBlocked

Scheme = Literal["http", "https"]

STUB_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1", "prism", "pact", "stub"})
"""Hosts of stubs, in their only accepted spelling."""
STUB_PORTS: Final = frozenset({80, 443, *range(4010, 4020)})
"""Ports of stubs, where a deployment names no others."""

_LONGEST: Final = 2048
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LAST_PORT: Final = 65_535
_SEGMENT: Final = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~!$&'()*+,=:-]+"
_PATH: Final = rf"(?:/{_SEGMENT})*/?"
_ADDRESS: Final = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])"
    r"(?P<port>:[1-9][0-9]{0,4})?"
    rf"(?P<path>{_PATH})",
    re.ASCII,
)
_TARGET: Final = re.compile(rf"{_PATH}(?:\?(?:[A-Za-z0-9._~!$&'()*+,=:/?-]|%[0-9A-Fa-f]{{2}})*)?", re.ASCII)
_OBJECTIONS: Final = (
    (re.compile(r"[^\x21-\x7e]"), "it holds a character that is not printable ASCII"),
    (re.compile(r"\\"), "it holds a backslash"),
    (re.compile(r"\A(?!https?://)"), "it does not begin with http:// or https://"),
    (re.compile(r"@"), "it holds an @, as credentials do"),
    (re.compile(r"[?#]"), "it holds a query or a fragment"),
    (re.compile(r"%"), "it holds a percent sign"),
    (re.compile(r";"), "it holds a semicolon, which some servers cut a path at"),
)
_LOOPBACK: Final = tuple(ipaddress.ip_network(network) for network in ("127.0.0.0/8", "::1/128"))
_PRIVATE: Final = tuple(
    ipaddress.ip_network(network) for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
METADATA: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16",
        "fe80::/10",
        "fd00:ec2::/32",
        "fd20:ce::/32",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.192/32",
    )
)
"""Where clouds have their metadata services: link-local for the most part, some in private networks, some public."""
_LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Endpoint:
    """Where a call may go."""

    scheme: Scheme
    host: str
    """A name of STUB_HOSTS; an IPv6 address has no brackets."""
    port: int
    path: str
    """What every path of the endpoint begins with: empty, or `/` and segments without a `/` at the end."""

    @property
    def authority(self) -> str:
        """Host and port, as a Host field has them (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def target(self, path: str) -> str:
        """The request target (RFC 9112, section 3.2.1) of a path, with or without a query; ExternalCallsBlocked."""
        if not path.startswith("/") or not _TARGET.fullmatch(path):
            raise _blocked(self.authority, "the path is not one that can be read one way only")
        return self.path + path


def endpoint_of(name: str, address: str, ports: Collection[int] = STUB_PORTS) -> Endpoint:
    """The endpoint that an address names, if it is on the list; ExternalCallsBlocked, with `name` and the reason.

    Nothing is normalised: what is not in its one canonical spelling (RFC 3986, section 6.2.2) is refused, as parsers
    differ about the rest. The address itself is not repeated in the refusal, for it may hold credentials.
    """
    if len(address) > _LONGEST:
        raise _blocked(name, f"it has more than {_LONGEST} characters")
    for objection, reason in _OBJECTIONS:
        if objection.search(address):
            raise _blocked(name, reason)
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise _blocked(name, "it is not written as host, port and path in lower case, or not in the shortest way")
    scheme = cast(Scheme, found["scheme"])
    host = found["host"].strip("[]")
    port = int(found["port"][1:]) if found["port"] else _DEFAULT_PORTS[scheme]
    if host not in STUB_HOSTS:
        raise _blocked(name, f"{host} is none of the hosts of stubs: {', '.join(sorted(STUB_HOSTS))}")
    if port not in ports or port > _LAST_PORT:
        raise _blocked(name, f"{port} is none of the ports of stubs, which SEED_STUB_PORTS names")
    return Endpoint(scheme, host, port, found["path"].rstrip("/"))


def is_near(host: str, address: str) -> bool:
    """Whether an IP address that a host of STUB_HOSTS resolved to may be connected to.

    Loopback (RFC 1122, section 3.2.1.3) for the loopback names; loopback or private (RFC 1918, RFC 4193) for the others;
    never link-local, unspecified, mapped, scoped, or a metadata service.
    """
    if "%" in address:
        return False
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if any(found in network for network in _LOOPBACK):
        return True
    private = any(found in network for network in _PRIVATE) and not any(found in network for network in METADATA)
    return private and host not in _LOOPBACK_HOSTS


def ports_of(text: str) -> frozenset[int]:
    """The ports of a list like `80,4010-4014`; ValueError for anything else."""
    ports: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*([1-9][0-9]{0,4})(?:-([1-9][0-9]{0,4}))?\s*", part, re.ASCII)
        if found is None:
            raise ValueError(f"{part!r} is neither a port nor a range of ports like 4010-4014")
        first, last = int(found[1]), int(found[2] or found[1])
        if not first <= last <= _LAST_PORT:
            raise ValueError(f"{part!r} is no range of ports from 1 to {_LAST_PORT}")
        ports.update(range(first, last + 1))
    return frozenset(ports)


def _blocked(endpoint: str, reason: str) -> ExternalCallsBlocked:
    return ExternalCallsBlocked(
        f"{endpoint} is not the address of a stub: {reason}. Nothing was called.", endpoint=endpoint, reason=reason
    )
