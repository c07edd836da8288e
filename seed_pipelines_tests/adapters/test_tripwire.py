"""The wire across the way out: what may be reached, and that Python's own sockets cannot get past it."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from seed_pipelines.adapters.tripwire import Site, Tripwire
from seed_pipelines.errors import ExternalCallsBlocked

FAR = "93.184.216.34"
NEAR_VAULT = "10.0.0.5"

V4 = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
V6 = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
UNIX = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Any:
    yield
    for opened in (V4, V6, UNIX):
        opened.close()


class Clock:
    """A clock that stands until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        """Seconds since some moment."""
        return self.now


def wire(clock: Clock | None = None) -> Tripwire:
    """A wire with a Vault by name, a bucket below a domain, and a collector by number."""
    found = Tripwire(clock or Clock())
    found.sources.append(lambda: (Site("vault", 8200), Site(".s3.example", 443), Site("10.1.1.1", 4318)))
    return found


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("socket.connect", (V4, ("127.0.0.1", 5432))),
        ("socket.connect", (V4, ("localhost", 5432))),
        ("socket.connect", (V6, ("::1", 5432, 0, 0))),
        ("socket.connect", (V6, ("::ffff:127.0.0.1", 5432, 0, 0))),
        ("socket.connect", (UNIX, "/run/postgresql/.s.PGSQL.5432")),
        ("socket.connect", (V4, ("10.1.1.1", 4318))),
        ("socket.connect", (V4, (b"127.0.0.1", 1))),
        ("socket.sendto", (V4, ("127.0.0.1", 8125))),
        ("socket.__new__", (None, socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0)),
        ("socket.__new__", (None, socket.AF_UNIX, socket.SOCK_STREAM, 0)),
        ("socket.__new__", (None, -1, -1, -1)),
        ("socket.sendmsg", (V4, None)),
        ("socket.getaddrinfo", (None, 80, 0, 0, 0)),
        ("socket.getaddrinfo", ("localhost", "http", 0, 0, 0)),
        ("socket.getaddrinfo", ("vault", 8200, 0, 0, 0)),
        ("socket.getaddrinfo", ("VAULT.", "8200", 0, 0, 0)),
        ("socket.getaddrinfo", (b"bucket.s3.example", 443, 0, 0, 0)),
        ("socket.gethostbyname", ("vault",)),
        ("socket.gethostbyname", (socket.gethostname(),)),
        ("socket.getnameinfo", (("127.0.0.1", 80),)),
        ("open", ("/etc/passwd", "r", 0)),
    ],
)
def test_this_machine_and_the_servers_on_the_list_are_reached(event: str, arguments: tuple[Any, ...]) -> None:
    wire().audit(event, arguments)


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("socket.connect", (V4, (FAR, 443))),
        ("socket.connect", (V4, ("evil.example", 443))),
        ("socket.connect", (V4, (b"93.184.216.34", 443))),
        ("socket.connect", (V4, ("0.0.0.0", 80))),  # noqa: S104  # refused, not bound
        ("socket.connect", (V4, ("169.254.169.254", 80))),
        ("socket.connect", (V4, ("2130706434", 80))),
        ("socket.connect", (V4, ("10.1.1.1", 4317))),
        ("socket.connect", (V4, (NEAR_VAULT, 8200))),
        ("socket.connect", (V6, ("2606:2800::1", 443, 0, 0))),
        ("socket.connect", (V6, ("::ffff:93.184.216.34", 443, 0, 0))),
        ("socket.sendto", (V4, (FAR, 53))),
        ("socket.sendmsg", (V4, (FAR, 53))),
        ("socket.sendto", (V4, ("127.0.0.53", 53))),
        ("socket.connect", (V6, ("::1", 53, 0, 0))),
        ("socket.connect", (V4, ("127.1", 80))),
        ("socket.connect", (V4, ("<broadcast>", 80))),
        ("socket.connect", (V6, ("::127.0.0.1", 80, 0, 0))),
        ("socket.connect", (V6, ("64:ff9b::7f00:1", 80, 0, 0))),
        ("socket.connect", (V6, ("2002:7f00:1::", 80, 0, 0))),
        ("socket.connect", (V6, ("fe80::1%lo", 80, 0, 2))),
        ("socket.__new__", (None, socket.AF_PACKET, socket.SOCK_RAW, 0)),
        ("socket.__new__", (None, socket.AF_INET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 1)),
        ("socket.__new__", (None, socket.AF_VSOCK, socket.SOCK_STREAM, 0)),
        ("socket.getaddrinfo", ("telemetry.evil.example", 443, 0, 0, 0)),
        ("socket.getaddrinfo", (FAR, 443, 0, 0, 0)),
        ("socket.getaddrinfo", ("localhost.evil.example", 443, 0, 0, 0)),
        ("socket.getaddrinfo", ("vault.evil.example", 8200, 0, 0, 0)),
        ("socket.getaddrinfo", ("vault", 443, 0, 0, 0)),
        ("socket.getaddrinfo", ("evils3.example", 443, 0, 0, 0)),
        ("socket.gethostbyname", ("evil.example",)),
        ("socket.gethostbyaddr", (FAR,)),
        ("socket.getnameinfo", ((FAR, 80),)),
    ],
)
def test_nothing_else_is(event: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ExternalCallsBlocked) as refusal:
        wire().audit(event, arguments)
    assert refusal.value.exit_code == 2
    assert refusal.value.extensions["endpoint"]


class TestLookup:
    def test_what_a_listed_name_resolves_to_is_reached_at_its_port(self) -> None:
        found = wire()
        found.audit("socket.getaddrinfo", ("vault", 8200, 0, 0, 0))
        found.audit("socket.connect", (V4, (NEAR_VAULT, 8200)))
        for beyond in ((NEAR_VAULT, 22), ("evil.example", 8200)):
            with pytest.raises(ExternalCallsBlocked):
                found.audit("socket.connect", (V4, beyond))

    @pytest.mark.parametrize(
        "address", ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "fe80::1", "::", "ff02::1"]
    )
    def test_no_listed_name_means_a_metadata_service(self, address: str) -> None:
        """A name may be made to resolve to one: that server's port is not open there."""
        found = wire()
        found.audit("socket.getaddrinfo", ("vault", 8200, 0, 0, 0))
        with pytest.raises(ExternalCallsBlocked):
            found.audit("socket.connect", (V6, (address, 8200, 0, 0)))

    def test_a_lookup_holds_for_half_a_minute(self) -> None:
        clock = Clock()
        found = wire(clock)
        found.audit("socket.getaddrinfo", ("vault", 8200, 0, 0, 0))
        clock.now += 31
        with pytest.raises(ExternalCallsBlocked):
            found.audit("socket.connect", (V4, (NEAR_VAULT, 8200)))

    def test_a_lookup_without_a_port_opens_the_ports_of_the_list_alone(self) -> None:
        found = wire()
        found.audit("socket.gethostbyname", ("vault",))
        found.audit("socket.connect", (V4, (NEAR_VAULT, 8200)))
        with pytest.raises(ExternalCallsBlocked):
            found.audit("socket.connect", (V4, (NEAR_VAULT, 443)))

    def test_a_refused_lookup_opens_nothing(self) -> None:
        found = wire()
        with pytest.raises(ExternalCallsBlocked):
            found.audit("socket.getaddrinfo", ("evil.example", 8200, 0, 0, 0))
        with pytest.raises(ExternalCallsBlocked):
            found.audit("socket.connect", (V4, (FAR, 8200)))


EDGES = {
    "seed-data": "from seed_pipelines.cli import main; main(['--help'], standalone_mode=False)",
    "seed_data": "import seed_pipelines.cli as cli, sys; sys.argv = ['seed_data', '--help']\n"
    "try: cli.seed_data()\nexcept SystemExit: pass",
    "one code location": "import seed_pipelines.definitions",
    "a code location of many": "from seed_pipelines.orchestration.locations import dev; dev()",
}

ATTEMPTS = f"""
import asyncio, concurrent.futures, os
import socket, http.client, urllib.request, urllib3, requests
from seed_pipelines.errors import ExternalCallsBlocked

def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("{FAR}", 53))

def raw():
    with socket.socket() as sock:
        sock.connect_ex(("{FAR}", 443))

def message():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendmsg([b"x"], [], 0, ("{FAR}", 53))

def name_server():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("127.0.0.53", 53))

def connected_datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("{FAR}", 53))

def of_a_descriptor():
    with socket.socket() as sock, socket.socket(fileno=os.dup(sock.fileno())) as other:
        other.connect(("{FAR}", 443))

def in_a_thread():
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(raw).result()

def in_a_fork():
    child = os.fork()
    if not child:
        try:
            raw()
        except ExternalCallsBlocked:
            os._exit(9)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9:
        raise ExternalCallsBlocked("in the child", endpoint="", reason="")

async def stream(host):
    await asyncio.wait_for(asyncio.open_connection(host, 443), 5)

async def datagram():
    await asyncio.get_running_loop().create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=("{FAR}", 53))

async def loop_sends():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_sendto(sock, b"x", ("{FAR}", 53))

def by_a_proxy(call):
    def attempt():
        os.environ.update(http_proxy="http://10.9.9.9:3128", all_proxy="http://10.9.9.9:3128")
        try:
            call("http://telemetry.example/")
        finally:
            del os.environ["http_proxy"], os.environ["all_proxy"]
    return attempt

attempts = [
    udp, raw, message, name_server, connected_datagram, of_a_descriptor, in_a_thread, in_a_fork,
    lambda: asyncio.run(stream("{FAR}")),
    lambda: asyncio.run(stream("telemetry.example")),
    lambda: asyncio.run(datagram()),
    lambda: asyncio.run(loop_sends()),
    by_a_proxy(lambda url: urllib.request.urlopen(url, timeout=1)),
    by_a_proxy(lambda url: requests.get(url, timeout=1)),
    lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    lambda: socket.getfqdn("telemetry.example"),
    lambda: socket.gethostbyaddr("{FAR}"),
    lambda: socket.create_connection(("{FAR}", 443), 1),
    lambda: socket.getaddrinfo("telemetry.example", 443),
    lambda: socket.gethostbyname("telemetry.example"),
    lambda: http.client.HTTPSConnection("telemetry.example", timeout=1).request("GET", "/"),
    lambda: urllib.request.urlopen("http://{FAR}/", timeout=1),
    lambda: urllib3.PoolManager().request("GET", "http://telemetry.example/", timeout=1),
    lambda: requests.get("http://telemetry.example/", timeout=1),
]
for attempt in attempts:
    try:
        attempt()
    except ExternalCallsBlocked:
        continue
    raise SystemExit("went through")
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname(), 5).close()
    socket.create_connection(("localhost", server.getsockname()[1]), 5).close()
print("held")
"""


@pytest.mark.parametrize("edge", EDGES)
def test_no_python_library_gets_past_it_in_a_process_of_the_program(edge: str, tmp_path: Path) -> None:
    """Whichever way the process began; and this machine is still reached."""
    environment = {"PATH": os.defpath, "SEED_MANIFESTS_DIR": str(tmp_path), "DAGSTER_HOME": str(tmp_path)}
    command = [sys.executable, "-c", EDGES[edge] + "\n" + ATTEMPTS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("held\n")


def test_dagster_reports_nothing_home() -> None:
    """Its processes are not all the program's own."""
    instance = yaml.safe_load((Path(__file__).parents[2] / "dagster.yaml").read_bytes())
    assert instance["telemetry"] == {"enabled": False}
