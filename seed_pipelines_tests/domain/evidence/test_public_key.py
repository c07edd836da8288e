"""Public keys."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from seed_pipelines.domain.evidence.public_key import ECDSA_P256, ED25519, Scheme, public_key
from seed_pipelines.errors import EvidenceInvalid
from seed_pipelines_tests.fakes import FakeSigner


@pytest.mark.parametrize("scheme", [ECDSA_P256, ED25519])
def test_an_id_names_key_version_and_bytes(scheme: Scheme) -> None:
    """The fingerprint is that of the DER SubjectPublicKeyInfo, however the PEM is wrapped."""
    [key] = FakeSigner(scheme).public_keys()
    again = public_key("seed-reports", 1, key.pem.replace("\n", "\r\n"))
    assert again == key
    assert (key.scheme, key.version, key.name) == (scheme, 1, "seed-reports")
    der = key.verifier._crypto_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert key.keyid == f"seed-reports:v1:{hashlib.sha256(der).hexdigest()}"
    assert key.fingerprint in key.keyid


def test_other_kinds_of_keys_are_refused() -> None:
    """RSA, other curves, private keys, and what is no key."""
    for made in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())):
        pem = made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        with pytest.raises(EvidenceInvalid, match="P-256 or Ed25519"):
            public_key("reports", 1, pem)
    for text in ("", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        with pytest.raises(EvidenceInvalid, match="no public key"):
            public_key("reports", 2, text)


@pytest.mark.parametrize(("name", "version"), [("", 1), ("a:b", 1), ("a", 0)])
def test_a_name_that_an_id_cannot_hold_is_refused(name: str, version: int) -> None:
    """Ids stay readable in one way."""
    pem = FakeSigner().public_keys()[0].pem
    with pytest.raises(ValueError, match="names no key"):
        public_key(name, version, pem)
