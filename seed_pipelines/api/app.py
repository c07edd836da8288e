"""The application: its routes, and every refusal as Problem Details."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, Final

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import ASGIApp

from seed_pipelines.api import health, reference, seed_profiles, seed_runs
from seed_pipelines.api.answers import Answer, problem_answer
from seed_pipelines.api.rate_headers import CommonHeaders
from seed_pipelines.api.reference import contract
from seed_pipelines.api.services import ApiServices
from seed_pipelines.errors import MethodNotAllowed, PathUnknown, RequestMalformed, SeedError

PREFIX: Final = "/api/v1"
THREADS: Final = 16
"""Requests at work in threads at once; others wait."""

logger = logging.getLogger(__name__)


def create_app(services: ApiServices, kept: AbstractAsyncContextManager[None] | None = None) -> ASGIApp:
    """The application; `kept` is entered while it runs."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        async with kept or nullcontext():
            yield

    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.services = services
    app.router.routes.append(seed_profiles.route(PREFIX))
    app.include_router(seed_runs.router, prefix=PREFIX)
    app.include_router(health.router)
    app.include_router(reference.router)
    app.add_exception_handler(SeedError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _misdirected)
    app.add_exception_handler(Exception, _failed)
    return CommonHeaders(app, services.allowance)


def allowed_methods(path: str) -> tuple[str, ...]:
    """The methods by which the contract serves a path, in capitals; none where it serves nothing."""
    for template, methods in contract()["paths"].items():
        if compile_path(template)[0].match(path):
            return tuple(method.upper() for method in methods if method in ("get", "post"))
    return ()


def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, SeedError):
        raise error
    services: ApiServices = request.app.state.services
    return problem_answer(error, services.clock).response()


def _malformed(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    invalid = [_invalid(found) for found in error.errors()]
    names = ", ".join(f"{part['name']}: {part['message']}" for part in invalid)
    return _refused(request, RequestMalformed(f"{names}.", invalid=invalid))


def _invalid(found: Mapping[str, Any]) -> dict[str, str]:
    place, *names = (str(part) for part in found["loc"])
    return {"in": place, "name": names[-1] if names else "", "message": str(found["msg"])}


def _misdirected(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    path, methods = request.url.path, allowed_methods(request.url.path)
    if error.status_code == MethodNotAllowed.status and methods:
        answer = problem_answer(MethodNotAllowed(f"{path} is served by {' and '.join(methods)}."))
        return Answer(answer.status, answer.body, answer.media_type, {"Allow": ", ".join(methods)}).response()
    if error.status_code in (PathUnknown.status, MethodNotAllowed.status):
        return problem_answer(PathUnknown("Nothing is served there; /docs says what is.")).response()
    return problem_answer(RequestMalformed(str(error.detail), invalid=[])).response()


def _failed(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_answer(SeedError("The API failed at this request; its log says why.")).response()
