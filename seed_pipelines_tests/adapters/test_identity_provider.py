"""The keys that tokens are verified with: read when needed, and not more often."""

import json
from pathlib import Path

import pytest

from seed_pipelines.adapters.identity_provider import MOST_OFTEN_SECONDS, IdentityProvider
from seed_pipelines.errors import IdentityUnavailable, RequestInvalid
from seed_pipelines_tests.api.issuers import Issuer

MINUTE = 60.0


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The key set of an issuer."""
    path = tmp_path / "jwks.json"
    path.write_text(Issuer().text, encoding="utf-8")
    return path


def without(file: Path, key_id: str) -> None:
    """Take a key out of the set."""
    keys = json.loads(file.read_bytes())["keys"]
    file.write_text(json.dumps({"keys": [key for key in keys if key["kid"] != key_id]}), encoding="utf-8")


def test_keys_are_found_by_their_id(file: Path, clock: Clock) -> None:
    provider = IdentityProvider(str(file), clock)
    found = provider.key("ES256")
    assert found is not None
    assert found.algorithm_name == "ES256"
    assert provider.key("unknown") is None


def test_a_key_that_is_not_known_is_looked_for_once_in_half_a_minute(file: Path, clock: Clock) -> None:
    """A flood of tokens with made-up ids makes no flood of requests; a new key is found soon."""
    whole = file.read_text(encoding="utf-8")
    without(file, "RS256")
    provider = IdentityProvider(str(file), clock)
    assert provider.key("RS256") is None
    file.write_text(whole, encoding="utf-8")
    assert provider.key("RS256") is None
    clock.now += MOST_OFTEN_SECONDS
    assert provider.key("RS256") is not None


def test_a_key_that_was_withdrawn_holds_five_minutes_more(file: Path, clock: Clock) -> None:
    provider = IdentityProvider(str(file), clock)
    assert provider.key("ES256") is not None
    without(file, "ES256")
    clock.now += 4 * MINUTE
    assert provider.key("ES256") is not None
    clock.now += 2 * MINUTE
    assert provider.key("ES256") is None


def test_a_provider_that_is_away_is_bridged_for_an_hour(
    file: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Then nobody is believed any more."""
    provider = IdentityProvider(str(file), clock)
    assert provider.key("ES256") is not None
    file.unlink()
    clock.now += 59 * MINUTE
    assert provider.key("ES256") is not None
    assert "cannot be read" in caplog.text
    clock.now += 2 * MINUTE
    with pytest.raises(IdentityUnavailable):
        provider.key("ES256")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"keys": []}', '{"keys": [{"kty": "EC"}]}', '{"keys": [1]}', "null"]
)
def test_a_set_that_cannot_be_read_is_as_good_as_none(file: Path, clock: Clock, content: str) -> None:
    file.write_text(content, encoding="utf-8")
    with pytest.raises(IdentityUnavailable):
        IdentityProvider(str(file), clock).key("ES256")


@pytest.mark.parametrize("location", ["http://issuer.example/jwks", "ftp://issuer.example/jwks", "file:///etc/jwks"])
def test_keys_come_by_https_or_from_a_file(location: str) -> None:
    with pytest.raises(RequestInvalid):
        IdentityProvider(location)
