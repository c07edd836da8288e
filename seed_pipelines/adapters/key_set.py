"""A JSON Web Key Set (RFC 7517) where it is published: in a file, or at an https address."""

import json
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection, IncompleteRead
from pathlib import Path
from threading import Event, Timer
from typing import Any, Final
from urllib.parse import urlsplit

from seed_pipelines.errors import RequestInvalid

LARGEST_KEY_SET: Final = 1 << 20
"""Bytes; a set has a few thousand."""


def reader_of(location: str, seconds: float) -> Callable[[], dict[str, Any]]:
    """What reads the set at a path, or at an https address directly: without a proxy, credentials or redirects.

    RequestInvalid for any other location. The reader raises OSError, HTTPException, ValueError or TypeError if there is no
    whole set of at most a mebibyte within `seconds` once the host's name is resolved (each of its addresses has as many to
    accept the connection). The server's certificate must be of an
    authority that OpenSSL trusts: those of the system, or of the file that `SSL_CERT_FILE` names.
    """
    parts = urlsplit(location)
    if not parts.scheme:
        return lambda: _set(_file(Path(location)))
    if parts.scheme != "https":
        raise RequestInvalid(f"The key set must be a file or stand at an https address, not {parts.scheme}.")
    if not parts.hostname or "@" in parts.netloc:
        raise RequestInvalid("The address of the key set must have a host, and neither a user nor a password.")
    host, port = parts.hostname, parts.port
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    return lambda: _set(_answer(_Connection(host, port, timeout=seconds), target, seconds))


class _Connection(HTTPSConnection):
    """Can be cut at any time, also in its handshake: a timeout alone begins anew with every byte."""

    wire: socket.socket | None = None
    """The connection below TLS."""

    def __init__(self, host: str, port: int | None, timeout: float) -> None:
        self.expired = Event()
        self._trusted = ssl.create_default_context()
        super().__init__(host, port, timeout=timeout, context=self._trusted)

    def connect(self) -> None:
        """Connect; TimeoutError if it was cut before."""
        HTTPConnection.connect(self)
        self.wire = self.sock.dup()
        if self.expired.is_set():
            raise TimeoutError("it took too long to connect")
        self.sock = self._trusted.wrap_socket(self.sock, server_hostname=self.host)

    def cut(self) -> None:
        """End it: whoever waits for it waits no longer."""
        self.expired.set()
        if self.wire is not None:
            # It may be closed by now.
            with suppress(OSError):
                self.wire.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close both sockets."""
        super().close()
        if self.wire is not None:
            self.wire.close()


def _answer(connection: _Connection, target: str, seconds: float) -> bytes:
    timer = Timer(seconds, connection.cut)
    timer.start()
    try:
        connection.request("GET", target, headers={"Accept": "application/json"})
        response = connection.getresponse()
        body = response.read(LARGEST_KEY_SET + 1)
    except (OSError, HTTPException) as error:
        if not connection.expired.is_set():
            raise
        raise TimeoutError(f"no whole answer within {seconds:g} s") from error
    finally:
        timer.cancel()
        timer.join()
        connection.close()
    if connection.expired.is_set():
        raise TimeoutError(f"no whole answer within {seconds:g} s")
    if response.status != 200:
        raise HTTPException(f"the answer is {response.status}")
    if len(body) <= LARGEST_KEY_SET and response.length:
        raise IncompleteRead(body, response.length)
    return body


def _file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST_KEY_SET + 1)


def _set(content: bytes) -> dict[str, Any]:
    if len(content) > LARGEST_KEY_SET:
        raise ValueError(f"it has more than {LARGEST_KEY_SET:,} bytes")
    try:
        return dict(json.loads(content))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
