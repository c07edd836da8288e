"""POST /api/v1/seed-profiles/validate."""

import json
import threading
from typing import Any

import pytest
import yaml

from seed_pipelines.api.bodies import Source, Submitted
from seed_pipelines_tests.api.conftest import VALIDATE, ApiWorld
from seed_pipelines_tests.manifest_examples import UNSEALED, changed, example, sealed
from seed_pipelines_tests.worlds import TENANT


def test_a_valid_manifest(api: ApiWorld) -> None:
    """Valid, without issues, with its hash and versions."""
    answer = api.post()
    assert answer.status_code == 200
    assert answer.json() == {
        "valid": True,
        "issues": [],
        "manifest_hash": example()["integrity"]["manifest_hash"],
        "normalized_version": "1.0.0",
        "schema_version": "v1",
    }


def test_build_metadata_is_no_part_of_the_version(api: ApiWorld) -> None:
    """SemVer 2.0.0, section 10."""
    body = sealed(changed(example(), "/metadata/version", "1.2.0-rc.1+build.5"))
    assert api.post(body=body).json()["normalized_version"] == "1.2.0-rc.1"


@pytest.mark.parametrize("media_type", ["application/yaml", "application/x-yaml", "text/yaml; charset=utf-8"])
def test_yaml_is_the_same_request_as_json(api: ApiWorld, media_type: str) -> None:
    """Under one key: the second answer is the first."""
    first = api.post()
    second = api.post(body=yaml.safe_dump(example(), sort_keys=False), Content_Type=media_type)
    assert second.content == first.content
    assert second.headers["Idempotency-Replayed"] == "true"
    assert api.answers.computed == 1


def test_the_tenant_may_be_named_by_its_id(api: ApiWorld) -> None:
    assert api.post(X_Tenant_ID=str(TENANT.tenant_id)).status_code == 200


def test_every_issue_is_listed_by_its_pointer(api: ApiWorld) -> None:
    """Those of the schema, the rules, and the headers."""
    wrong = changed(changed(example(), "/mode", "fast"), "/metadata/tenant", "tenant-b")
    answer = api.post(body=sealed(changed(wrong, "/backoff/jitter_factor", 2)))
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "manifest_invalid"
    assert {"/mode", "/metadata/tenant", "/backoff/jitter_factor"} <= {i["pointer"] for i in answer.json()["issues"]}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (UNSEALED, "manifest_invalid"),
        (changed(example(), "/volumetry/customers/cap", 99), "manifest_hash_mismatch"),
        (sealed(changed(example(), "/volumetry/customers/cap", 501)), "cap_exceeded"),
        (sealed(changed(example(), "/metadata/environment", "dev")), "tenant_mismatch"),
        ("", "manifest_invalid"),
        ("[", "manifest_invalid"),
        ('{"a": 1, "a": 2}', "manifest_invalid"),
        ('{"\\u0000": "\\ud800", "b": [NaN]}', "manifest_invalid"),
        (b"\xff", "manifest_invalid"),
    ],
)
def test_what_is_not_valid_is_422_with_issues(api: ApiWorld, body: Any, code: str) -> None:
    """Also where no document can be read."""
    media_type = "application/yaml" if body is UNSEALED else "application/json"
    answer = api.post(body=body, Content_Type=media_type)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["issues"]


@pytest.mark.parametrize("body", [example(), changed(example(), "/mode", "fast")], ids=["valid", "not valid"])
def test_replays_are_byte_identical(api: ApiWorld, body: dict[str, Any]) -> None:
    """200 and 422 alike; nothing is computed again."""
    first, second = api.post(body=body), api.post(body=json.dumps(body, indent=3))
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["Content-Type"] == first.headers["Content-Type"]
    assert "Idempotency-Replayed" not in first.headers
    assert api.answers.computed == 1


def test_a_key_that_another_process_has_is_waited_for(api: ApiWorld) -> None:
    """The request is taken from the allowance once, and its answer is the same."""
    api.quick_answers.elsewhere.add("key-1")
    first = api.post()
    assert (first.status_code, len(api.limits.asked)) == (200, 1)
    api.quick_answers.elsewhere.clear()
    again = api.post()
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"
    assert api.answers.computed == 1


LONG = json.dumps(example(), indent=200)


@pytest.mark.parametrize(
    ("body", "changes", "in_thread"),
    [
        (json.dumps(example()), {}, False),
        (LONG, {}, True),
        (LONG, {"Content_Length": "10", "Transfer_Encoding": "chunked"}, True),
        (LONG, {"Content_Length": "\u00b2"}, True),
        (yaml.safe_dump(example()), {"Content_Type": "application/yaml"}, True),
    ],
    ids=["short", "long", "long, with another length", "long, with no length", "YAML"],
)
def test_what_takes_longer_is_read_by_a_thread(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch, body: str, changes: dict[str, str], in_thread: bool
) -> None:
    """Meanwhile others are answered. Whoever repeats it, in whichever form, gets the same answer."""
    threads = []

    def read(source: Source) -> Submitted:
        threads.append(threading.current_thread().name)
        return submitted(source)

    submitted = Submitted.of
    monkeypatch.setattr(Submitted, "of", read)
    headers = api.headers(**changes)
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    first = api.client.post(VALIDATE, content=body, headers=raw)
    assert first.json()["valid"], first.text
    assert ["AnyIO" in name for name in threads] == [in_thread]
    second = api.post()
    assert second.content == first.content
    assert second.headers["Idempotency-Replayed"] == "true"
    assert len(api.limits.asked) == 2


def test_another_manifest_under_the_key_is_a_conflict(api: ApiWorld) -> None:
    """Also one that differs in nothing but its hash."""
    api.post()
    answer = api.post(body=changed(example(), "/integrity/manifest_hash", "0" * 64))
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict")
    assert "manifest_hash" not in answer.json(), "what was compared is no manifest's hash"


def test_no_more_than_the_allowance(api: ApiWorld) -> None:
    """429 with Retry-After in whole seconds, at least one; the same bytes however often it is asked."""
    api.limits.left = 1
    assert api.post(key="a").headers["RateLimit"] == '"api";r=0;t=1'
    refused, again = api.post(key="b"), api.post(key="b")
    assert refused.status_code == 429
    assert refused.content == again.content
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["RateLimit-Reset"] == "60"
    assert api.answers.computed == 1
    api.limits.left = 1
    assert api.post(key="b").status_code == 200


def test_what_was_answered_is_repeated_whatever_is_left(api: ApiWorld) -> None:
    """It costs nothing to say it again."""
    first = api.post()
    api.limits.left = 0
    again = api.post()
    assert (again.status_code, again.content) == (200, first.content)


def test_the_allowance_is_of_the_tenant_and_environment(api: ApiWorld) -> None:
    api.post()
    (key,) = api.limits.asked
    assert (key.tenant_id, key.environment, key.purpose) == (TENANT.tenant_id, "staging", "api")


@pytest.mark.parametrize("name", ["X-Tenant-ID", "X-Environment", "Idempotency-Key"])
def test_a_missing_header_is_400(api: ApiWorld, name: str) -> None:
    headers = api.headers()
    del headers[name]
    answer = api.client.post(VALIDATE, json=example(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "request_malformed")
    assert name.lower() in str(answer.json()["invalid"]).lower()


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"X_Environment": "production"}, 400),
        ({"key": "k" * 256}, 400),
        ({"key": "a\x7fb"}, 400),
        ({"Accept": "text/html"}, 406),
        ({"Accept": "application/json;q=0"}, 406),
        ({"Accept": "text/html, application/*;q=0.1"}, 200),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content_Type": None}, 415),
        ({"Content_Encoding": "gzip"}, 415),
    ],
)
def test_header_fields(api: ApiWorld, changes: dict[str, Any], status: int) -> None:
    """What cannot be read or answered is said so."""
    assert api.post(**changes).status_code == status


def test_a_body_is_read_no_further_than_a_manifest_may_be_long(api: ApiWorld) -> None:
    assert api.post(body=b" " * (1 << 20) + b"{}").json()["code"] == "content_too_large"
