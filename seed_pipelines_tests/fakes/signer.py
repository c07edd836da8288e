"""A signer whose keys are made by the test that uses it."""

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from seed_pipelines.domain.evidence.public_key import ECDSA_P256, PublicKey, Scheme, Signed, public_key
from seed_pipelines.errors import VaultUnavailable


class FakeSigner:
    """Signs as Transit does, with the newest of its keys; can be sealed."""

    def __init__(self, scheme: Scheme = ECDSA_P256, name: str = "seed-reports") -> None:
        self.sealed = False
        self._scheme, self._name = scheme, name
        self._private: list[EllipticCurvePrivateKey | Ed25519PrivateKey] = []
        self.rotate()

    def rotate(self) -> None:
        """Add a version."""
        made = generate_private_key(SECP256R1()) if self._scheme == ECDSA_P256 else Ed25519PrivateKey.generate()
        self._private.append(made)

    def sign(self, message: bytes) -> Signed:
        if self.sealed:
            raise VaultUnavailable("Vault is sealed.")
        newest = self._private[-1]
        signature = (
            newest.sign(message) if isinstance(newest, Ed25519PrivateKey) else newest.sign(message, ECDSA(SHA256()))
        )
        return Signed(signature, self.public_keys()[-1])

    def public_keys(self) -> tuple[PublicKey, ...]:
        if self.sealed:
            raise VaultUnavailable("Vault is sealed.")
        return tuple(public_key(self._name, number, _pem(key)) for number, key in enumerate(self._private, start=1))


def _pem(private: EllipticCurvePrivateKey | Ed25519PrivateKey) -> str:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
