"""The log of all reports of an environment, and its checkpoints."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
import rfc8785

from seed_pipelines.domain.evidence.envelope import open_envelope, sealed_envelope, signing_input
from seed_pipelines.domain.evidence.log import (
    checkpoint,
    checkpoint_statement,
    prove_growth,
    prove_inclusion,
    read_checkpoint,
    require_growth,
    require_inclusion,
)
from seed_pipelines.errors import EvidenceInvalid
from seed_pipelines_tests.fakes import FakeSigner

AT = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
ENVELOPES = [hashlib.sha256(b"envelope %d" % number).hexdigest() for number in range(11)]


def test_a_checkpoint_is_sealed_and_read_back() -> None:
    """In the envelope of the reports; its time is kept in UTC."""
    taken = checkpoint("staging", ENVELOPES, AT.astimezone(timezone(timedelta(hours=-3))))
    statement, signer = checkpoint_statement(taken), FakeSigner()
    signed = signer.sign(signing_input(statement))
    opened = open_envelope(sealed_envelope(statement, signed.signature, signed.key), signer.public_keys())
    assert read_checkpoint(opened.statement) == taken
    assert json.loads(statement)["predicate"]["at"] == "2026-01-02T03:04:05.000678+00:00"


def test_an_entry_is_the_hash_of_an_envelope() -> None:
    """And a leaf the hash of 0x00 and the entry."""
    entry = hashlib.sha256(b"\x00" + bytes.fromhex(ENVELOPES[0])).hexdigest()
    assert checkpoint("staging", ENVELOPES[:1], AT).root == entry


@pytest.mark.parametrize("index", range(11))
def test_each_envelope_is_in_the_log(index: int) -> None:
    """At its place alone."""
    taken, proof = checkpoint("staging", ENVELOPES, AT), prove_inclusion(index, ENVELOPES)
    require_inclusion(ENVELOPES[index], index, taken, proof)
    for envelope, place in ((ENVELOPES[index - 1], index), (ENVELOPES[index], (index + 1) % 11)):
        with pytest.raises(EvidenceInvalid):
            require_inclusion(envelope, place, taken, proof)


@pytest.mark.parametrize("size", range(12))
def test_the_log_only_grows(size: int) -> None:
    """From every earlier checkpoint; a rewritten envelope shows."""
    older, newer = checkpoint("staging", ENVELOPES[:size], AT), checkpoint("staging", ENVELOPES, AT)
    require_growth(older, newer, prove_growth(older, ENVELOPES))
    if size:
        forged = [ENVELOPES[1], *ENVELOPES[1:]]
        with pytest.raises(EvidenceInvalid):
            require_growth(older, checkpoint("staging", forged, AT), prove_growth(older, forged))


def test_checkpoints_of_two_logs_are_not_compared() -> None:
    """Another environment, or the newer one before the older."""
    older, newer = checkpoint("staging", ENVELOPES[:3], AT), checkpoint("staging", ENVELOPES, AT)
    proof = prove_growth(older, ENVELOPES)
    with pytest.raises(EvidenceInvalid, match="of dev"):
        require_growth(older, replace(newer, environment="dev"), proof)
    with pytest.raises(EvidenceInvalid, match="newer"):
        require_growth(older, replace(newer, at=AT - timedelta(seconds=1)), proof)


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (("predicateType",), "urn:other", "predicateType"),
        (("_type",), "https://in-toto.io/Statement/v0.1", "_type"),
        (("predicate", "tree_size"), -1, "/tree_size"),
        (("predicate", "tree_size"), True, "/tree_size"),
        (("predicate", "root"), "0" * 64, "subject"),
        (("predicate", "environment"), "dev", "subject"),
        (("predicate", "at"), "2026-13-02T03:04:05+00:00", "time"),
        (("predicate", "at"), "2026-01-02T03:04:05Z", "/at"),
        (("predicate", "comment"), "", "comment"),
    ],
)
def test_a_changed_checkpoint_is_refused(place: tuple[str, ...], value: object, reason: str) -> None:
    """Whoever signed it."""
    document = json.loads(checkpoint_statement(checkpoint("staging", ENVELOPES, AT)))
    part = document
    for name in place[:-1]:
        part = part[name]
    part[place[-1]] = value
    with pytest.raises(EvidenceInvalid, match=reason):
        read_checkpoint(rfc8785.dumps(document))


def test_what_is_no_hash_is_no_entry() -> None:
    """In whatever list it stands."""
    with pytest.raises(EvidenceInvalid, match="no SHA-256"):
        checkpoint("staging", ["nothing"], AT)
