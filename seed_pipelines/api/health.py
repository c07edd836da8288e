"""Whether the API is there, and whether it can work."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from seed_pipelines.api.admission import services_of
from seed_pipelines.api.answers import Answer, as_json

router: Final = APIRouter(tags=["health"])


@router.get("/health/live")
def live() -> Response:
    """The process answers."""
    return Answer(200, as_json({"status": "live"})).response()


@router.get("/health/ready")
def ready(request: Request) -> Response:
    """The control database of every environment and Dagster's storage answer; DatabaseUnavailable."""
    services = services_of(request)
    services.runs.ping()
    for environment in services.environments:
        services.realms(environment).control.ping()
    return Answer(200, as_json({"status": "ready"})).response()
