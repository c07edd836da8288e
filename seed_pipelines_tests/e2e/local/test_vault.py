"""Masking keys from a real Transit, and every way in which it can refuse them."""

from pathlib import Path

import pytest
from hvac.exceptions import Forbidden  # type: ignore[import-untyped]  # ships no type information

from seed_pipelines.adapters.vault import KEY_BYTES, TransitKeys
from seed_pipelines.errors import VaultUnavailable
from seed_pipelines_tests.e2e.conftest import RunningStack

pytestmark = pytest.mark.e2e


def transit(stack: RunningStack, *, token: str | None = None, mount: str | None = None) -> TransitKeys:
    """Transit as a run reaches it."""
    file = Path(stack.environment["SEED_VAULT_TOKEN_FILE"])
    return TransitKeys(
        stack.environment["SEED_VAULT_ADDR"],
        lambda: token or file.read_text().strip(),
        mount or stack.environment["SEED_VAULT_MOUNT"],
    )


def test_each_field_has_a_key_of_its_own(own_stack: RunningStack) -> None:
    """32 bytes, the same whenever asked."""
    first = transit(own_stack).masking_keys("tenant-a", "staging", "v1", ["email", "phone"])
    again = transit(own_stack).masking_keys("tenant-a", "staging", "v1", ["phone", "email"])
    assert dict(first) == dict(again)
    assert first["email"] != first["phone"]
    assert {len(key) for key in first.values()} == {KEY_BYTES}
    transit(own_stack).check()


def test_a_sealed_vault_gives_no_keys(own_stack: RunningStack) -> None:
    """Neither new ones nor its health; the next `up` unseals it."""
    keys = transit(own_stack)
    own_stack.stack.vault.client().sys.seal()
    try:
        with pytest.raises(VaultUnavailable, match="sealed"):
            keys.masking_keys("tenant-a", "staging", "v1", ["email"])
        with pytest.raises(VaultUnavailable, match="sealed"):
            keys.check()
        assert not own_stack.stack.status().healthy
    finally:
        own_stack.stack.up(own_stack.purpose)
    assert keys.masking_keys("tenant-a", "staging", "v1", ["email"])


def test_a_token_without_the_policy_is_refused(own_stack: RunningStack) -> None:
    """And its text is in no message."""
    made = own_stack.stack.vault.client().auth.token.create_orphan(policies=["default"])["auth"]["client_token"]
    with pytest.raises(VaultUnavailable, match="policy must allow") as refusal:
        transit(own_stack, token=made).masking_keys("tenant-a", "staging", "v1", ["email"])
    assert made not in str(refusal.value)


def test_the_runs_token_may_do_nothing_else(own_stack: RunningStack) -> None:
    """It reads no key, lists none and makes none."""
    client = own_stack.stack.vault.client()
    client.token = own_stack.stack.paths.vault_token.read_text().strip()
    for path in ("seeds/staging/tenant-a/keys/pii-v1", "seeds/staging/tenant-a/export/hmac-key/pii-v1", "sys/mounts"):
        with pytest.raises(Forbidden):
            client.read(path)


def test_a_lost_token_is_issued_again(own_stack: RunningStack) -> None:
    """Revoked or removed: the next `up` writes one that works."""
    file = own_stack.stack.paths.vault_token
    own_stack.stack.vault.client().auth.token.revoke(file.read_text().strip())
    with pytest.raises(VaultUnavailable):
        transit(own_stack).masking_keys("tenant-a", "staging", "v1", ["email"])
    own_stack.stack.up(own_stack.purpose)
    assert transit(own_stack).masking_keys("tenant-a", "staging", "v1", ["email"])
    file.unlink()
    with pytest.raises(VaultUnavailable, match="cannot be read"):
        transit(own_stack).masking_keys("tenant-a", "staging", "v1", ["email"])
    own_stack.stack.up(own_stack.purpose)
    assert transit(own_stack).masking_keys("tenant-a", "staging", "v1", ["email"])


def test_a_wrong_mount_is_named(own_stack: RunningStack) -> None:
    """A tenant without a mount, and a mount outside the policy."""
    with pytest.raises(VaultUnavailable, match="no mount seeds/staging/tenant-z"):
        transit(own_stack).masking_keys("tenant-z", "staging", "v1", ["email"])
    with pytest.raises(VaultUnavailable, match="pii/staging"):
        transit(own_stack, mount="pii/{environment}").masking_keys("tenant-a", "staging", "v1", ["email"])


def test_a_missing_key_is_named(own_stack: RunningStack) -> None:
    """A salt version that nobody made a key for."""
    with pytest.raises(VaultUnavailable, match="pii-v2"):
        transit(own_stack).masking_keys("tenant-a", "staging", "v2", ["email"])
