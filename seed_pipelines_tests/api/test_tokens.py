"""Bearer tokens: what does not hold is refused without a hint of what exists."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from seed_pipelines_tests.api.conftest import RUNS, ApiWorld
from seed_pipelines_tests.api.issuers import Issuer
from seed_pipelines_tests.worlds import OTHER_TENANT


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_the_algorithms_that_are_believed(api: ApiWorld, issuer: Issuer, algorithm: str) -> None:
    assert api.post(token=issuer.token(algorithm)).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": timedelta(minutes=-1)},
        {"exp": None},
        {"nbf": timedelta(minutes=5)},
        {"iat": timedelta(minutes=5)},
        {"iss": "https://issuer.example.evil"},
        {"iss": None},
        {"aud": "others"},
        {"aud": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "ci\x00"},
        {"sub": "ci\ud800"},
        {"tenant_id": None},
        {"tenant_id": "tenant-a"},
        {"environment": None},
        {"roles": "seed-runner"},
        {"roles": [1]},
        {"roles": ["seed-\x00runner"]},
    ],
    ids=ascii,
)
def test_claims_that_do_not_hold(api: ApiWorld, issuer: Issuer, changes: dict[str, Any]) -> None:
    now = datetime.now(UTC)
    claims: dict[str, Any] = {
        name: now + claim if isinstance(claim, timedelta) else claim for name, claim in changes.items()
    }
    assert_unauthenticated(api, f"Bearer {issuer.token(**claims)}")


def test_signatures_that_do_not_hold(api: ApiWorld, issuer: Issuer) -> None:
    """None, by the public key as a secret, by a shared secret, by a stranger, by an unknown key, by the key of another."""
    secret = b"a secret of 32 bytes that is used"
    header, claims, signature = issuer.token().split(".")
    tokens = [
        unsigned(issuer),
        forged_by_public_key(issuer),
        issuer.token("HS256", key=secret),
        Issuer().token(),
        issuer.token(kid="unknown"),
        issuer.token("ES256", kid="RS256"),
        f"{header}.{claims}.",
        f"{header}.{claims}.{signature[::-1]}",
        f"{header}.{issuer.token(environment='perf').split('.')[1]}.{signature}",
    ]
    for token in tokens:
        assert_unauthenticated(api, f"Bearer {token}")


def unsigned(issuer: Issuer) -> str:
    """Algorithm `none`."""
    return f"{_encoded(json.dumps({'alg': 'none', 'kid': 'ES256'}).encode())}.{issuer.token().split('.')[1]}."


def forged_by_public_key(issuer: Issuer) -> str:
    """HS256 with the RSA key's PEM, which PyJWT itself refuses to make."""
    head = _encoded(json.dumps({"alg": "HS256", "kid": "RS256"}).encode())
    signed = f"{head}.{issuer.token().split('.')[1]}"
    return f"{signed}.{_encoded(hmac.new(issuer.public_pem, signed.encode(), hashlib.sha256).digest())}"


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Bearer a.b.c", "Basic YTpi", "Bearer \xe9"])
def test_what_is_no_token(api: ApiWorld, authorization: str | None) -> None:
    assert_unauthenticated(api, authorization)


def assert_unauthenticated(api: ApiWorld, authorization: str | None) -> None:
    """401 before anything else is looked at, and the same words whatever the reason."""
    headers = [] if authorization is None else [(b"Authorization", authorization.encode("latin-1"))]
    answer = api.client.post("/api/v1/seed-profiles/validate", content=b"?", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.json()["detail"] == "The request needs a bearer token of this deployment's issuer that holds now."
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert answer.headers["Retry-After"] == "0"
    assert api.limits.asked == []


def test_a_scheme_is_read_without_regard_to_case(api: ApiWorld, issuer: Issuer) -> None:
    assert api.post(Authorization=f"bearer {issuer.token()}").status_code == 200


def test_what_a_token_does_not_allow_is_refused_in_the_same_words(api: ApiWorld, issuer: Issuer) -> None:
    """Another tenant, one that does not exist, another environment, one that is not served, a role it has not."""
    unknown = "00000000-0000-4000-8000-000000000000"
    refused = [
        api.post(X_Tenant_ID="tenant-b"),
        api.post(X_Tenant_ID="no-such-tenant"),
        api.post(X_Tenant_ID=unknown, token=issuer.token(tenant_id=unknown)),
        api.post(X_Tenant_ID=str(OTHER_TENANT.tenant_id)),
        api.post(X_Environment="perf"),
        api.post(X_Environment="dev", token=issuer.token(environment="dev")),
        api.post(token=issuer.token(roles=["seed-admin"])),
        api.post(token=issuer.token(roles=["no-such-role"])),
        api.post(token=issuer.token(sub="stranger")),
        api.post(token=issuer.token(sub="fake-subject")),
    ]
    assert {answer.status_code for answer in refused} == {403}
    assert len({answer.content for answer in refused}) == 1
    assert "insufficient_scope" in refused[0].headers["WWW-Authenticate"]


NOWHERE = "00000000-0000-4000-8000-000000000000"
"""The id of no run."""


def forbidden(issuer: Issuer) -> dict[str, dict[str, str]]:
    """What a token does not allow -> header fields of such a request."""
    return {
        "another tenant": {"X_Tenant_ID": "tenant-b"},
        "a tenant of its own that is not the run's": {
            "X_Tenant_ID": "tenant-b",
            "token": issuer.token(tenant_id=str(OTHER_TENANT.tenant_id)),
        },
        "another environment": {"X_Environment": "perf"},
        "an environment that is not served": {"X_Environment": "dev", "token": issuer.token(environment="dev")},
        "a role that was not granted": {"token": issuer.token(roles=["seed-admin"])},
        "a subject without a grant": {"token": issuer.token(sub="stranger")},
    }


@pytest.mark.parametrize("reason", forbidden(Issuer()))
def test_a_refusal_does_not_tell_whether_a_run_exists(api: ApiWorld, issuer: Issuer, reason: str) -> None:
    """Looked at and cancelled, there and not there: the same status, body and challenge."""
    there = api.post(RUNS).json()["id"]
    fields = forbidden(issuer)[reason]
    if reason == "a tenant of its own that is not the run's":
        api.world.control.granted_to.clear()
    answers = [api.get(f"{RUNS}/{run_id}", **fields) for run_id in (there, NOWHERE)]
    answers += [api.post(f"{RUNS}/{run_id}/cancel", key=f"key-{run_id}", **fields) for run_id in (there, NOWHERE)]
    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.content for answer in answers}) == 1
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {
        'Bearer realm="seed_pipelines", error="insufficient_scope"'
    }
    assert {answer.headers["Content-Type"] for answer in answers} == {"application/problem+json"}
    assert api.runs.runs[there].state == "queued"


def test_a_role_that_may_only_look_cancels_nothing_and_learns_nothing(api: ApiWorld) -> None:
    """Whether the run exists or not."""
    there = api.post(RUNS).json()["id"]
    api.world.control.granted_to["token:ci"] = frozenset({"seed-read"})
    refused = [api.post(f"{RUNS}/{run_id}/cancel", key=f"key-{run_id}") for run_id in (there, NOWHERE)]
    refused.append(api.post(RUNS, key="another"))
    assert {answer.status_code for answer in refused} == {403}
    assert len({answer.content for answer in refused}) == 1
    assert api.get(f"{RUNS}/{there}").status_code == 200


def test_without_a_token_that_holds_nobody_learns_what_exists(api: ApiWorld, issuer: Issuer) -> None:
    """No token, none that can be read, an old one, one of a stranger: the same answer for each kind everywhere."""
    there = api.post(RUNS).json()["id"]
    old = issuer.token(exp=datetime.now(UTC) - timedelta(minutes=1))
    for authorization in (
        None,
        "Bearer a.b.c",
        f"Bearer {old}",
        f"Bearer {unsigned(issuer)}",
        f"Bearer {Issuer().token()}",
    ):
        answers = [
            api.get(place, Authorization=authorization)
            for place in (RUNS, f"{RUNS}/{there}", f"{RUNS}/{NOWHERE}", f"{RUNS}/{there}?limit=x")
        ]
        answers += [
            api.post(f"{RUNS}/{run_id}/cancel", Authorization=authorization, X_Tenant_ID=tenant)
            for run_id in (there, NOWHERE)
            for tenant in ("tenant-a", "no-such-tenant")
        ]
        assert {answer.status_code for answer in answers} == {401}
        assert len({answer.content for answer in answers}) == 1
        reason = "" if authorization is None else ', error="invalid_token"'
        assert {answer.headers["WWW-Authenticate"] for answer in answers} == {f'Bearer realm="seed_pipelines"{reason}'}


def test_keys_that_cannot_be_had_are_503_for_everybody(api: ApiWorld) -> None:
    """Whoever has a token or a forged one: it cannot be told. Who has none is still told to bring one."""
    api.keys.away = True
    answers = [api.post(), api.post(token=Issuer().token())]
    assert {answer.status_code for answer in answers} == {503}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["code"] == "identity_unavailable"
    assert "issuer.internal" not in answers[0].text
    assert api.post(Authorization=None).status_code == 401


def test_what_was_answered_is_not_repeated_for_a_stranger(api: ApiWorld, issuer: Issuer) -> None:
    """The key alone opens nothing; when the allowance is used up, a used key and another one have the same answer."""
    api.post()
    stranger = issuer.token(sub="stranger")
    assert api.post(token=stranger).status_code == 403
    api.limits.left = 0
    used, other = api.post(token=stranger), api.post(key="other", token=stranger)
    assert used.status_code == 429
    assert used.content == other.content


def test_answers_on_what_a_token_may_do_are_on_record(api: ApiWorld, issuer: Issuer) -> None:
    api.post()
    api.post(key="other", token=issuer.token(roles=["seed-admin"]))
    allowed, refused = api.world.control.decisions
    assert (allowed.action, allowed.requested_by, allowed.counted_roles) == ("read", "token:ci", ("seed-runner",))
    assert (refused.problem_code, refused.claimed_roles) == ("forbidden", ("seed-admin",))
