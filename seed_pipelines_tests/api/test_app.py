"""The application as a whole: what it serves is what the contract says, and every refusal is a Problem Details object."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from seed_pipelines.api.answers import problem_answer
from seed_pipelines.api.app import allowed_methods
from seed_pipelines.api.reference import rendered
from seed_pipelines.contract_files import contract_file
from seed_pipelines.errors import ExternalCallsBlocked
from seed_pipelines_tests.api.conftest import RUNS, VALIDATE, ApiWorld
from seed_pipelines_tests.contracts.api_schemas import document
from seed_pipelines_tests.contracts.responses import LIMITED, resolved


def test_the_application_serves_what_the_contract_has(api: ApiWorld) -> None:
    """Path by path and method by method, with the parameters of each, and their bounds."""
    served = api.client.app._app.openapi()["paths"]  # type: ignore[attr-defined]  # the application in its wrapper
    promised = document()["paths"]
    assert {path: set(methods) for path, methods in served.items()} == {
        path: set(methods) for path, methods in promised.items()
    }
    for path, methods in promised.items():
        for method, operation in methods.items():
            wanted = {key(resolved(part)) for part in operation.get("parameters", [])}
            assert {key(part) for part in served[path][method].get("parameters", [])} == wanted, path


def key(parameter: Mapping[str, Any]) -> tuple[str, str, bool]:
    return parameter["in"], parameter["name"], parameter.get("required", False)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "path_unknown"),
        ("GET", "/api/v1/nothing", 404, "path_unknown"),
        ("GET", f"{RUNS}/", 404, "path_unknown"),
        ("GET", VALIDATE, 405, "method_not_allowed"),
        ("DELETE", RUNS, 405, "method_not_allowed"),
        ("PUT", "/health/live", 405, "method_not_allowed"),
    ],
)
def test_places_and_methods_that_do_not_exist(api: ApiWorld, method: str, path: str, status: int, code: str) -> None:
    """With the methods that there are, and the fields that every response has."""
    answer = api.client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert set(LIMITED) <= {name for name in LIMITED if name in answer.headers}
    if status == 405:
        assert answer.headers["Allow"] == ", ".join(allowed_methods(path))


def test_a_fault_of_the_program_is_a_problem_too(api: ApiWorld, caplog: pytest.LogCaptureFixture) -> None:
    """Without what happened, which the log has."""
    api.runs.find = lambda _: 1 / 0  # type: ignore[assignment,return-value]  # the fault
    answer = api.client.get(f"{RUNS}/00000000-0000-4000-8000-000000000000", headers=api.headers())
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "Retry-After" in answer.headers
    assert "division" not in answer.text
    assert "division" in caplog.text


def test_a_database_that_is_away_is_503(api: ApiWorld) -> None:
    api.world.control.away = True
    answer = api.post()
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")


def test_an_address_of_the_deployment_is_not_told_to_callers() -> None:
    """It is the operator's to put right; one that the caller's manifest names is the caller's."""
    blocked = ExternalCallsBlocked(
        "SEED_KYC_URL leads to inner.example.", endpoint="SEED_KYC_URL", reason="inner.example"
    )
    told = json.loads(problem_answer(blocked).body)
    assert (told["status"], told["code"]) == (503, "external_calls_blocked")
    assert "inner.example" not in str(told)
    named = ExternalCallsBlocked("It leads to real.example.", endpoint="integrations.kyc", reason="real.example")
    assert json.loads(problem_answer(named).body) == named.problem()


class TestHealth:
    def test_live_and_ready(self, api: ApiWorld) -> None:
        assert api.get("/health/live").json() == {"status": "live"}
        assert api.get("/health/ready").json() == {"status": "ready"}

    @pytest.mark.parametrize("away", ["control", "queue"])
    def test_not_ready_without_its_databases(self, api: ApiWorld, away: str) -> None:
        """But alive."""
        if away == "control":
            api.world.control.away = True
        else:
            api.runs.away = True
        assert api.get("/health/ready").status_code == 503
        assert api.get("/health/live").status_code == 200


class TestReference:
    def test_the_contract_is_served_as_it_is_published(self, api: ApiWorld) -> None:
        answer = api.client.get("/api/v1/openapi.yaml")
        assert answer.content == contract_file("api.openapi.yaml").read_bytes()

    def test_the_page_has_every_operation_and_schema(self, api: ApiWorld) -> None:
        page = api.client.get("/docs").text
        operations = [part["operationId"] for methods in document()["paths"].values() for part in methods.values()]
        for anchor in (*operations, *document()["components"]["schemas"]):
            assert f'id="{anchor}"' in page, anchor

    def test_the_page_asks_nobody_for_anything(self, api: ApiWorld) -> None:
        """No script, no image, no font, no address elsewhere; a browser would not load them either."""
        assert re.findall(r"<(script|img|link|iframe)|(?:src|url\()", rendered()) == []
        assert set(re.findall(r'href="([^"]*)"', rendered())) == {"/api/v1/openapi.yaml"}
        assert api.client.get("/docs").headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_runs_of_the_asset_graph_have_no_manifest_and_no_key(api: ApiWorld) -> None:
    """They are shown all the same."""
    run_id = api.post(RUNS).json()["id"]
    api.runs.runs[run_id] = replace(api.runs.runs[run_id], manifest="", idempotency_key=None)
    assert api.get(f"{RUNS}/{run_id}").json()["idempotency_key"] is None
