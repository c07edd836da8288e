"""`python -m seed_pipelines_tests.benchmarks.api_server`: the API as it is served, and empty endpoints in the same process."""

from typing import Final

import click
from fastapi import FastAPI
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from seed_pipelines.api.server import listening, serve
from seed_pipelines.api.wiring import app_of
from seed_pipelines.local.environment import use_local_stack
from seed_pipelines.orchestration.instance import dagster_instance
from seed_pipelines.orchestration.settings import Settings

EMPTY: Final = "/empty"
EMPTY_IN_THREAD: Final = "/empty-in-thread"

empty_app: Final = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)


@empty_app.post(EMPTY)
async def empty() -> Response:
    """Nothing."""
    return Response()


@empty_app.post(EMPTY_IN_THREAD)
def empty_in_thread() -> Response:
    """Nothing, where all work is done that may wait."""
    return Response()


class Beside:
    """An application with the empty endpoints beside it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        app = empty_app if scope.get("path") in (EMPTY, EMPTY_IN_THREAD) else self._app
        await app(scope, receive, send)


@click.command()
@click.option("--port", type=int, required=True)
def api_server(port: int) -> None:
    """Serve until SIGTERM."""
    use_local_stack(subject="service")
    with listening("127.0.0.1", port) as listener, dagster_instance() as instance:
        serve(Beside(app_of(Settings(), instance)), listener)


if __name__ == "__main__":
    api_server()
