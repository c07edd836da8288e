"""Signatures from a Transit that a test answers for."""

import base64
import hashlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from seed_pipelines.adapters.transit_signing import TransitSigner
from seed_pipelines.errors import VaultUnavailable
from seed_pipelines_tests.adapters.http_answers import Answer, served

TOKEN = "s.a-token-nobody-may-see"  # noqa: S105 # opens nothing
MESSAGE = b"DSSEv1 4 type 2 {}"


@dataclass
class FakeTransit:
    """Signs as Transit does, or answers as `respond` says, and remembers what it was asked."""

    private: EllipticCurvePrivateKey | Ed25519PrivateKey
    addr: str = ""
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """Path, token and body of each request."""
    respond: Callable[[str, int], Answer | None] = lambda _path, _number: None
    """Path and number of the request, from 1 -> status and body; None for the right answer."""

    def answer(self, path: str, token: str, body: dict[str, Any]) -> Answer:
        """Answer one request."""
        self.asked.append((path, token, body))
        special = self.respond(path, len(self.asked))
        if special is not None:
            return special
        if "/keys/" in path:
            return 200, self.description()
        wanted = base64.b64decode(body["input"])
        if isinstance(self.private, Ed25519PrivateKey):
            signature = self.private.sign(wanted)
        else:
            signature = self.private.sign(wanted, ECDSA(Prehashed(SHA256())))
        return 200, {"data": {"signature": "vault:v2:" + base64.b64encode(signature).decode()}}

    def description(self) -> dict[str, Any]:
        """The key as Transit shows it, an older version first shown last."""
        if isinstance(self.private, Ed25519PrivateKey):
            kind, older = "ed25519", _raw(Ed25519PrivateKey.generate())
            newest = _raw(self.private)
        else:
            kind, older = "ecdsa-p256", _pem(generate_private_key(SECP256R1()))
            newest = _pem(self.private)
        return {"data": {"type": kind, "keys": {"2": {"public_key": newest}, "1": {"public_key": older}}}}

    def signer(self, *, timeout: float = 2) -> TransitSigner:
        """Transit as sealing reaches it."""
        return TransitSigner(
            self.addr, lambda: TOKEN, "evidence/{environment}", "seed-reports", "staging", timeout=timeout
        )


def _pem(private: EllipticCurvePrivateKey) -> str:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _raw(private: Ed25519PrivateKey) -> str:
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()


@pytest.fixture(params=["ecdsa-p256", "ed25519"])
def transit(request: pytest.FixtureRequest) -> Iterator[FakeTransit]:
    """A fake on a free loopback port, with each kind of key."""
    made = generate_private_key(SECP256R1()) if request.param == "ecdsa-p256" else Ed25519PrivateKey.generate()
    fake = FakeTransit(made)
    with served(fake.answer) as addr:
        fake.addr = addr
        yield fake


def refused(transit: FakeTransit) -> VaultUnavailable:
    """The refusal to sign, which holds no token."""
    signer = transit.signer()
    with pytest.raises(VaultUnavailable) as refusal:
        signer.sign(MESSAGE)
    assert TOKEN not in str(refusal.value) + str(refusal.value.problem()) + repr(signer)
    return refusal.value


def test_the_newest_version_signs(transit: FakeTransit) -> None:
    """On the mount of the environment; P-256 is sent the digest alone."""
    signed = transit.signer().sign(MESSAGE)
    assert signed.key.version == 2
    assert signed.key.signed(MESSAGE, signed.signature)
    assert not signed.key.signed(MESSAGE + b" ", signed.signature)
    [(path, token, body)] = [asked for asked in transit.asked if "/sign/" in asked[0]]
    assert (path, token) == ("/v1/evidence/staging/sign/seed-reports", TOKEN)
    curve = isinstance(transit.private, EllipticCurvePrivateKey)
    assert base64.b64decode(body["input"]) == (hashlib.sha256(MESSAGE).digest() if curve else MESSAGE)
    assert (body["prehashed"], body["marshaling_algorithm"]) == (curve, "asn1")


def test_every_version_is_shown(transit: FakeTransit) -> None:
    """The oldest first, each as PEM."""
    keys = transit.signer().public_keys()
    assert [(key.version, key.name) for key in keys] == [(1, "seed-reports"), (2, "seed-reports")]
    assert all(key.pem.startswith("-----BEGIN PUBLIC KEY-----") for key in keys)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_passing_failure_is_asked_again(transit: FakeTransit, number: int) -> None:
    """Whichever of the requests it meets."""
    transit.respond = lambda _, asked: (502, {"errors": ["one moment"]}) if asked == number else None
    assert transit.signer().sign(MESSAGE).key.version == 2


def test_a_signature_that_does_not_verify_is_not_used(transit: FakeTransit) -> None:
    """One over something else, and one of a version that is not shown."""
    other = generate_private_key(SECP256R1()).sign(MESSAGE, ECDSA(SHA256()))
    for version in (2, 7):
        written = f"vault:v{version}:" + base64.b64encode(other).decode()
        transit.respond = lambda path, _, text=written: (  # type: ignore[misc]  # bound for this turn of the loop
            (200, {"data": {"signature": text}}) if "/sign/" in path else None
        )
        assert "does not verify" in refused(transit).detail


@pytest.mark.parametrize("text", ["vault:v1:", "vault:v0:AAAA", "vault:v1:AAA", "vault:v1:%", "hmac:v1:AAAA", 7, None])
def test_an_answer_that_is_no_signature_is_named(transit: FakeTransit, text: object) -> None:
    """Whatever answers there."""
    transit.respond = lambda path, _: (200, {"data": {"signature": text}}) if "/sign/" in path else None
    assert "did not answer as Transit" in refused(transit).detail


@pytest.mark.parametrize(
    ("operation", "answer", "reason"),
    [
        ("keys", (503, {"errors": ["Vault is sealed"]}), "is sealed or in standby"),
        ("keys", (403, {"errors": ["permission denied"]}), "keys/seed-reports. Its policy must allow `read`"),
        ("sign", (403, {"errors": ["permission denied"]}), "sign/seed-reports. Its policy must allow `update`"),
        ("keys", (404, {"errors": []}), "no key evidence/staging/seed-reports. Create a Transit key"),
        ("keys", (404, {"errors": ["no handler"]}), "or set SEED_VAULT_EVIDENCE_MOUNT"),
        ("sign", (400, {"errors": ["signing is disabled"]}), "signing is disabled. Create a Transit key"),
        ("sign", (500, {"errors": ["disk full"]}), "disk full"),
        ("keys", (200, {"data": {"type": "rsa-2048", "keys": {"1": {"public_key": ""}}}}), "a key of type rsa-2048"),
        ("keys", (200, {"data": {"type": "ecdsa-p256", "keys": {}}}), "did not answer as Transit"),
        ("keys", (200, {"data": {"type": "ecdsa-p256", "keys": {"1": 1700000000}}}), "did not answer as Transit"),
        (
            "keys",
            (200, {"data": {"type": "ed25519", "keys": {"1": {"public_key": "AA"}}}}),
            "did not answer as Transit",
        ),
        ("keys", (200, {"data": None}), "did not answer as Transit"),
        ("sign", (200, b"<html>"), "did not answer as Transit"),
    ],
)
def test_every_failure_says_what_it_is(transit: FakeTransit, operation: str, answer: Answer, reason: str) -> None:
    """One error, its cause and what to do."""
    transit.respond = lambda path, _: answer if f"/{operation}/" in path else None
    assert reason in refused(transit).detail


def test_an_absent_vault_is_named() -> None:
    """Nothing listens on the port."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        addr = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        with pytest.raises(VaultUnavailable, match="cannot be reached"):
            TransitSigner(addr, lambda: TOKEN, "evidence", "seed-reports", "staging").public_keys()


def test_a_mount_with_an_unknown_placeholder_is_refused(transit: FakeTransit) -> None:
    """Before anything is asked."""
    signer = TransitSigner(transit.addr, lambda: TOKEN, "evidence/{tenant}", "seed-reports", "staging")
    with pytest.raises(VaultUnavailable, match=r"only \{environment\}"):
        signer.sign(MESSAGE)
    assert transit.asked == []
