"""Statements of reports: what they are about is what the report says."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785

from seed_pipelines.domain.evidence.report import build_report
from seed_pipelines.domain.evidence.statement import read_report, report_statement
from seed_pipelines.errors import EvidenceInvalid
from seed_pipelines_tests.evidence_examples import DOCUMENT, EVERY_KIND, HEAD, ROOTS, aborted, succeeded

STATEMENT = report_statement(build_report(succeeded(), HEAD))


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_a_report_is_read_as_it_was_written(kind: str) -> None:
    """From the bytes of its statement."""
    report = build_report(*EVERY_KIND[kind])
    assert rfc8785.dumps(dict(read_report(report_statement(report)))) == rfc8785.dumps(report)


def test_the_subjects_are_the_digests() -> None:
    """Of the manifest, the dataset and each entity; of a run that did not complete, the manifest alone."""
    document = json.loads(STATEMENT)
    assert document["_type"] == "https://in-toto.io/Statement/v1"
    assert document["predicateType"] == "urn:seed-pipelines:seed-report:v1"
    dataset = document["predicate"]["dataset_digest"]
    assert {it["name"]: it["digest"] for it in document["subject"]} == {
        "manifest/tenant-a/staging/default": {"sha256": DOCUMENT["integrity"]["manifest_hash"]},
        "dataset/tenant-a/staging/default": {"sha256": dataset},
        "dataset/tenant-a/staging/default/customers": {"sha256": ROOTS["customers"]},
        "dataset/tenant-a/staging/default/bank_accounts": {"sha256": ROOTS["bank_accounts"]},
    }
    [only] = json.loads(report_statement(build_report(aborted(), HEAD)))["subject"]
    assert only["name"] == "manifest/tenant-a/staging/default"


def subject(document: dict[str, Any], number: int) -> dict[str, Any]:
    found: dict[str, Any] = document["subject"][number]
    return found


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda it: it.update(_type="https://in-toto.io/Statement/v0.1"), "_type"),
        (lambda it: it.update(predicateType="urn:other"), "predicateType"),
        (lambda it: it.update(predicateType=1), "predicateType"),
        (lambda it: it.update(predicate=[]), "predicate is no object"),
        (lambda it: it.update(comment=""), "'comment'"),
        (lambda it: it.pop("subject"), "members"),
        (lambda it: it.update(subject=[]), "no subject"),
        (lambda it: it.update(subject={}), "no subject"),
        (lambda it: it["subject"].pop(), "bank_accounts' is absent"),
        (lambda it: it["subject"].append(it["subject"][0]), "twice"),
        (lambda it: it["subject"].append({"name": "x", "digest": {"sha256": "0"}}), "'x' is 0, but absent"),
        (lambda it: subject(it, 0)["digest"].update(sha256="0" * 64), "subject the text 'manifest"),
        (lambda it: subject(it, 0)["digest"].update(sha512="0"), "no name with one SHA-256"),
        (lambda it: subject(it, 0).update(uri="x"), "no name with one SHA-256"),
        (lambda it: subject(it, 0).update(name=1), "no name with one SHA-256"),
        (lambda it: it["predicate"].update(dataset_digest="0" * 64), "but 0000"),
        (lambda it: it["predicate"].update(verdict="unknown"), "/verdict"),
        (lambda it: it["predicate"].pop("chain"), "'chain' is a required property"),
    ],
)
def test_a_statement_of_something_else_is_refused(change: Callable[[dict[str, Any]], None], reason: str) -> None:
    """Whoever signed it."""
    document = json.loads(STATEMENT)
    change(document)
    with pytest.raises(EvidenceInvalid, match=reason):
        read_report(rfc8785.dumps(document))


def test_only_the_canonical_bytes_are_a_statement() -> None:
    """White space is none of them."""
    with pytest.raises(EvidenceInvalid, match="canonical"):
        read_report(STATEMENT + b"\n")
