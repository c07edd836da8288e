"""Envelopes: opened as they were sealed, and in no other way."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from seed_pipelines.domain.evidence.envelope import (
    LARGEST_ENVELOPE,
    PAYLOAD_TYPE,
    claimed_key,
    open_envelope,
    sealed_envelope,
    signing_input,
)
from seed_pipelines.domain.evidence.public_key import ECDSA_P256, ED25519, PublicKey, Scheme, public_key
from seed_pipelines.errors import EvidenceInvalid
from seed_pipelines_tests.fakes import FakeSigner

STATEMENT = b'{"what":"is sealed"}'
SIGNER = FakeSigner()
[KEY] = SIGNER.public_keys()
SIGNED = SIGNER.sign(signing_input(STATEMENT))
ENVELOPE = sealed_envelope(STATEMENT, SIGNED.signature, KEY)


def test_the_encoding_is_that_of_dsse() -> None:
    """The example of the protocol, with our payload type: lengths in bytes, in decimal."""
    statement = "olá".encode()
    assert signing_input(statement) == b"DSSEv1 28 application/vnd.in-toto+json 4 ol\xc3\xa1"


@pytest.mark.parametrize("scheme", [ECDSA_P256, ED25519])
def test_what_was_sealed_is_opened(scheme: Scheme) -> None:
    """With the key that did it, also among others; by either kind of key."""
    signer = FakeSigner(scheme)
    signed = signer.sign(signing_input(STATEMENT))
    opened = open_envelope(
        sealed_envelope(STATEMENT, signed.signature, signed.key), [*FakeSigner().public_keys(), signed.key]
    )
    assert (opened.statement, opened.key) == (STATEMENT, signed.key)


def test_the_envelope_is_canonical_and_names_its_key() -> None:
    """Nothing but the three members of DSSE; the key's id holds name, version and fingerprint."""
    document = json.loads(ENVELOPE)
    assert rfc8785.dumps(document) == ENVELOPE
    assert document == {
        "payload": base64.b64encode(STATEMENT).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [
            {"keyid": f"seed-reports:v1:{KEY.fingerprint}", "sig": base64.b64encode(SIGNED.signature).decode()}
        ],
    }


@pytest.mark.parametrize("change", [0x01, 0x02, 0x20, 0x80, 0xFF])
def test_any_byte_counts(change: int) -> None:
    """Whichever is changed, in one bit or in all of them."""
    for position in range(len(ENVELOPE)):
        flipped = bytearray(ENVELOPE)
        flipped[position] ^= change
        with pytest.raises(EvidenceInvalid):
            open_envelope(bytes(flipped), [KEY])


@settings(max_examples=300)
@given(st.integers(0, len(ENVELOPE)), st.binary(min_size=1, max_size=3))
def test_no_byte_may_be_added(position: int, added: bytes) -> None:
    """Wherever."""
    with pytest.raises(EvidenceInvalid):
        open_envelope(ENVELOPE[:position] + added + ENVELOPE[position:], [KEY])


def test_no_white_space_may_be_added() -> None:
    """Although JSON would be the same."""
    for space in (b" ", b"\n", b"\t"):
        for position in range(len(ENVELOPE) + 1):
            with pytest.raises(EvidenceInvalid):
                open_envelope(ENVELOPE[:position] + space + ENVELOPE[position:], [KEY])


def test_no_byte_may_be_missing() -> None:
    """A truncated envelope is none."""
    for kept in range(len(ENVELOPE)):
        with pytest.raises(EvidenceInvalid):
            open_envelope(ENVELOPE[:kept], [KEY])


def changed(change: Callable[[dict[str, Any]], None]) -> bytes:
    """The envelope with a change, in canonical form."""
    document = json.loads(ENVELOPE)
    change(document)
    return rfc8785.dumps(document)


def first(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["signatures"][0]
    return found


def stray_bits(text: str) -> str:
    """Base64 of the same bytes with other bits in its padding."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body = text.rstrip("=")
    assert body != text
    return body[:-1] + alphabet[alphabet.index(body[-1]) + 1] + text[len(body) :]


other = base64.b64encode(b'{"what":"is not sealed"}').decode()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda it: it.update(payload=other), "not one of seed-reports:v1"),
        (lambda it: it.update(payloadType="text/plain"), "payloadType is the text 'text/plain'"),
        (lambda it: it.update(signatures=[]), "has 0 signatures"),
        (lambda it: it.update(signatures=it["signatures"] * 2), "has 2 signatures"),
        (lambda it: it.update(signatures=None), "no list of signatures"),
        (lambda it: it.update(signatures=["x"]), "signature has the members keyid, sig"),
        (lambda it: it.update(comment=""), "'comment'"),
        (lambda it: it.pop("payload"), "has the members payload, payloadType, signatures"),
        (lambda it: first(it).update(cert=""), "'cert'"),
        (lambda it: first(it).pop("keyid"), "signature has the members"),
        (lambda it: first(it).update(keyid=1), "keyid is 1"),
        (lambda it: first(it).update(keyid="unknown"), "signed with the text 'unknown', and the keys that may"),
        (lambda it: first(it).update(sig=""), "not one of seed-reports:v1"),
        (lambda it: first(it).update(sig="*"), "sig is not base64"),
        (lambda it: first(it).update(sig="é"), "sig is not base64"),
        (lambda it: it.update(payload=7), "payload is 7, no base64"),
        (lambda it: it.update(payload=stray_bits(it["payload"])), "stray bits"),
    ],
)
def test_every_change_says_what_it_is(change: Callable[[dict[str, Any]], None], reason: str) -> None:
    """Also where the bytes are canonical again."""
    with pytest.raises(EvidenceInvalid, match=reason):
        open_envelope(changed(change), [KEY])


def test_a_large_envelope_is_refused_unread() -> None:
    """By its size alone."""
    with pytest.raises(EvidenceInvalid, match="the largest has 16,777,216"):
        open_envelope(bytes(LARGEST_ENVELOPE + 1), [KEY])


def test_a_rotated_key_opens_what_it_sealed_until_it_is_withdrawn() -> None:
    """Then the message names the versions that are left."""
    signer = FakeSigner()
    old = signer.sign(signing_input(STATEMENT))
    envelope = sealed_envelope(STATEMENT, old.signature, old.key)
    signer.rotate()
    assert open_envelope(envelope, signer.public_keys()).key.version == 1
    with pytest.raises(EvidenceInvalid, match="only version 2 may verify: this version was withdrawn"):
        open_envelope(envelope, signer.public_keys()[1:])


def named(key: PublicKey, keyid: str) -> bytes:
    """The envelope with another key's id."""
    assert key.keyid != keyid
    return changed(lambda it: first(it).update(keyid=keyid))


@pytest.mark.parametrize("scheme", [ECDSA_P256, ED25519])
def test_a_signature_of_another_key_is_refused(scheme: Scheme) -> None:
    """Of its kind or of another, under the id of a key that is trusted."""
    [stranger] = FakeSigner(scheme).public_keys()
    with pytest.raises(EvidenceInvalid, match="signed with another key"):
        open_envelope(named(KEY, stranger.keyid), [KEY, stranger])


def test_a_key_of_the_same_name_is_another_key() -> None:
    """The fingerprint is part of its id."""
    with pytest.raises(EvidenceInvalid, match="another key has its name"):
        open_envelope(ENVELOPE, FakeSigner().public_keys())


def test_a_bare_pem_opens_what_its_key_sealed() -> None:
    """Its name and version stand in the envelope; another key's PEM under that name is another key."""
    assert claimed_key(ENVELOPE) == ("seed-reports", 1)
    assert open_envelope(ENVELOPE, [public_key(*claimed_key(ENVELOPE), KEY.pem)]).key == KEY
    [stranger] = FakeSigner().public_keys()
    with pytest.raises(EvidenceInvalid, match="another key has its name"):
        open_envelope(ENVELOPE, [public_key(*claimed_key(ENVELOPE), stranger.pem)])
    for keyid in ("", "seed-reports", f"a:b:v1:{'0' * 64}", f"a:v0:{'0' * 64}", f"a:v1:{'0' * 63}"):
        with pytest.raises(EvidenceInvalid, match="names no key"):
            claimed_key(named(KEY, keyid))


def test_a_wrong_signature_is_never_sealed() -> None:
    """What could not be opened is not made."""
    with pytest.raises(EvidenceInvalid):
        sealed_envelope(STATEMENT + b" ", SIGNED.signature, KEY)
    with pytest.raises(EvidenceInvalid, match="largest"):
        sealed_envelope(bytes(LARGEST_ENVELOPE), SIGNED.signature, KEY)


def test_a_signature_in_another_encoding_is_refused() -> None:
    """BER lengths, and the raw pair of numbers, are no DER."""
    r, s = decode_dss_signature(SIGNED.signature)
    long_form = bytes([SIGNED.signature[0], 0x81]) + SIGNED.signature[1:]
    for signature in (long_form, SIGNED.signature + b"\x00", r.to_bytes(32, "big") + s.to_bytes(32, "big")):
        with pytest.raises(EvidenceInvalid):
            sealed_envelope(STATEMENT, signature, KEY)
