"""Reports: every fact in its place, and no fact that nobody knows."""

import json
from dataclasses import replace
from datetime import timedelta, timezone
from decimal import Decimal

import pytest

from seed_pipelines.domain.evidence.chain import START, ChainHead, verify_chain
from seed_pipelines.domain.evidence.envelope import open_envelope, sealed_envelope, signing_input
from seed_pipelines.domain.evidence.facts import Cost
from seed_pipelines.domain.evidence.report import build_report, link_of, report_bytes
from seed_pipelines.domain.evidence.statement import read_report, report_statement
from seed_pipelines.errors import EvidenceInvalid, TargetMismatch
from seed_pipelines_tests.evidence_examples import (
    BEGAN,
    DOCUMENT,
    EVERY_KIND,
    HEAD,
    ROOTS,
    aborted,
    check,
    failed,
    overridden,
    rehearsed,
    succeeded,
)
from seed_pipelines_tests.fakes import FakeSigner


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_equal_facts_give_equal_bytes(kind: str) -> None:
    """Whatever the order of their mappings and the zone of their clocks."""
    facts, after = EVERY_KIND[kind]
    turned = replace(
        facts,
        document=dict(reversed(list(facts.document.items()))),
        started_at=facts.started_at.astimezone(timezone(timedelta(hours=-3))),
    )
    assert report_bytes(build_report(turned, after)) == report_bytes(build_report(facts, after))


def test_a_report_holds_its_run() -> None:
    """Who, what, when, and the place in the chain."""
    report = build_report(succeeded(), HEAD)
    assert report["run"]["started_at"] == "2026-01-02T03:04:05+00:00"
    assert report["run"]["seconds"] == 12.5
    assert report["requester"] == {
        "subject": "seed_operator",
        "requested_by": "ana",
        "claimed_roles": ["seed-runner"],
    }
    assert report["manifest"] == DOCUMENT
    assert report["chain"] == {"sequence": 42, "previous_sha256": HEAD.sha256}
    assert build_report(succeeded(), START)["chain"] == {"sequence": 1, "previous_sha256": "0" * 64}


def test_volumes_are_those_asked_and_delivered() -> None:
    """Percentages are rounded down, so that 100 is everything; a root only where all was read back."""
    facts = replace(aborted(), delivered_rows={"customers": 99, "bank_accounts": 119}, roots=ROOTS)
    [customers, accounts] = build_report(facts, HEAD)["volumes"]
    assert customers["delivered_pct"] == 99.0
    assert accounts["delivered_pct"] == 99.16
    assert accounts["merkle_root"] == ROOTS["bank_accounts"]
    assert customers["target_pct"] is None
    assert build_report(aborted(), HEAD)["volumes"][0] == {
        "entity": "customers",
        "cap": 100,
        "target_pct": None,
        "planned": 100,
        "delivered": 50,
        "delivered_pct": 50.0,
        "merkle_root": None,
    }


def test_costs_are_decimal_text() -> None:
    """Never in exponents; the share is one of the cap."""
    report = build_report(succeeded(cost=Cost(Decimal("1E-6"), "2026-11", {"load": Decimal("1E-6")})), HEAD)
    assert report["cost"] == {
        "spent_brl": "0.000001",
        "cap_brl": "0.5",
        "share_pct": 0.0,
        "cost_model_version": "2026-11",
        "by_category": {"load": "0.000001"},
    }


def test_what_was_not_measured_is_null() -> None:
    """Beside the target; and where it was measured it is what was measured."""
    levels = build_report(succeeded(), HEAD)["service_levels"]
    assert levels["p95_ms"] == {"target": 150, "measured": None}
    assert build_report(succeeded(), HEAD)["error_budget"]["failed_pct"] is None
    report = build_report(overridden(), HEAD)
    assert report["service_levels"]["p99_ms"] == {"target": 250, "measured": 240.0}
    assert report["error_budget"] == {"allowed_pct": 1, "requests": 200, "failed": 1, "failed_pct": 0.5}
    assert report["rate_limit"]["used"] == [{"purpose": "kyc", "admitted": 200, "refused": 3, "waited_seconds": 1.25}]


def test_personal_data_in_messages_is_withheld() -> None:
    """In problems, reasons and facts of checks."""
    detail = "duplicate key (document_number)=(529.982.247-25), ask ana@bank.com.br"
    facts = replace(
        failed(),
        began_in_window=False,
        window_overridden_because="customer 52998224725 waits",
        problems=(TargetMismatch(detail, mismatches=[detail]).problem(),),
        checks=(check("rls_enforced", "0", passed=False, holes=[detail]),),
    )
    written = report_bytes(build_report(facts, HEAD)).decode()
    assert "52998224725" not in written
    assert "529.982.247-25" not in written
    assert "bank.com.br" not in written
    assert written.count("[CPF withheld]") == 4


def test_a_clock_that_was_set_back_leaves_no_negative_time() -> None:
    """Nor does it keep a run from being reported."""
    report = build_report(succeeded(ended_at=BEGAN - timedelta(seconds=1)), HEAD)
    assert report["run"]["seconds"] == 0


def test_facts_that_contradict_each_other_are_no_report() -> None:
    """With where."""
    for facts, after, pointer in (
        (replace(failed(), verdict="succeeded"), HEAD, ""),
        (succeeded(tenant_id="tenant-a"), HEAD, "/tenant/id"),
        (succeeded(), None, "/chain"),
        (succeeded(), ChainHead(0, "1" * 64), "/chain/previous_sha256"),
    ):
        with pytest.raises(EvidenceInvalid) as refusal:
            build_report(facts, after)
        assert refusal.value.extensions["pointer"].startswith(pointer)


def test_a_number_that_json_does_not_keep_is_refused() -> None:
    """Rather than rounded."""
    report = build_report(succeeded(checks=(check("row_counts", "0", landed=2**53),)), HEAD)
    with pytest.raises(EvidenceInvalid, match="no canonical form"):
        report_bytes(report)
    with pytest.raises(EvidenceInvalid, match="no canonical form"):
        report_statement(report)


def test_reports_form_a_chain() -> None:
    """Sealed one after the other, opened, and verified as a whole."""
    signer, head, links = FakeSigner(), START, []
    for facts in (succeeded(), failed(), aborted(), rehearsed()):
        statement = report_statement(build_report(facts, head))
        signed = signer.sign(signing_input(statement))
        opened = open_envelope(sealed_envelope(statement, signed.signature, signed.key), signer.public_keys())
        links.append(link_of(opened, read_report(opened.statement)))
        head = links[-1].head
    assert verify_chain(links, head=head) == ChainHead(4, links[-1].sha256)
    with pytest.raises(EvidenceInvalid, match="number 2 is missing"):
        verify_chain([links[0], *links[2:]])


def test_a_dry_run_need_not_be_in_a_chain() -> None:
    """Then it has no place in one."""
    statement = report_statement(build_report(rehearsed(), None))
    signer = FakeSigner()
    signed = signer.sign(signing_input(statement))
    opened = open_envelope(sealed_envelope(statement, signed.signature, signed.key), signer.public_keys())
    with pytest.raises(EvidenceInvalid, match="in no chain"):
        link_of(opened, json.loads(statement)["predicate"])
