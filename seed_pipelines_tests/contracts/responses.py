"""Holds responses of the API against contracts/api.openapi.yaml."""

from collections.abc import Mapping
from typing import Any, Final

from httpx2 import Response
from jsonschema import Draft202012Validator
from starlette.routing import compile_path

from seed_pipelines_tests.contracts.api_schemas import FORMATS, document

LIMITED: Final = (
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "RateLimit-Policy",
    "RateLimit",
    "Retry-After",
)
"""On every response."""


def check_response(response: Response) -> Response:
    """The response, if the contract has its path, method, status, media type, header fields and body."""
    assert not [name for name in LIMITED if name not in response.headers], response.headers
    described = resolved(operation_of(response)["responses"][str(response.status_code)])
    for name, header in described.get("headers", {}).items():
        schema = resolved(header)
        value = response.headers.get(name)
        assert value is not None or not schema.get("required"), name
        if value is not None:
            validator(schema["schema"]).validate(value)
    content = described.get("content")
    if content is None:
        assert response.content == b""
        return response
    media_type = response.headers["Content-Type"]
    assert media_type in content, media_type
    validator(content[media_type]["schema"]).validate(response.json())
    return response


def operation_of(response: Response) -> Mapping[str, Any]:
    """What the contract says of the request that a response is of."""
    for template, methods in document()["paths"].items():
        if compile_path(template)[0].match(response.request.url.path):
            found: Mapping[str, Any] = methods[response.request.method.lower()]
            return found
    raise AssertionError(f"the contract has no path {response.request.url.path}")


def resolved(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part of the contract, or what it refers to."""
    if "$ref" not in part:
        return part
    found: Any = document()
    for key in part["$ref"].removeprefix("#/").split("/"):
        found = found[key]
    return dict(found)


def validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    """Validates by a schema that refers to others of the contract."""
    return Draft202012Validator({**schema, "components": document()["components"]}, format_checker=FORMATS)
