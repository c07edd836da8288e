"""The reference of the API: the contract as it is published, and a page made of it that asks nobody for anything."""

import html
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import yaml
from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from seed_pipelines.contract_files import contract_file

router: Final = APIRouter(include_in_schema=False)

_METHODS: Final = ("get", "post")
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a2e}"
    "h2{margin-top:2.5rem;border-top:1px solid #ccd;padding-top:1rem}code,pre{background:#f3f4f8;border-radius:4px}"
    "code{padding:.1em .3em}pre{padding:1em;overflow:auto}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.3em .8em .3em 0;border-bottom:1px solid #e4e6ee}"
    "@media(prefers-color-scheme:dark){body{background:#14151f;color:#e4e6f0}code,pre{background:#232535}}"
)


@cache
def contract() -> Mapping[str, Any]:
    """The contract as data."""
    read: dict[str, Any] = yaml.safe_load(contract_source())
    return read


@cache
def contract_source() -> bytes:
    """The contract as it is published."""
    return contract_file("api.openapi.yaml").read_bytes()


@router.get("/api/v1/openapi.yaml")
def openapi() -> Response:
    """The contract."""
    return Response(contract_source(), media_type="application/yaml")


@router.get("/docs")
def page() -> HTMLResponse:
    """The page for people."""
    return HTMLResponse(rendered(), headers={"Content-Security-Policy": _POLICY})


@cache
def rendered() -> str:
    """The contract's operations and schemas as HTML, without a script or an address elsewhere."""
    document = contract()
    title = f"{document['info']['title']} {document['info']['version']}"
    parts = [f"<h1>{_text(title)}</h1>", _paragraph(document["info"]["description"])]
    parts.append('<p>The contract as a file: <a href="/api/v1/openapi.yaml">openapi.yaml</a>.</p>')
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                parts.extend(_operation(path, method, methods[method], methods.get("parameters", [])))
    parts.append('<h2 id="schemas">Schemas</h2>')
    for name, schema in document["components"]["schemas"].items():
        parts.extend(_schema(name, schema))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body>{''.join(parts)}</body></html>"
    )


def _operation(path: str, method: str, operation: Mapping[str, Any], shared: list[Any]) -> Iterator[str]:
    yield f'<h2 id="{_text(operation["operationId"])}"><code>{method.upper()} {_text(path)}</code></h2>'
    yield _paragraph(operation["summary"]) + _paragraph(operation.get("description", ""))
    parameters = [_resolved(parameter) for parameter in (*shared, *operation.get("parameters", []))]
    if parameters:
        rows = (
            (p["name"], f"{p['in']}{', required' if p.get('required') else ''}", p["description"]) for p in parameters
        )
        yield _table(("parameter", "where", "what"), rows)
    if "requestBody" in operation:
        yield _paragraph("The body is " + " or ".join(_resolved(operation["requestBody"])["content"]) + ".")
    answers = {status: _resolved(answer) for status, answer in operation["responses"].items()}
    rows = ((status, _schema_name(answer), answer["description"]) for status, answer in answers.items())
    yield _table(("status", "schema", "when"), rows)


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h3 id="{_text(name)}">{_text(name)}</h3>{_paragraph(schema["description"])}'
    properties = schema.get("properties", {})
    if properties:
        rows = ((key, _type(part), _resolved(part).get("description", "")) for key, part in properties.items())
        yield _table(("member", "type", "what"), rows)


def _type(part: Mapping[str, Any]) -> str:
    if "oneOf" in part:
        return " or ".join(map(_type, part["oneOf"]))
    if "$ref" in part:
        return str(part["$ref"]).rpartition("/")[2]
    if "enum" in part:
        return " | ".join(map(str, part["enum"]))
    kind = part.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _schema_name(answer: Mapping[str, Any]) -> str:
    content: Mapping[str, Any] = answer.get("content", {})
    return ", ".join(dict.fromkeys(_type(media["schema"]) for media in content.values() if "schema" in media))


def _resolved(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part of the contract with what it refers to."""
    if "$ref" not in part:
        return part
    found: Any = contract()
    for key in part["$ref"].removeprefix("#/").split("/"):
        found = found[key]
    return {**found, **{key: value for key, value in part.items() if key != "$ref"}}


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, str, str]]) -> str:
    top = "".join(f"<th>{_text(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _paragraph(text: str) -> str:
    return f"<p>{_text(text)}</p>" if text else ""


def _text(text: object) -> str:
    return html.escape(str(text))
