"""The contract of the API against the one that was released: what would break its callers is found, whatever else may change."""

import subprocess
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from seed_pipelines.contract_files import contract_file
from seed_pipelines_tests.contracts.api_changes import breaking_changes, main, same_major
from seed_pipelines_tests.contracts.api_schemas import document
from seed_pipelines_tests.node_tools import ROOT, needs_spectral

RELEASED: Final = yaml.safe_load(contract_file("released/api.openapi.yaml").read_bytes())

SMALL: Final[dict[str, Any]] = yaml.safe_load("""
info: {version: 1.4.0}
security: [{bearer: []}]
paths:
  /things:
    parameters:
      - {name: X-Tenant, in: header, required: true, schema: {type: string, maxLength: 20}}
    get:
      operationId: list
      parameters:
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100, default: 20}}
        - {name: sort, in: query, schema: {type: string, enum: [up, down]}}
      responses:
        "200":
          headers:
            ETag: {required: true, schema: {type: string, pattern: "^x"}}
          content:
            application/json: {schema: {$ref: "#/components/schemas/Page"}}
        "404": {content: {application/problem+json: {schema: {type: object}}}}
    post:
      operationId: create
      security: [{bearer: [write]}]
      requestBody:
        content:
          application/json: {schema: {$ref: "#/components/schemas/New"}}
          application/yaml: {schema: {$ref: "#/components/schemas/New"}}
      responses:
        "201": {content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}}
        "204": {}
  /health:
    get: {operationId: health, security: [], responses: {"200": {}}}
components:
  securitySchemes:
    bearer: {type: http, scheme: bearer, description: A token.}
  schemas:
    New:
      type: object
      required: [name]
      additionalProperties: false
      properties:
        name: {type: string, minLength: 1, description: What it is called.}
        size: {type: [integer, "null"], maximum: 9}
        kind: {oneOf: [{type: string, enum: [a, b]}, {type: "null"}]}
        tags: {type: array, items: {type: string}}
    Thing:
      type: object
      required: [id, status]
      additionalProperties: false
      properties:
        id: {type: string, format: uuid}
        status: {type: string, enum: [queued, done]}
        size: {type: integer, minimum: 0, maximum: 9}
        parent: {oneOf: [{$ref: "#/components/schemas/Thing"}, {type: "null"}]}
    Page:
      type: object
      required: [items]
      properties:
        items: {type: array, maxItems: 100, items: {$ref: "#/components/schemas/Thing"}}
    Row:
      type: object
      required: [amount]
      properties: {amount: {type: string, format: decimal}}
""")

_LIST: Final = "/paths/~1things/get"
_CREATE: Final = "/paths/~1things/post"
_NEW: Final = "/components/schemas/New"
_THING: Final = "/components/schemas/Thing"
GONE: Final = "(gone)"
"""In the place of a value: it is taken away."""


def changed(place: str, value: Any) -> dict[str, Any]:
    """The small contract with another value at a JSON pointer."""
    whole = deepcopy(SMALL)
    *path, last = [key.replace("~1", "/") for key in place.split("/")[1:]]
    found: Any = whole
    for key in path:
        found = found[int(key)] if isinstance(found, list) else found[key]
    if value is GONE:
        del found[int(last) if isinstance(found, list) else last]
    elif last == "-":
        found.append(value)
    else:
        found[int(last) if isinstance(found, list) else last] = value
    return whole


HEADER: Final = {"name": "X-New", "in": "header", "required": True, "schema": {"type": "string"}}

BREAKING: Final = [
    ("/paths/~1things", GONE, "/things: the path is gone"),
    (_CREATE, GONE, "POST /things: the operation is gone"),
    (f"{_LIST}/operationId", "all", "the operationId is another"),
    (f"{_LIST}/parameters/1", GONE, "the query parameter sort is gone"),
    (f"{_LIST}/parameters/-", HEADER, "header parameter x-new: it is required now"),
    (f"{_LIST}/parameters/0/required", True, "query parameter limit: it is required now"),
    (f"{_LIST}/parameters/0/schema/maximum", 50, "limit: maximum 50 is less than 100"),
    (f"{_LIST}/parameters/0/schema/minimum", 2, "limit: minimum 2 is more than 1"),
    (f"{_LIST}/parameters/0/schema/default", 10, "limit: default 10 is not 20"),
    (f"{_LIST}/parameters/0/schema/type", "string", "limit: the type integer is not taken"),
    (f"{_LIST}/parameters/1/schema/enum", ["up"], "sort: 'down' is not among the values"),
    (f"{_LIST}/parameters/1/schema/pattern", "^u", "sort: pattern ^u is not there"),
    ("/paths/~1things/parameters/0/schema/maxLength", 10, "x-tenant: maxLength 10 is less than 20"),
    (f"{_CREATE}/requestBody/required", True, "POST /things body: it is required now"),
    (f"{_CREATE}/requestBody", GONE, "POST /things body: none is taken any more"),
    (f"{_CREATE}/requestBody/content/application~1yaml", GONE, "application/yaml was not, or is no longer, taken"),
    (f"{_NEW}/required", ["name", "size"], "application/json.size: it is required, and need not be there"),
    (f"{_NEW}/properties/tags", GONE, "application/json.tags: the property is gone"),
    (f"{_NEW}/properties/size/type", "integer", "application/json.size: the type null is not taken"),
    (f"{_NEW}/properties/tags/items/maxLength", 3, "application/json.tags[]: maxLength 3 is less than none"),
    (f"{_NEW}/properties/kind/oneOf/0/enum", ["a"], "application/json.kind: alternative 1 is none of those"),
    (f"{_NEW}/properties/kind/oneOf/1", GONE, "application/json.kind: alternative 2 is none of those"),
    (f"{_LIST}/responses/404", GONE, "GET /things 404: the response is gone"),
    (f"{_LIST}/responses/200/headers/ETag", GONE, "header ETag: it may be missing now"),
    (f"{_LIST}/responses/200/headers/ETag/required", False, "header ETag: it may be missing now"),
    (f"{_LIST}/responses/200/headers/ETag/schema/pattern", "^y", "header ETag: pattern ^x is not ^y"),
    (f"{_LIST}/responses/200/content", {"text/csv": {}}, "200: text/csv was not, or is no longer, taken"),
    (f"{_LIST}/responses/200/content", GONE, "GET /things 200: the response has a body in one of them only"),
    (f"{_THING}/properties/size", GONE, "application/json.size: the property is gone"),
    (f"{_THING}/required", ["id"], "application/json.status: it is required, and need not be there"),
    (f"{_THING}/properties/status/enum", ["queued", "done", "lost"], "'lost' is not among the values"),
    (f"{_THING}/properties/size/maximum", 10, "application/json.size: maximum 9 is less than 10"),
    (f"{_THING}/properties/size/type", ["integer", "null"], "application/json.size: the type null is not taken"),
    (f"{_THING}/properties/id/format", GONE, "application/json.id: format uuid is not there"),
    (f"{_THING}/additionalProperties", True, "application/json.*: not {} is not there"),
    (f"{_CREATE}/security", [{"bearer": ["admin"]}], "POST /things: the security is another"),
    ("/paths/~1health/get/security", GONE, "GET /health: the security is another"),
    ("/security", [], "GET /things: the security is another"),
    ("/components/securitySchemes/bearer/scheme", "basic", "security scheme bearer: it is another"),
    ("/components/schemas/Row", GONE, "schema Row: it is gone"),
    (
        "/components/schemas/Row/properties/amount/type",
        "number",
        "schema Row.amount: the type integer or number is not taken",
    ),
]


@pytest.mark.parametrize(("place", "value", "said"), BREAKING, ids=[f"{place} {value}" for place, value, _ in BREAKING])
def test_a_change_that_breaks_callers_is_named(place: str, value: Any, said: str) -> None:
    """Each kind of one by itself."""
    found = list(breaking_changes(SMALL, changed(place, value)))
    assert any(said in change for change in found), found


COMPATIBLE: Final = [
    ("/paths/~1more", {"get": {"operationId": "more", "responses": {"200": {}}}}),
    ("/paths/~1things/delete", {"operationId": "empty", "responses": {"204": {}}}),
    (f"{_LIST}/parameters/-", {**HEADER, "required": False}),
    (f"{_LIST}/parameters/0/schema/maximum", 200),
    (f"{_LIST}/parameters/0/schema/minimum", GONE),
    (f"{_LIST}/parameters/1/schema/enum", ["up", "down", "random"]),
    (f"{_LIST}/parameters/1/schema", {"type": "string"}),
    (f"{_LIST}/parameters/1/description", "In which order."),
    ("/paths/~1things/parameters/0/name", "x-tenant"),
    ("/paths/~1things/parameters/0/required", False),
    (f"{_CREATE}/requestBody/content/text~1yaml", {"schema": {"$ref": "#/components/schemas/New"}}),
    (f"{_NEW}/required", []),
    (f"{_NEW}/properties/colour", {"type": "string"}),
    (f"{_NEW}/properties/name/minLength", 0),
    (f"{_NEW}/properties/name/type", ["string", "null"]),
    (f"{_NEW}/properties/kind/oneOf/-", {"type": "integer"}),
    (f"{_NEW}/additionalProperties", True),
    (f"{_NEW}/properties/name/description", "Its name."),
    (f"{_LIST}/responses/429", {}),
    (f"{_LIST}/responses/200/headers/Link", {"schema": {"type": "string"}}),
    (f"{_LIST}/responses/200/links", {"next": {"operationId": "list"}}),
    (f"{_THING}/properties/colour", {"type": "string"}),
    (f"{_THING}/required", ["id", "status", "size"]),
    (f"{_THING}/properties/status/enum", ["queued"]),
    (f"{_THING}/properties/size/maximum", 5),
    ("/components/schemas/Row/properties/amount/pattern", "^[0-9]+$"),
    ("/components/schemas/Other", {"type": "object"}),
    ("/components/securitySchemes/bearer/description", "A token of yours."),
    ("/info/version", "1.5.0"),
]


@pytest.mark.parametrize(("place", "value"), COMPATIBLE, ids=[f"{place} {value}" for place, value in COMPATIBLE])
def test_a_change_that_callers_need_not_know_of_is_none(place: str, value: Any) -> None:
    """More is taken, or no more is sent than before; or it is told in other words."""
    assert list(breaking_changes(SMALL, changed(place, value))) == []


def test_a_part_that_moves_elsewhere_in_the_document_stays_the_same() -> None:
    """What it refers to counts, not where it is written."""
    moved = changed(
        f"{_CREATE}/responses/201/content/application~1json/schema", SMALL["components"]["schemas"]["Thing"]
    )
    assert list(breaking_changes(SMALL, moved)) == []


@pytest.mark.parametrize(("version", "code"), [("1.5.0", 1), ("2.0.0", 0)])
def test_another_major_version_may_break_what_it_likes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], version: str, code: int
) -> None:
    """And the changes are said all the same."""
    broken = {**changed("/paths/~1health", GONE), "info": {"version": version}}
    (tmp_path / "released.yaml").write_text(yaml.safe_dump(SMALL), encoding="utf-8")
    (tmp_path / "current.yaml").write_text(yaml.safe_dump(broken), encoding="utf-8")
    assert main(tmp_path / "released.yaml", tmp_path / "current.yaml") == code
    assert "/health: the path is gone\n" in capsys.readouterr().out


def test_the_contract_keeps_what_was_released() -> None:
    """Of the same major version."""
    assert not same_major(RELEASED, document()) or list(breaking_changes(RELEASED, document())) == []


def test_each_response_and_parameter_of_the_contract_is_under_guard() -> None:
    """Take them away one by one: each is missed."""
    for path, methods in RELEASED["paths"].items():
        for method, operation in methods.items():
            for kind in ("responses", "parameters"):
                for key in operation.get(kind, {}) if kind == "responses" else range(len(operation.get(kind, []))):
                    current = deepcopy(RELEASED)
                    del current["paths"][path][method][kind][key]
                    assert list(breaking_changes(RELEASED, current)), (path, method, kind, key)


RULES: Final[dict[str, Callable[[Any], object]]] = {
    "answers-of-every-request": lambda it: it["paths"]["/api/v1/seed-runs"]["get"]["responses"].pop("503"),
    "tenant-and-environment": lambda it: it["paths"]["/api/v1/seed-runs"]["get"]["parameters"].pop(0),
    "idempotency-key": lambda it: it["paths"]["/api/v1/seed-runs"]["post"]["parameters"].pop(2),
    "problem-details": lambda it: it["components"]["responses"]["NotFound"]["content"].update({"text/plain": {}}),
    "challenge": lambda it: it["components"]["responses"]["Unauthenticated"]["headers"].pop("WWW-Authenticate"),
    "allowance": lambda it: it["components"]["responses"]["NotAcceptable"]["headers"].pop("RateLimit"),
    "operation-operationId": lambda it: it["paths"]["/health/live"]["get"].pop("operationId"),
}
"""Rule of .spectral-api.yaml, or of Spectral itself -> a breach of it."""


@needs_spectral
class TestScript:
    def test_the_contract_of_the_repository_passes(self) -> None:
        done = validated(ROOT / "contracts" / "api.openapi.yaml")
        assert (done.returncode, done.stderr) == (0, ""), done.stdout

    def test_every_rule_and_the_release_are_held(self, tmp_path: Path) -> None:
        """A breach of each in one file; the changes break callers too."""
        broken = deepcopy(dict(document()))
        for breach in RULES.values():
            breach(broken)
        (tmp_path / "api.yaml").write_text(yaml.safe_dump(broken), encoding="utf-8")
        done = validated(tmp_path / "api.yaml")
        assert done.returncode == 1
        assert [rule for rule in RULES if f" {rule} " not in done.stdout] == []
        assert "GET /api/v1/seed-runs 503: the response is gone" in done.stdout
        assert done.stderr.count("FAULT") == 2


def validated(contract: Path) -> "subprocess.CompletedProcess[str]":
    """The script on a contract."""
    script = ROOT / "scripts" / "ci" / "validate-api-contract.sh"
    return subprocess.run([str(script), str(contract)], capture_output=True, text=True, check=False, timeout=180)
