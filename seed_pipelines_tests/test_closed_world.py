"""Where `make test-closed` runs the tests: nothing but loopback is there, and names mean nothing."""

import errno
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

SCRIPT: Final = Path(__file__).parent.parent / "scripts" / "ci" / "without-a-route.sh"
NOT_HERE: Final = 125

ATTEMPTS: Final = """
import json, os, socket, sys

def outcome(attempt):
    try:
        attempt()
    except socket.gaierror as error:
        return "no name: " + error.strerror
    except OSError as error:
        return error.errno
    return "went through"

def tcp(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as caller:
        caller.settimeout(5)
        caller.connect((address, 443))

def udp(family, address):
    with socket.socket(family, socket.SOCK_DGRAM) as caller:
        caller.sendto(b"x", (address, 53))

def loopback(family, address):
    with socket.create_server((address, 0), family=family) as server:
        socket.create_connection(server.getsockname()[:2], 5).close()

V4, V6 = socket.AF_INET, socket.AF_INET6
far = [(V4, "93.184.216.34"), (V4, "10.0.0.1"), (V4, "169.254.169.254"), (V4, "224.0.0.1"), (V6, "2606:2800::1")]
near = [(V4, "127.0.0.1"), (V6, "::1")]
families = {V4, V6} if sys.argv[1:] == ["ipv6"] else {V4}
print(json.dumps({
    "out": [outcome(lambda: way(family, there)) for way in (tcp, udp) for family, there in far if family in families],
    "names": [outcome(lambda: socket.getaddrinfo(name, 443)) for name in ("example.org", "host.docker.internal")],
    "loopback": [outcome(lambda: loopback(family, here)) for family, here in near if family in families],
    "localhost": outcome(lambda: socket.getaddrinfo("localhost", 443)),
    "interfaces": [name for _, name in socket.if_nameindex()],
    "user": [os.getuid(), os.getgid()],
}))
"""

UNSEEN: Final = """
import ctypes, os, socket, struct, subprocess, sys
import psycopg, psycopg2
from seed_pipelines.adapters import tripwire
from seed_pipelines.errors import ExternalCallsBlocked

tripwire.install(tuple)
FAR = "93.184.216.34"

def refused(message):
    if "Network is unreachable" not in message and "name resolution" not in message:
        raise SystemExit("neither unreachable nor unknown: " + message)

def libpq(connect, **parameters):
    try:
        connect(dbname="x", user="x", connect_timeout=5, **parameters)
    except (psycopg.OperationalError, psycopg2.OperationalError) as error:
        refused(str(error))
    else:
        raise SystemExit("went through")

for connect in (psycopg.connect, psycopg2.connect):
    libpq(connect, host=FAR)
    libpq(connect, host="localhost", hostaddr=FAR)
    for service in ("number", "name"):
        libpq(connect, service=service)
    for variable, value in (("PGSERVICE", "number"), ("PGSERVICE", "name"), ("PGHOSTADDR", FAR), ("PGHOST", FAR)):
        os.environ[variable] = value
        libpq(connect)
        del os.environ[variable]
libpq(psycopg2.connect, host="db.example.org")
try:
    psycopg.connect("host=db.example.org")
except ExternalCallsBlocked:
    pass  # it looks names up in Python, where the wire is
else:
    raise SystemExit("went through")

libc = ctypes.CDLL(None, use_errno=True)
where = struct.pack("!HH4s8x", socket.htons(socket.AF_INET), 443, socket.inet_aton(FAR))
if libc.connect(libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0), where, len(where)) != -1:
    raise SystemExit("went through")
refused(os.strerror(ctypes.get_errno()))

child = "import socket; socket.create_connection(('%s', 443), 5)" % FAR
refused(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=False).stderr)

try:
    socket.create_connection((FAR, 443), 5)
except ExternalCallsBlocked:
    print("held")
"""
"""What the tripwire does not see, in a process where it is spanned."""


def closed(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a command says where there is no route."""
    return subprocess.run(
        [str(SCRIPT), *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": os.environ["PATH"], **environment},
    )


def has_ipv6() -> bool:
    """Whether this machine has an IPv6 loopback at all."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def seen() -> Any:
    """What a process finds there."""
    if (refusal := closed("true")).returncode == NOT_HERE:
        pytest.skip(refusal.stderr.strip())
    found = closed(sys.executable, "-c", ATTEMPTS, *(["ipv6"] if has_ipv6() else []))
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def test_no_packet_has_a_way_out(seen: Any) -> None:
    """Public, private, link-local and multicast: the kernel itself says that the network is unreachable."""
    assert len(seen["out"]) >= 8
    assert set(seen["out"]) == {errno.ENETUNREACH}
    assert seen["interfaces"] == ["lo"]


def test_no_name_is_resolved_but_this_machines(seen: Any) -> None:
    assert all(str(outcome).startswith("no name: ") for outcome in seen["names"])
    assert seen["localhost"] == "went through"


def test_loopback_works(seen: Any) -> None:
    assert set(seen["loopback"]) == {"went through"}


@pytest.mark.usefixtures("seen")
def test_what_the_tripwire_does_not_see_has_no_way_out_either(tmp_path: Path) -> None:
    """Libpq, however it is told where to go, ctypes and child processes: the kernel stops them, where the wire could not."""
    services = tmp_path / "services.conf"
    services.write_text("[number]\nhost=93.184.216.34\n[name]\nhost=db.example.org\n", encoding="utf-8")
    found = closed(sys.executable, "-c", UNSEEN, PGSERVICEFILE=str(services))
    assert (found.stdout, found.returncode) == ("held\n", 0), found.stderr


def test_whoever_calls_stays_who_they_are(seen: Any) -> None:
    """A test that is run as root, or is not, is so in there too."""
    assert seen["user"] == [os.getuid(), os.getgid()]


@pytest.mark.usefixtures("seen")
def test_the_exit_code_is_that_of_the_command() -> None:
    assert closed("sh", "-c", "exit 7").returncode == 7


def test_where_there_can_be_no_namespace_nothing_is_run(tmp_path: Path) -> None:
    """As in a container without the capability: not a command that runs with a network after all."""
    refusing = tmp_path / "unshare"
    refusing.write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n", encoding="utf-8")
    refusing.chmod(0o755)
    ran = tmp_path / "ran"
    refused = closed("touch", str(ran), PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert refused.returncode == NOT_HERE
    assert "Operation not permitted" in refused.stderr
    assert not ran.exists()
