"""Signatures from Vault Transit: the private key never leaves it, and each signature is verified before it is believed."""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from seed_pipelines.adapters.vault_client import BadAnswerError, Question, VaultClient, answered_data, in_mount
from seed_pipelines.domain.evidence.public_key import ECDSA_P256, PublicKey, Signed, public_key
from seed_pipelines.errors import EvidenceInvalid, VaultUnavailable

KEY_TYPES: Final = ("ecdsa-p256", "ed25519")
"""Transit's names of the types that reports are signed with."""

_ANSWER: Final = re.compile(r"vault:v([1-9][0-9]{0,8}):([A-Za-z0-9+/]+={0,2})")
_CURE: Final = f"Create a Transit key of that name, of type {' or '.join(KEY_TYPES)}."


class TransitSigner:
    """One signing key of an environment, in all of its versions; holds no secret but what gives it the token."""

    def __init__(
        self,
        addr: str,
        token_provider: Callable[[], str],
        mount_template: str,
        key: str,
        environment: str,
        *,
        timeout: float = 5,
    ) -> None:
        """Ask at `addr`, with what `token_provider` returns at each use, for the key `key`.

        `mount_template` may hold `{environment}`. `timeout` is in seconds, for one request; at most four are made for
        one answer.
        """
        self._vault = VaultClient(addr, token_provider, timeout)
        self._mount_template = mount_template
        self._key = key
        self._environment = environment

    def __repr__(self) -> str:
        return f"TransitSigner({self._vault.addr!r}, {self._mount_template!r}, {self._key!r}, {self._environment!r})"

    def sign(self, message: bytes) -> Signed:
        """The signature of the key's newest version: ECDSA over P-256 with SHA-256 in ASN.1 DER, or Ed25519.

        Raises VaultUnavailable when Vault is sealed, away, refuses, has no such key, or answers anything else.
        """
        question = self._question("sign", "update")
        prehashed = self.public_keys()[-1].scheme == ECDSA_P256
        version, signature = self._vault.asked(question, lambda: self._signature(question, message, prehashed))
        key = next((key for key in self.public_keys() if key.version == version), None)
        if key is None or not key.signed(message, signature):
            raise VaultUnavailable(
                f"Vault at {self._vault.addr} signed with version {version} of {question.mount}/{question.key}, but the"
                " public key that it shows does not verify the signature: it was not used. See its log.",
                addr=self._vault.addr,
            )
        return Signed(signature, key)

    def public_keys(self) -> tuple[PublicKey, ...]:
        """Every version that Transit still verifies with, the oldest first, and at least one; raises as `sign` does."""
        question = self._question("keys", "read")
        found = self._vault.asked(question, lambda: self._description(question))
        kind, versions = found.get("type"), found.get("keys")
        if kind not in KEY_TYPES:
            raise VaultUnavailable(
                f"Vault at {self._vault.addr} has {question.mount}/{question.key} as a key of type {kind}. {_CURE}",
                addr=self._vault.addr,
            )
        return self._vault.asked(question, lambda: _public_keys(question.key, versions))

    def _question(self, operation: str, capability: str) -> Question:
        mount = in_mount(self._mount_template, environment=self._environment)
        return Question(mount, "SEED_VAULT_EVIDENCE_MOUNT", operation, self._key, capability, _CURE)

    def _description(self, question: Question) -> dict[str, Any]:
        client = self._vault.connected()
        return answered_data(client.secrets.transit.read_key(question.key, mount_point=question.mount))

    def _signature(self, question: Question, message: bytes, prehashed: bool) -> tuple[int, bytes]:
        """Version and signature; a digest is sent where it may be, so that no report is too large for Vault."""
        asked = hashlib.sha256(message).digest() if prehashed else message
        answer = self._vault.connected().secrets.transit.sign_data(
            question.key,
            hash_input=base64.b64encode(asked).decode(),
            hash_algorithm="sha2-256" if prehashed else None,
            prehashed=prehashed,
            marshaling_algorithm="asn1",
            mount_point=question.mount,
        )
        written = _ANSWER.fullmatch(str(answered_data(answer).get("signature")))
        if written is None or len(written[2]) % 4:
            raise BadAnswerError
        return int(written[1]), base64.b64decode(written[2])


def _public_keys(name: str, versions: object) -> tuple[PublicKey, ...]:
    """The versions as Transit shows them, number -> description; BadAnswerError unless each has its public key."""
    if not isinstance(versions, Mapping) or not versions:
        raise BadAnswerError
    try:
        found = [public_key(name, int(number), _pem(shown["public_key"])) for number, shown in versions.items()]
    except (EvidenceInvalid, KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadAnswerError from error
    return tuple(sorted(found, key=lambda key: key.version))


def _pem(shown: str) -> str:
    """Transit shows a P-256 key as PEM, and an Ed25519 key as base64 of its 32 bytes."""
    if shown.startswith("-----BEGIN"):
        return shown
    raw = Ed25519PublicKey.from_public_bytes(base64.b64decode(shown, validate=True))
    return raw.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
