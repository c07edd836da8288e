"""Signatures of a real Transit, verified by other means, and every way in which it can refuse them."""

import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

import hvac  # type: ignore[import-untyped]  # ships no type information
import pytest
from hvac.exceptions import Forbidden, InvalidRequest  # type: ignore[import-untyped]  # ships no type information

from seed_pipelines.adapters.transit_signing import TransitSigner
from seed_pipelines.domain.evidence.envelope import open_envelope, sealed_envelope, signing_input
from seed_pipelines.domain.evidence.public_key import ECDSA_P256, ED25519, Signed
from seed_pipelines.errors import EvidenceInvalid, VaultUnavailable
from seed_pipelines.local.vault_server import EVIDENCE_KEY
from seed_pipelines_tests.e2e.conftest import RunningStack

pytestmark = pytest.mark.e2e

MOUNT: Final = "evidence/staging"
STATEMENT: Final = b'{"what":"is sealed"}'

numbers = count(1)


def signer(stack: RunningStack, key: str = EVIDENCE_KEY, *, token: str | None = None) -> TransitSigner:
    """The signer as sealing reaches it; with root's token where the test uses a key of its own."""
    variables = stack.environment
    file = Path(variables["SEED_VAULT_TOKEN_FILE"])
    if key != EVIDENCE_KEY:
        token = token or stack.stack.vault.client().token
    return TransitSigner(
        variables["SEED_VAULT_ADDR"],
        lambda: token or file.read_text().strip(),
        variables["SEED_VAULT_EVIDENCE_MOUNT"],
        key,
        "staging",
    )


@pytest.fixture
def root(own_stack: RunningStack) -> hvac.Client:
    """OpenBao as its operator reaches it."""
    return own_stack.stack.vault.client()


@pytest.fixture
def own_key(root: hvac.Client) -> Iterator[str]:
    """A P-256 key that the test may change."""
    name = f"own-{next(numbers)}"
    root.write_data(f"{MOUNT}/keys/{name}", data={"type": "ecdsa-p256"})
    yield name
    root.write_data(f"{MOUNT}/keys/{name}/config", data={"deletion_allowed": True})
    root.delete(f"{MOUNT}/keys/{name}")


def openssl_accepts(signed: Signed, message: bytes, folder: Path) -> bool:
    """Whether `openssl`, given the public key alone, finds the signature to be of the message."""
    files = {"key.pem": signed.key.pem.encode(), "message": message, "signature": signed.signature}
    for name, content in files.items():
        folder.joinpath(name).write_bytes(content)
    verify = ["dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "message"]
    if signed.key.scheme == ED25519:
        raw = ["-rawin", "-in", "message"]
        verify = ["pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-sigfile", "signature", *raw]
    return subprocess.run(["openssl", *verify], cwd=folder, capture_output=True, check=False).returncode == 0


def sealed(own_stack: RunningStack, key: str) -> bytes:
    signed = signer(own_stack, key).sign(signing_input(STATEMENT))
    return sealed_envelope(STATEMENT, signed.signature, signed.key)


def test_openssl_verifies_what_the_runs_token_signs(own_stack: RunningStack, tmp_path: Path) -> None:
    """The pre-authentication encoding, with the public key alone; and nothing else."""
    message = signing_input(STATEMENT)
    signed = signer(own_stack).sign(message)
    assert (signed.key.scheme, signed.key.version, signed.key.name) == (ECDSA_P256, 1, "seed-reports")
    assert openssl_accepts(signed, message, tmp_path)
    assert not openssl_accepts(signed, message + b" ", tmp_path)
    envelope = sealed_envelope(STATEMENT, signed.signature, signed.key)
    assert open_envelope(envelope, signer(own_stack).public_keys()).statement == STATEMENT


def test_the_key_of_the_reports_cannot_leave_or_go(root: hvac.Client) -> None:
    """Not exported, not backed up, not deleted, even by root."""
    found = root.read(f"{MOUNT}/keys/{EVIDENCE_KEY}")["data"]
    assert not any(found[name] for name in ("exportable", "allow_plaintext_backup", "deletion_allowed"))
    with pytest.raises(InvalidRequest):
        root.read(f"{MOUNT}/export/signing-key/{EVIDENCE_KEY}")
    with pytest.raises(InvalidRequest):
        root.delete(f"{MOUNT}/keys/{EVIDENCE_KEY}")


def test_the_runs_token_signs_and_reads_public_keys_alone(own_stack: RunningStack) -> None:
    """It rotates, configures, deletes and lists nothing, and signs with no other key."""
    client = own_stack.stack.vault.client()
    client.token = own_stack.stack.paths.vault_token.read_text().strip()
    keys = f"{MOUNT}/keys/{EVIDENCE_KEY}"
    written: dict[str, dict[str, object]] = {
        f"{keys}/rotate": {},
        f"{keys}/config": {"min_decryption_version": 1},
        keys: {"type": "ecdsa-p256"},
        f"{MOUNT}/keys/another": {"type": "ecdsa-p256"},
        f"{MOUNT}/sign/another": {"input": "AAAA"},
        f"{MOUNT}/hmac/{EVIDENCE_KEY}": {"input": "AAAA"},
    }
    for path, data in written.items():
        with pytest.raises(Forbidden):
            client.write_data(path, data=data)
    for refused in (client.delete, client.list):
        with pytest.raises(Forbidden):
            refused(keys)


def test_a_rotated_key_signs_with_its_new_version(own_stack: RunningStack, root: hvac.Client, own_key: str) -> None:
    """What the old one signed still verifies, until the old one is withdrawn."""
    before = sealed(own_stack, own_key)
    root.write_data(f"{MOUNT}/keys/{own_key}/rotate", data={})
    after = sealed(own_stack, own_key)
    keys = signer(own_stack, own_key).public_keys()
    assert [open_envelope(envelope, keys).key.version for envelope in (before, after)] == [1, 2]

    root.write_data(f"{MOUNT}/keys/{own_key}/config", data={"min_decryption_version": 2})
    left = signer(own_stack, own_key).public_keys()
    assert [key.version for key in left] == [2]
    assert open_envelope(after, left).key.version == 2
    with pytest.raises(EvidenceInvalid, match="only version 2 may verify"):
        open_envelope(before, left)


def test_a_least_version_for_new_signatures_changes_nothing_else(
    own_stack: RunningStack, root: hvac.Client, own_key: str
) -> None:
    """All versions still verify."""
    before = sealed(own_stack, own_key)
    root.write_data(f"{MOUNT}/keys/{own_key}/rotate", data={})
    root.write_data(f"{MOUNT}/keys/{own_key}/config", data={"min_encryption_version": 2})
    keys = signer(own_stack, own_key).public_keys()
    assert [key.version for key in keys] == [1, 2]
    assert open_envelope(before, keys).key.version == 1
    assert open_envelope(sealed(own_stack, own_key), keys).key.version == 2


def test_an_ed25519_key_signs_too(own_stack: RunningStack, root: hvac.Client, tmp_path: Path) -> None:
    """Its type decides."""
    root.write_data(f"{MOUNT}/keys/edwards", data={"type": "ed25519"})
    message = signing_input(STATEMENT)
    signed = signer(own_stack, "edwards").sign(message)
    assert signed.key.scheme == ED25519
    assert openssl_accepts(signed, message, tmp_path)
    envelope = sealed_envelope(STATEMENT, signed.signature, signed.key)
    assert open_envelope(envelope, signer(own_stack, "edwards").public_keys()).key == signed.key


def test_no_report_is_too_large_for_a_p256_key(own_stack: RunningStack, root: hvac.Client, tmp_path: Path) -> None:
    """Vault is sent a digest; one that it has to be sent whole can be too large, and that is said."""
    message = signing_input(b"x" * 30_000_000)
    assert openssl_accepts(signer(own_stack).sign(message), message, tmp_path)
    root.write_data(f"{MOUNT}/keys/edwards-large", data={"type": "ed25519"})
    with pytest.raises(VaultUnavailable, match="too large"):
        signer(own_stack, "edwards-large").sign(message)


@pytest.mark.parametrize("kind", ["rsa-2048", "aes256-gcm96", "hmac", "ecdsa-p384"])
def test_a_key_of_another_type_is_refused(own_stack: RunningStack, root: hvac.Client, kind: str) -> None:
    """By what it is, whatever it could sign."""
    data = {"type": kind} | ({"key_size": 32} if kind == "hmac" else {})
    root.write_data(f"{MOUNT}/keys/{kind}", data=data)
    with pytest.raises(VaultUnavailable, match=f"of type {kind}. Create a Transit key"):
        signer(own_stack, kind).sign(STATEMENT)


def test_an_absent_key_is_named(own_stack: RunningStack) -> None:
    """With what to create."""
    with pytest.raises(VaultUnavailable, match=r"no key evidence/staging/absent\. Create a Transit key"):
        signer(own_stack, "absent").sign(STATEMENT)


def test_an_absent_mount_is_named(own_stack: RunningStack) -> None:
    """Of an environment that no manifest names."""
    variables, file = own_stack.environment, own_stack.stack.paths.vault_token
    elsewhere = TransitSigner(
        variables["SEED_VAULT_ADDR"], lambda: file.read_text().strip(), "evidence/{environment}", EVIDENCE_KEY, "perf"
    )
    with pytest.raises(VaultUnavailable, match="no mount evidence/perf"):
        elsewhere.public_keys()


def test_a_token_without_the_policy_is_refused(own_stack: RunningStack, root: hvac.Client) -> None:
    """For either request, and its text is in no message."""
    root.sys.create_or_update_policy(
        "reads-only", f'path "{MOUNT}/keys/{EVIDENCE_KEY}" {{ capabilities = ["read"] }}\n'
    )
    for policy, path in (("default", f"keys/{EVIDENCE_KEY}"), ("reads-only", f"sign/{EVIDENCE_KEY}")):
        token = root.auth.token.create_orphan(policies=[policy])["auth"]["client_token"]
        with pytest.raises(VaultUnavailable, match=f"{MOUNT}/{path}. Its policy must allow") as refusal:
            signer(own_stack, token=token).sign(STATEMENT)
        assert token not in str(refusal.value.problem())


def test_a_sealed_vault_signs_nothing(own_stack: RunningStack, root: hvac.Client) -> None:
    """The next `up` unseals it, and the key is the same."""
    before = signer(own_stack).public_keys()
    root.sys.seal()
    try:
        with pytest.raises(VaultUnavailable, match="sealed"):
            signer(own_stack).sign(STATEMENT)
    finally:
        own_stack.stack.up(own_stack.purpose)
    assert signer(own_stack).sign(STATEMENT).key in signer(own_stack).public_keys() == before
