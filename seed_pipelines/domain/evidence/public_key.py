"""Public keys that reports are signed for, each version of a key a key of its own."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import (  # type: ignore[attr-defined]  # the package declares no exports
    Signature,
    SSlibKey,
)

from seed_pipelines.errors import EvidenceInvalid

Scheme = Literal["ecdsa-sha2-nistp256", "ed25519"]

ECDSA_P256: Final[Scheme] = "ecdsa-sha2-nistp256"
ED25519: Final[Scheme] = "ed25519"


@dataclass(frozen=True)
class PublicKey:
    """One version of a key: made by `public_key` only, so that its id belongs to its PEM."""

    keyid: str
    """`<name>:v<version>:<SHA-256 of the DER SubjectPublicKeyInfo, in hex>`."""
    version: int
    scheme: Scheme
    pem: str
    """SubjectPublicKeyInfo (RFC 5480, RFC 8410), as `openssl` reads it."""

    @property
    def name(self) -> str:
        """What the key is called, whatever its version."""
        return self.keyid.rsplit(":", 2)[0]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the DER SubjectPublicKeyInfo, in hex."""
        return self.keyid.rpartition(":")[2]

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Whether the key made the signature over the message."""
        try:
            self.verifier.verify_signature(Signature(self.keyid, signature.hex()), message)
        except UnverifiedSignatureError:
            return False
        return True

    @cached_property
    def verifier(self) -> SSlibKey:
        """The key as securesystemslib verifies with it."""
        return SSlibKey.from_crypto(load_pem_public_key(self.pem.encode()), self.keyid, self.scheme)


@dataclass(frozen=True)
class Signed:
    """A signature, and the key that verifies it."""

    signature: bytes
    """ECDSA: ASN.1 DER (RFC 3279, section 2.2.3); Ed25519: 64 bytes (RFC 8032)."""
    key: PublicKey


def public_key(name: str, version: int, pem: str) -> PublicKey:
    """The key in a PEM; EvidenceInvalid unless it is a P-256 or Ed25519 public key, ValueError for a name with a colon."""
    if not name or ":" in name or version < 1:
        raise ValueError(f"{name!r} in version {version} names no key")
    try:
        found = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise EvidenceInvalid(f"The PEM of {name}, version {version}, holds no public key.") from error
    scheme: Scheme
    if isinstance(found, EllipticCurvePublicKey) and isinstance(found.curve, SECP256R1):
        scheme = ECDSA_P256
    elif isinstance(found, Ed25519PublicKey):
        scheme = ED25519
    else:
        raise EvidenceInvalid(
            f"{name}, version {version}, is no key that reports are signed with: it must be of type P-256 or Ed25519."
        )
    der = found.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    written = found.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return PublicKey(f"{name}:v{version}:{hashlib.sha256(der).hexdigest()}", version, scheme, written)
