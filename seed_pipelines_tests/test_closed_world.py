"""Where `make test-closed` runs the tests: nothing but loopback is there, and names mean nothing."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

SCRIPT: Final = Path(__file__).parent.parent / "scripts" / "ci" / "without-a-route.sh"
NOT_HERE: Final = 125

ATTEMPTS: Final = """
import json, os, socket

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
print(json.dumps({
    "out": [outcome(lambda: way(family, address)) for way in (tcp, udp) for family, address in (
        (V4, "93.184.216.34"), (V4, "10.0.0.1"), (V4, "169.254.169.254"), (V4, "224.0.0.1"), (V6, "2606:2800::1"))],
    "names": [outcome(lambda: socket.getaddrinfo(name, 443)) for name in ("example.org", "host.docker.internal")],
    "loopback": [outcome(lambda: loopback(V4, "127.0.0.1")), outcome(lambda: loopback(V6, "::1"))],
    "localhost": outcome(lambda: socket.getaddrinfo("localhost", 443)),
    "interfaces": [name for _, name in socket.if_nameindex()],
    "user": [os.getuid(), os.getgid()],
}))
"""


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


@pytest.fixture(scope="module")
def seen() -> Any:
    """What a process finds there."""
    if (refusal := closed("true")).returncode == NOT_HERE:
        pytest.skip(refusal.stderr.strip())
    found = closed(sys.executable, "-c", ATTEMPTS)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def test_no_packet_has_a_way_out(seen: Any) -> None:
    """Public, private, link-local and multicast: the kernel itself says that the network is unreachable."""
    assert seen["out"] == [errno.ENETUNREACH] * 10
    assert seen["interfaces"] == ["lo"]


def test_no_name_is_resolved_but_this_machines(seen: Any) -> None:
    assert all(str(outcome).startswith("no name: ") for outcome in seen["names"])
    assert seen["localhost"] == "went through"


def test_loopback_works(seen: Any) -> None:
    assert seen["loopback"] == ["went through"] * 2


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
