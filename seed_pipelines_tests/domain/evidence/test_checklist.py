"""The audit checklist: each item passes, fails, or says why it does not apply."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from seed_pipelines.domain.checks import CHECKS
from seed_pipelines.domain.evidence.checklist import CHECKLIST, checklist
from seed_pipelines.domain.evidence.facts import Cost, Measurement, RateLimitUse, RunFacts
from seed_pipelines_tests.evidence_examples import (
    DOCUMENT,
    EVERY_KIND,
    ROOTS,
    aborted,
    begun,
    check,
    failed,
    overridden,
    rehearsed,
    succeeded,
)
from seed_pipelines_tests.manifest_examples import changed, sealed


def item(facts: RunFacts, name: str) -> dict[str, Any]:
    [found] = [item for group in checklist(facts)["groups"] for item in group["items"] if item["item"] == name]
    return dict(found)


def without(facts: RunFacts, name: str, shard: str | None = None) -> RunFacts:
    """The facts with a check that was never made, in one shard or in all."""
    kept = [c for c in facts.checks if c["name"] != name or (shard is not None and c["shard"] != shard)]
    return replace(facts, checks=tuple(kept))


def with_failed(facts: RunFacts, name: str, *also: dict[str, Any]) -> RunFacts:
    return replace(facts, checks=(*({**c, "passed": c["name"] != name} for c in facts.checks), *also))


def resealed(place: str, value: object) -> dict[str, Any]:
    document = sealed(changed(DOCUMENT, place, value))
    return {"document": document, "manifest_hash": document["integrity"]["manifest_hash"]}


FAILS: dict[str, Sequence[RunFacts]] = {
    "manifest_hash": [
        succeeded(manifest_hash="0" * 64),
        succeeded(document=changed(DOCUMENT, "/metadata/version", "1.0.1")),
        succeeded(document=changed(DOCUMENT, "/integrity/manifest_hash", "0" * 64)),
        succeeded(document=changed(DOCUMENT, "/slo/p95_target_ms", float("nan"))),
    ],
    "manifest_identity": [
        succeeded(tenant_slug="tenant-b"),
        succeeded(environment="dev"),
        succeeded(profile="smoke"),
        succeeded(mode="carga"),
    ],
    "caps": [
        succeeded(delivered_rows={"customers": 101, "bank_accounts": 120}),
        succeeded(delivered_rows={"customers": 100, "bank_accounts": 120, "loans": 1}),
        succeeded(planned_rows={"customers": 100, "bank_accounts": 121}),
    ],
    "subject": [succeeded(subject="")],
    "window": [succeeded(began_in_window=False), succeeded(began_in_window=False, window_overridden_because="")],
    "row_level_security": [
        with_failed(succeeded(), "rls_enforced"),
        without(succeeded(), "rls_enforced"),
        without(succeeded(), "rls_enforced", "1"),
    ],
    "pii_masked": [with_failed(succeeded(), "pii_masked"), without(succeeded(), "pii_masked")],
    "idempotency_key": [succeeded(idempotency_key=None)],
    "fencing_token": [succeeded(fencing_token=None), succeeded(fencing_token=6), succeeded(fencing_token=5)],
    "budget": [succeeded(cost=Cost(Decimal("0.500001"), "2026-11"))],
    "rate_limit": [
        succeeded(rate_limit_use=(RateLimitUse("kyc", 9, 0, 0.0),), measured=Measurement(10, 0)),
    ],
    "error_budget": [succeeded(measured=Measurement(100, 2)), succeeded(measured=Measurement(1, 1))],
    "shards": [failed(), aborted(), succeeded(shards=succeeded().shards[:1])],
    **{
        name: [with_failed(succeeded(), name), without(succeeded(), name), without(succeeded(), name, "0")]
        for name in ("row_counts", "unique_keys", "foreign_keys", "check_digits")
    },
    "business_rules": [with_failed(succeeded(), "contracts_sound"), without(succeeded(), "contracts_sound", "1")],
    "contract_schemas": [
        succeeded(checks=(check("contract_schemas", "0"), check("contract_schemas", "1", passed=False))),
        succeeded(checks=(check("contract_schemas", "0"),)),
    ],
    "digests_equal": [
        with_failed(succeeded(), "digests_equal"),
        succeeded(dataset_digest="0" * 64),
        succeeded(roots={"customers": ROOTS["customers"]}),
        succeeded(roots={**ROOTS, "customers": "0" * 64}),
    ],
    "p95": [succeeded(measured=Measurement(1, 0, p95_ms=150.5))],
    "p99": [succeeded(measured=Measurement(1, 0, p99_ms=250.5))],
    "throughput": [succeeded(measured=Measurement(1, 0, throughput_rps=1.49))],
}
"""Item -> facts with which it fails."""


def test_every_item_can_fail() -> None:
    """A check that cannot fail is none."""
    assert set(FAILS) == {item.name for items in CHECKLIST.values() for item in items}


@pytest.mark.parametrize("name", FAILS)
def test_an_item_fails_where_its_fact_does_not_hold(name: str) -> None:
    """And says what was found."""
    for facts in FAILS[name]:
        found = item(facts, name)
        assert found["result"] == "fail", found
        assert found["reason"]


def test_a_run_that_kept_everything_passes() -> None:
    """What does not apply does not count."""
    found = checklist(succeeded())
    assert (found["failed"], found["passed_pct"]) == (0, 100.0)
    away = {i["item"] for g in found["groups"] for i in g["items"] if i["result"] == "not_applicable"}
    assert away == {"rate_limit", "error_budget", "contract_schemas", "p95", "p99", "throughput"}
    assert checklist(overridden())["not_applicable"] == 1


def test_percentages_are_of_what_applies() -> None:
    """By group and in all."""
    found = checklist(failed())
    integrity = next(group for group in found["groups"] if group["group"] == "integrity")
    assert (integrity["passed"], integrity["failed"], integrity["not_applicable"]) == (4, 2, 1)
    assert integrity["passed_pct"] == 66.66
    assert found["passed"] + found["failed"] + found["not_applicable"] == len(FAILS)
    levels = next(group for group in found["groups"] if group["group"] == "service_levels")
    assert levels["passed_pct"] is None


@pytest.mark.parametrize("name", [*CHECKS])
def test_what_an_interrupted_run_did_not_check_does_not_apply(name: str) -> None:
    """But what it found before it ended does."""
    names = {"rls_enforced": "row_level_security"}
    assert item(begun(), names.get(name, name))["result"] == "not_applicable"
    assert item(aborted(), names.get(name, name))["reason"] == "Not checked in 1."
    assert item(with_failed(aborted(), name), names.get(name, name))["result"] == "fail"


def test_a_dry_run_answers_for_what_it_does() -> None:
    """It loads nothing, holds no lease, pays for nothing and may run at any time; its files are checked."""
    found = checklist(rehearsed())
    away = {i["item"] for g in found["groups"] for i in g["items"] if i["result"] == "not_applicable"}
    assert away >= {"row_level_security", "window", "fencing_token", "budget", "shards"}
    assert item(rehearsed(), "unique_keys")["result"] == "pass"
    assert item(rehearsed(), "digests_equal")["result"] == "pass"
    assert found["failed"] == 0


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_answer_has_a_reason(kind: str) -> None:
    """Also where it passes."""
    for group in checklist(EVERY_KIND[kind][0])["groups"]:
        assert all(found["reason"].endswith(".") for found in group["items"])


def test_a_cap_is_the_manifests() -> None:
    """And so are budget and targets."""
    assert item(succeeded(**resealed("/volumetry/customers/cap", 99)), "caps")["result"] == "fail"
    assert item(succeeded(**resealed("/budget/cost_cap_brl", 0.012345)), "budget")["result"] == "pass"
    assert item(succeeded(**resealed("/budget/cost_cap_brl", 0.012344)), "budget")["result"] == "fail"
