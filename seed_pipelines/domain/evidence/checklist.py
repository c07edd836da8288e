"""The audit checklist: what an auditor asks of every run, answered by its facts alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from seed_pipelines.domain.evidence import verdicts
from seed_pipelines.domain.evidence.facts import RunFacts
from seed_pipelines.domain.evidence.percentages import percent
from seed_pipelines.domain.evidence.verdicts import Answer


@dataclass(frozen=True)
class Item:
    """One question of the checklist."""

    name: str
    says: str
    """What holds where it passes."""
    answer: Callable[[RunFacts], Answer]


CHECKLIST: Final[Mapping[str, tuple[Item, ...]]] = {
    "manifest": (
        Item("manifest_hash", "The manifest is the one that was sealed and asked for.", verdicts.manifest_hash),
        Item("manifest_identity", "Tenant, environment, profile and mode are the manifest's.", verdicts.identity),
        Item("caps", "No entity has more rows than its cap.", verdicts.caps),
    ),
    "authorization": (
        Item("subject", "The database authenticated who started it.", verdicts.subject),
        Item("window", "It began inside its window, or somebody said why not.", verdicts.window),
    ),
    "isolation": (
        Item("row_level_security", "Row level security was attacked, and held.", verdicts.row_level_security),
    ),
    "privacy": (Item("pii_masked", "No PII column holds what was drawn.", verdicts.checked("pii_masked")),),
    "concurrency": (
        Item("idempotency_key", "It ran under an idempotency key.", verdicts.idempotency_key),
        Item("fencing_token", "Its fencing token is newer than those before it.", verdicts.fencing_token),
    ),
    "limits": (
        Item("budget", "It cost no more than its budget.", verdicts.budget),
        Item("rate_limit", "No request was sent that the rate limit refused.", verdicts.rate_limit),
        Item("error_budget", "No more requests failed than may.", verdicts.error_budget),
    ),
    "integrity": (
        Item("shards", "Every shard landed and passed.", verdicts.shards),
        Item("row_counts", "As many rows as planned.", verdicts.checked("row_counts")),
        Item("unique_keys", "Unique keys are unique.", verdicts.checked("unique_keys")),
        Item("foreign_keys", "References lead to rows of the tenant.", verdicts.checked("foreign_keys")),
        Item("check_digits", "Check digits and formats are right.", verdicts.checked("check_digits")),
        Item("business_rules", "The rows agree with each other.", verdicts.business_rules),
        Item("contract_schemas", "The rows fit the schemas of the contracts.", verdicts.contract_schemas),
    ),
    "determinism": (
        Item("digests_equal", "What was derived, written and landed has one digest.", verdicts.determinism),
    ),
    "service_levels": (
        Item("p95", "95 of 100 requests were as fast as promised.", verdicts.p95),
        Item("p99", "99 of 100 requests were as fast as promised.", verdicts.p99),
        Item("throughput", "As many requests a second as promised.", verdicts.throughput),
    ),
}
"""Group -> its items, in the order in which they are shown."""


def checklist(facts: RunFacts) -> dict[str, Any]:
    """The answers as JSON: by group, and how many percent of what applies passed."""
    groups = {group: [_answered(item, item.answer(facts)) for item in items] for group, items in CHECKLIST.items()}
    every = [item for items in groups.values() for item in items]
    return {
        "groups": [{"group": group, "items": items, **_totals(items)} for group, items in groups.items()],
        **_totals(every),
    }


def _answered(item: Item, answer: Answer) -> dict[str, Any]:
    return {"item": item.name, "says": item.says, "result": answer.result, "reason": answer.reason}


def _totals(items: list[dict[str, Any]]) -> dict[str, Any]:
    results = [item["result"] for item in items]
    passed, failed = results.count("pass"), results.count("fail")
    return {
        "passed": passed,
        "failed": failed,
        "not_applicable": results.count("not_applicable"),
        "passed_pct": percent(passed, passed + failed),
    }
