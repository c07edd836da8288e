"""The process that answers: one HTTP server until SIGINT or SIGTERM."""

import gc
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from seed_pipelines.errors import RequestInvalid

_HEADER_BYTES: Final = 16_384
"""Most bytes of a request's line and header fields."""
_IDLE_SECONDS: Final = 15
_ENDING_SECONDS: Final = 30
_WAITING: Final = 2_048
"""Connections that wait to be taken, as uvicorn has it."""


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that takes connections at an address, until the block ends; RequestInvalid where it cannot."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=_WAITING)
    except OSError as error:
        reason = error.strerror or str(error)
        raise RequestInvalid(
            f"Nothing can be served at {host}, port {port}: {reason}. Choose another --port."
        ) from error
    with listener:
        yield listener


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve an application over plain HTTP; either signal lets requests at work end."""
    config = uvicorn.Config(
        app,
        server_header=False,
        proxy_headers=False,
        http="h11",
        h11_max_incomplete_event_size=_HEADER_BYTES,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_ENDING_SECONDS,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises a signal that it has obeyed once more, for whoever had a handler before it.
        signal.signal(number, lambda *_: None)
    # What is there by now stays: looking through all of it for garbage would halt every request, for a fifth of a second.
    gc.collect()
    gc.freeze()
    uvicorn.Server(config).run(sockets=[listener])
