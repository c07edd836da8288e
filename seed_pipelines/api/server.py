"""The process that answers: one HTTP server until SIGINT or SIGTERM."""

import gc
import signal
from typing import Final

import uvicorn
from starlette.types import ASGIApp

_HEADER_BYTES: Final = 16_384
"""Most bytes of a request's line and header fields."""
_IDLE_SECONDS: Final = 15
_ENDING_SECONDS: Final = 30


def serve(app: ASGIApp, host: str, port: int) -> None:
    """Serve an application over plain HTTP; either signal lets requests at work end."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
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
    gc.freeze()  # what is loaded by now stays: no collection needs to look through it again
    uvicorn.Server(config).run()
