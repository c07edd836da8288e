"""A stub of an outside system, to the byte: it sends what a test wants it to, HTTP or not."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from seed_pipelines.domain.outbound import Endpoint, endpoint_of

_PATIENCE_SECONDS = 20

Reply = Callable[[socket.socket], None]


def sends(*parts: bytes) -> Reply:
    """A reply that sends the parts and closes."""

    def reply(caller: socket.socket) -> None:
        for part in parts:
            caller.sendall(part)

    return reply


WELL = sends(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"well":true}')


@dataclass
class RawStub:
    """Listens on a loopback port and answers each request as `reply` does."""

    port: int
    reply: Reply
    asked: list[bytes] = field(default_factory=list)
    """What each caller sent."""

    def endpoint(self, host: str = "stub", path: str = "") -> Endpoint:
        """Where it is, under a name of a stub."""
        return endpoint_of("test", f"http://{host}:{self.port}{path}", {self.port})


@contextmanager
def listening(reply: Reply = WELL) -> Iterator[RawStub]:
    """A stub on a free loopback port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stub = RawStub(server.getsockname()[1], reply)
        thread = threading.Thread(target=_answer_all, args=(server, stub))
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _answer_all(server: socket.socket, stub: RawStub) -> None:
    while True:
        try:
            caller, _ = server.accept()
        except OSError:
            return
        with caller:
            caller.settimeout(_PATIENCE_SECONDS)
            stub.asked.append(_request(caller))
            try:
                stub.reply(caller)
            except OSError:
                continue  # the client hung up, as some tests want


def _request(caller: socket.socket) -> bytes:
    """All that a request says it has."""
    received = caller.recv(65_536)
    length = re.search(rb"content-length: (\d+)", received, re.IGNORECASE)
    whole = received.find(b"\r\n\r\n") + 4 + (int(length[1]) if length else 0)
    while len(received) < whole:
        received += caller.recv(65_536)
    return received
