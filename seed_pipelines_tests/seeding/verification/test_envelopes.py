"""An envelope by itself: no bit of it can be changed, and its report is read again."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from seed_pipelines.domain.evidence.envelope import sealed_envelope, signing_input
from seed_pipelines.domain.evidence.report import build_report
from seed_pipelines.domain.evidence.statement import report_statement
from seed_pipelines.errors import EvidenceInvalid
from seed_pipelines.seeding.verification.envelopes import Trust
from seed_pipelines.seeding.verification.findings import require_valid
from seed_pipelines.seeding.verification.run import verify_envelope
from seed_pipelines_tests.evidence_examples import EVERY_KIND, HEAD, succeeded
from seed_pipelines_tests.fakes import FakeSigner
from seed_pipelines_tests.seeding.verification.sealed_runs import failed, flipped, results


def signed(signer: FakeSigner, report: dict[str, Any]) -> bytes:
    statement = report_statement(report)
    made = signer.sign(signing_input(statement))
    return sealed_envelope(statement, made.signature, made.key)


def pems(signer: FakeSigner) -> Trust:
    return Trust(pems=tuple(key.pem for key in signer.public_keys()))


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_kind_of_report_verifies_with_a_bare_pem(kind: str) -> None:
    """And the facts in it give the answers of its checklist again."""
    signer = FakeSigner()
    found = verify_envelope(signed(signer, build_report(*EVERY_KIND[kind])), pems(signer))
    assert results(found) == dict.fromkeys(("envelope", "signature", "statement", "checklist"), "pass")
    require_valid(found)


def test_no_bit_of_an_envelope_can_be_changed() -> None:
    signer = FakeSigner()
    data = signed(signer, build_report(succeeded(), HEAD))
    for place in {*range(0, len(data), 97), *range(40), *range(len(data) - 320, len(data))}:
        found = verify_envelope(flipped(data, place), Trust(keys=signer.public_keys()))
        assert found.failures, place
        with pytest.raises(EvidenceInvalid):
            require_valid(found)


def test_a_bare_pem_cannot_know_what_its_key_is_called() -> None:
    """The name in a keyid is not signed (DSSE): the envelope's SHA-256 shows that it was changed."""
    signer = FakeSigner()
    data = signed(signer, build_report(succeeded(), HEAD))
    name = data.index(b'"keyid":"') + len(b'"keyid":"')
    honest, renamed = (verify_envelope(it, pems(signer)) for it in (data, flipped(data, name)))
    assert not renamed.failures
    assert honest.about["sha256"] != renamed.about["sha256"]
    for place in {*range(0, name, 97), *range(name + len("seed-reports"), len(data))}:
        assert verify_envelope(flipped(data, place), pems(signer)).failures, place


def test_the_key_must_be_the_one_that_signed() -> None:
    """Also where it claims the same name and version."""
    data = signed(FakeSigner(), build_report(succeeded(), HEAD))
    assert set(failed(verify_envelope(data, pems(FakeSigner())))) == {"signature"}


def test_a_rotated_key_verifies_what_it_signed_before() -> None:
    signer = FakeSigner()
    data = signed(signer, build_report(succeeded(), HEAD))
    signer.rotate()
    assert not verify_envelope(data, pems(signer)).failures


def test_a_statement_of_something_else_is_no_report() -> None:
    """Though the right key signed it."""
    signer = FakeSigner()
    statement = json.dumps({"_type": "x"}, separators=(",", ":")).encode()
    made = signer.sign(signing_input(statement))
    found = verify_envelope(sealed_envelope(statement, made.signature, made.key), pems(signer))
    assert results(found) == {"envelope": "pass", "signature": "pass", "statement": "fail"}


def more_customers(report: dict[str, Any]) -> None:
    report["volumes"][0]["delivered"] = 101


def other_mode(report: dict[str, Any]) -> None:
    report["mode"] = "carga"


def lost_check(report: dict[str, Any]) -> None:
    del report["checks"][0]


def other_digest(report: dict[str, Any]) -> None:
    report["dataset_digest"] = "0" * 64


def lost_shard(report: dict[str, Any]) -> None:
    report["shards_planned"] = 3


def overspent(report: dict[str, Any]) -> None:
    report["cost"]["spent_brl"] = "100"


def embellished_total(report: dict[str, Any]) -> None:
    report["checklist"]["passed"] += 1


@pytest.mark.parametrize(
    "lie", [more_customers, other_mode, lost_check, other_digest, lost_shard, overspent, embellished_total]
)
def test_a_checklist_that_its_own_report_contradicts_is_refused(lie: Callable[[dict[str, Any]], None]) -> None:
    """Also if whoever holds the key signed it: the place is named."""
    signer, report = FakeSigner(), build_report(succeeded(), HEAD)
    lie(report)
    found = verify_envelope(signed(signer, report), pems(signer))
    assert set(failed(found)) == {"checklist"}
    assert found.failures[0].where["pointer"].startswith("/checklist")


def test_what_is_no_envelope_is_said_in_words() -> None:
    for data in (b"", b"{}", b"no JSON", base64.b64encode(b"{}"), bytes(300)):
        assert set(failed(verify_envelope(data, pems(FakeSigner())))) == {"envelope"}
