"""DSSE envelopes (https://github.com/secure-systems-lab/dsse, version 1.0.2) around in-toto statements.

An envelope has one signature and one form: the RFC 8785 bytes of its three members. Any other bytes are refused, so that
the SHA-256 of an envelope names it.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import rfc8785
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import Signature  # type: ignore[attr-defined]  # the package declares no exports

from seed_pipelines.domain.evidence.canonical import canonical_object
from seed_pipelines.domain.evidence.public_key import PublicKey
from seed_pipelines.domain.issues import shown
from seed_pipelines.errors import EvidenceInvalid

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
"""What the payload is (in-toto attestation framework, envelope layer v1)."""

LARGEST_ENVELOPE: Final = 16 * 1024 * 1024
"""In bytes."""

_KEYID: Final = re.compile(r"([^:]+):v([1-9][0-9]{0,8}):[0-9a-f]{64}")


@dataclass(frozen=True)
class OpenedEnvelope:
    """An envelope whose signature was verified."""

    statement: bytes
    """The payload: what was signed."""
    key: PublicKey
    """The key that verified it."""
    sha256: str
    """Of the envelope's bytes, in hex: what the next report and the log name it by."""


def signing_input(statement: bytes) -> bytes:
    """The pre-authentication encoding of a statement, which is what a signer signs (DSSE protocol, PAE)."""
    return Envelope(statement, PAYLOAD_TYPE, {}).pae()


def sealed_envelope(statement: bytes, signature: bytes, key: PublicKey) -> bytes:
    """The envelope's bytes; EvidenceInvalid if it could not be opened again: a wrong signature, or too large."""
    data = rfc8785.dumps(
        {
            "payload": base64.b64encode(statement).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": key.keyid, "sig": base64.b64encode(signature).decode()}],
        }
    )
    open_envelope(data, [key])
    return data


def open_envelope(data: bytes, keys: Sequence[PublicKey]) -> OpenedEnvelope:
    """What an envelope says, once one of the keys has verified it; EvidenceInvalid says what is wrong and where."""
    payload, signed_by, signature = _members(data)
    key = _key(signed_by, keys)
    verify(payload, signature, key)
    return OpenedEnvelope(payload, key, hashlib.sha256(data).hexdigest())


def payload_of(data: bytes) -> bytes:
    """What an envelope says, where its signature was verified before; EvidenceInvalid if it is none."""
    payload, _, _ = _members(data)
    return payload


def claimed_key(data: bytes) -> tuple[str, int]:
    """Name and version of the key that an envelope says it is signed with, to make a bare PEM into a key; nothing is verified.

    EvidenceInvalid for what is no envelope.
    """
    _, keyid, _ = _members(data)
    named = _KEYID.fullmatch(keyid)
    if named is None:
        raise EvidenceInvalid(f"The envelope's keyid {shown(keyid)} names no key, version and fingerprint.")
    return named[1], int(named[2])


def verify(statement: bytes, signature: bytes, key: PublicKey) -> None:
    """EvidenceInvalid unless the key made the signature over the statement's `signing_input`."""
    envelope = Envelope(statement, PAYLOAD_TYPE, {key.keyid: Signature(key.keyid, signature.hex())})
    try:
        envelope.verify([key.verifier], 1)
    except VerificationError as error:
        raise EvidenceInvalid(
            f"The signature is not one of {key.keyid} over this payload: one of the two was changed,"
            " or it was signed with another key."
        ) from error


def _members(data: bytes) -> tuple[bytes, str, bytes]:
    """Payload, key id and signature."""
    if len(data) > LARGEST_ENVELOPE:
        raise EvidenceInvalid(f"The envelope has {len(data):,} bytes; the largest has {LARGEST_ENVELOPE:,}.")
    document = canonical_object(data, "envelope")
    _require_names(document, ("payload", "payloadType", "signatures"), "envelope")
    if document["payloadType"] != PAYLOAD_TYPE:
        raise EvidenceInvalid(f"The envelope's payloadType is {shown(document['payloadType'])}, not {PAYLOAD_TYPE}.")
    signatures = document["signatures"]
    if not isinstance(signatures, list) or len(signatures) != 1:
        count = f"{len(signatures)} signatures" if isinstance(signatures, list) else "no list of signatures"
        raise EvidenceInvalid(f"The envelope has {count}; it must have one.")
    _require_names(signatures[0], ("keyid", "sig"), "envelope's signature")
    keyid = signatures[0]["keyid"]
    if not isinstance(keyid, str):
        raise EvidenceInvalid(f"The envelope's keyid is {shown(keyid)}.")
    return _bytes(document["payload"], "payload"), keyid, _bytes(signatures[0]["sig"], "sig")


def _require_names(document: object, names: tuple[str, ...], what: str) -> None:
    if not isinstance(document, dict) or sorted(document) != sorted(names):
        found = ", ".join(map(shown, document)) if isinstance(document, dict) else shown(document)
        raise EvidenceInvalid(f"The {what} has the members {', '.join(names)} and no others; found: {found}.")


def _bytes(written: object, where: str) -> bytes:
    if not isinstance(written, str):
        raise EvidenceInvalid(f"The envelope's {where} is {shown(written)}, no base64 text.")
    try:
        found = base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EvidenceInvalid(f"The envelope's {where} is not base64 (RFC 4648, section 4).") from error
    if base64.b64encode(found).decode() != written:
        raise EvidenceInvalid(f"The envelope's {where} is base64 with stray bits or padding (RFC 4648, section 3.5).")
    return found


def _key(keyid: str, keys: Sequence[PublicKey]) -> PublicKey:
    found = next((key for key in keys if key.keyid == keyid), None)
    if found is not None:
        return found
    name, _, rest = keyid.partition(":")
    others = sorted(key.version for key in keys if key.name == name)
    given = (
        f"of {name} only {', '.join(f'version {version}' for version in others)} may verify: this version was withdrawn,"
        " or another key has its name"
        if others and rest
        else f"the keys that may verify are {', '.join(key.keyid for key in keys) or 'none'}"
    )
    raise EvidenceInvalid(f"The envelope is signed with {shown(keyid)}, and {given}.")
