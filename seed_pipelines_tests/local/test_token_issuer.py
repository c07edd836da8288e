"""Tokens of the local stack."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import jwt
import pytest

from seed_pipelines.adapters.identity_provider import IdentityProvider
from seed_pipelines.api.tokens import SUBJECT_PREFIX, TokenVerifier
from seed_pipelines.errors import StackUnavailable
from seed_pipelines.local.logins import AUDIENCE, ISSUER, TOKEN_GRANTEE
from seed_pipelines.local.paths import StackPaths
from seed_pipelines.local.token_issuer import LIFETIME, issue, provision


@pytest.fixture
def paths(tmp_path: Path) -> StackPaths:
    """A stack that has its key."""
    found = StackPaths.of(tmp_path)
    provision(found)
    return found


def test_the_api_believes_them(paths: StackPaths) -> None:
    """For one tenant, environment and roles, and as the subject that the stack has granted roles to."""
    tenant_id = uuid4()
    encoded = issue(paths, tenant_id, "staging", ("seed-read",))
    token = TokenVerifier(IdentityProvider(str(paths.token_keys)), ISSUER, AUDIENCE).verify(f"Bearer {encoded}")
    assert (token.tenant_id, token.environment, token.roles) == (tenant_id, "staging", ("seed-read",))
    assert token.subject == TOKEN_GRANTEE
    assert TOKEN_GRANTEE.startswith(SUBJECT_PREFIX)


def test_they_hold_for_a_quarter_of_an_hour(paths: StackPaths) -> None:
    claims = jwt.decode(issue(paths, uuid4(), "dev", ()), options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == LIFETIME.total_seconds() == 900
    assert abs(claims["iat"] - datetime.now(UTC).timestamp()) < 60


def test_the_key_is_for_its_owner_only_and_stays(paths: StackPaths) -> None:
    """The published half holds nothing of it."""
    before = paths.token_key.read_bytes()
    provision(paths)
    assert paths.token_key.read_bytes() == before
    assert paths.token_key.stat().st_mode & 0o777 == 0o600
    (published,) = json.loads(paths.token_keys.read_bytes())["keys"]
    assert set(published) == {"kty", "crv", "x", "y", "kid", "alg", "use"}


def test_a_stack_without_a_key_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StackUnavailable, match="seed-data up"):
        issue(StackPaths.of(tmp_path), uuid4(), "dev", ())
