"""What the facts of a run answer to each question of the audit checklist."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

import rfc8785

from seed_pipelines.domain import manifest as manifests
from seed_pipelines.domain.checks import CHECKS
from seed_pipelines.domain.digest import dataset_digest
from seed_pipelines.domain.evidence.facts import NOTHING_MEASURED, RunFacts

CONTRACT_CHECK: Final = "contract_schemas"
"""The check of rows against the schemas of contracts."""

_ALL_SHARDS: Final = "all"
"""The shard of a check over the whole dataset."""


@dataclass(frozen=True)
class Answer:
    """The answer to one question."""

    result: Literal["pass", "fail", "not_applicable"]
    reason: str
    """Why; never empty."""


def manifest_hash(facts: RunFacts) -> Answer:
    """The hash of the document, computed anew, against the sealed one and the run's."""
    try:
        computed = manifests.manifest_hash(facts.document)
    except rfc8785.CanonicalizationError as error:
        return Answer("fail", f"The manifest has no canonical form: {error}.")
    recorded = facts.document.get("integrity", {}).get("manifest_hash")
    if computed == recorded == facts.manifest_hash:
        return Answer("pass", f"Computed anew: {computed}.")
    return Answer("fail", f"Computed {computed}, sealed {recorded}, asked for {facts.manifest_hash}.")


def identity(facts: RunFacts) -> Answer:
    """Tenant, environment, profile and mode of the run against the manifest's."""
    metadata = facts.document["metadata"]
    named = (metadata["tenant"], metadata["environment"], metadata["profile"], facts.document["mode"])
    ran = (facts.tenant_slug, facts.environment, facts.profile, facts.mode)
    return _held(
        named == ran, f"{'/'.join(ran)}.", f"The manifest names {'/'.join(named)}, the run was {'/'.join(ran)}."
    )


def caps(facts: RunFacts) -> Answer:
    """Rows that landed, and those planned, against the caps."""
    over = [
        f"{name}: {most} of {facts.document['volumetry'].get(name, {}).get('cap', 0)}"
        for name in sorted({*facts.planned_rows, *facts.delivered_rows})
        if (most := max(facts.planned_rows.get(name, 0), facts.delivered_rows.get(name, 0)))
        > facts.document["volumetry"].get(name, {}).get("cap", 0)
    ]
    return _held(not over, f"{len(facts.planned_rows)} entities are within their caps.", f"Over: {', '.join(over)}.")


def subject(facts: RunFacts) -> Answer:
    """Whether there is one."""
    return _held(bool(facts.subject), f"{facts.subject}.", "No login is on record.")


def window(facts: RunFacts) -> Answer:
    """Inside, or overridden with a reason; a dry run may happen at any time."""
    if facts.operation == "dry_run":
        return Answer("not_applicable", "A dry run is bound to no window.")
    if facts.began_in_window:
        return Answer("pass", "It began inside the window.")
    said = bool(facts.window_overridden_because)
    return _held(said, "Overridden, with a reason.", "It began outside the window, and nobody said why.")


def row_level_security(facts: RunFacts) -> Answer:
    """The check of each shard; a dry run loads nothing."""
    if facts.operation == "dry_run":
        return Answer("not_applicable", "A dry run loads no rows.")
    return checked("rls_enforced")(facts)


def idempotency_key(facts: RunFacts) -> Answer:
    """Whether there is one."""
    return _held(bool(facts.idempotency_key), "The key is on record.", "No key is on record.")


def fencing_token(facts: RunFacts) -> Answer:
    """The run's token against the newest one before it."""
    token, earlier = facts.fencing_token, facts.earlier_fencing_token
    if token is None:
        if facts.operation == "dry_run":
            return Answer("not_applicable", "A dry run holds no lease.")
        if facts.verdict != "succeeded":
            return Answer("not_applicable", "The run ended before it held the lease.")
        return Answer("fail", "No token is on record.")
    if earlier is None:
        return Answer("pass", f"{token} is the first.")
    return _held(token > earlier, f"{token} follows {earlier}.", f"{token} does not follow {earlier}.")


def budget(facts: RunFacts) -> Answer:
    """What it cost against its cap."""
    cap = facts.document.get("budget", {}).get("cost_cap_brl")
    if facts.cost is None or cap is None:
        return Answer("not_applicable", "It pays for nothing." if facts.cost is None else "The manifest sets no cap.")
    spent = facts.cost.spent_brl
    words = f"{spent} of {cap} BRL were spent."
    return _held(spent <= Decimal(str(cap)), words, words)


def rate_limit(facts: RunFacts) -> Answer:
    """What was admitted; a refused request waits, and is not sent."""
    if not facts.rate_limit_use:
        return Answer("not_applicable", "No request to the outside was made.")
    limit = facts.document["rate_limit"]
    sent = 0 if facts.measured is None else facts.measured.requests
    admitted = sum(use.admitted for use in facts.rate_limit_use)
    words = f"{sent} requests were sent, {admitted} admitted at {limit['limit']} in {limit['window_seconds']} s."
    return _held(sent <= admitted, words, words)


def error_budget(facts: RunFacts) -> Answer:
    """Failed requests against the share that may fail."""
    allowed = facts.document.get("budget", {}).get("error_budget_pct")
    if facts.measured is None or not facts.measured.requests or allowed is None:
        return Answer("not_applicable", "No request was made, or the manifest sets no share that may fail.")
    failed, requests = facts.measured.failed, facts.measured.requests
    words = f"{failed} of {requests} requests failed, {allowed}% may."
    return _held(Decimal(failed) * 100 <= Decimal(str(allowed)) * requests, words, words)


def shards(facts: RunFacts) -> Answer:
    """Every shard of the plan."""
    if facts.operation == "dry_run":
        return Answer("not_applicable", "A dry run loads no shard.")
    passed = {shard.key for shard in facts.shards if shard.passed}
    missing = [key for key in facts.planned_shards if key not in passed]
    words = f"{len(facts.planned_shards) - len(missing)} of {len(facts.planned_shards)} shards landed and passed."
    return _held(not missing, words, f"{words} Not: {_listed(missing)}.")


def checked(name: str) -> Callable[[RunFacts], Answer]:
    """The answer of one check: it passed in every shard of the plan."""

    def answer(facts: RunFacts) -> Answer:
        return _covered(facts, [check for check in facts.checks if check["name"] == name])

    return answer


def business_rules(facts: RunFacts) -> Answer:
    """All checks that belong to the entities and not to every shard."""
    rules = [check for check in facts.checks if check["name"] not in CHECKS and check["name"] != CONTRACT_CHECK]
    if not rules:
        return Answer("not_applicable", "No rule between rows was checked.")
    return _covered(facts, rules)


def contract_schemas(facts: RunFacts) -> Answer:
    """The check against the contracts, where it was made."""
    found = [check for check in facts.checks if check["name"] == CONTRACT_CHECK]
    return _covered(facts, found) if found else Answer("not_applicable", "No contract was asked.")


def determinism(facts: RunFacts) -> Answer:
    """The digests of every shard, and that of the dataset computed anew from its roots."""
    answer = checked("digests_equal")(facts)
    if answer.result != "pass" or facts.verdict != "succeeded":
        return answer
    computed = dataset_digest(facts.roots)
    complete = set(facts.roots) == set(facts.planned_rows) and computed == facts.dataset_digest
    return _held(
        complete, f"Computed anew: {computed}.", f"The roots give {computed}, on record is {facts.dataset_digest}."
    )


def p95(facts: RunFacts) -> Answer:
    """The measured percentile against its target."""
    return _service_level(facts, "p95_target_ms", (facts.measured or NOTHING_MEASURED).p95_ms, "ms")


def p99(facts: RunFacts) -> Answer:
    """The measured percentile against its target."""
    return _service_level(facts, "p99_target_ms", (facts.measured or NOTHING_MEASURED).p99_ms, "ms")


def throughput(facts: RunFacts) -> Answer:
    """The measured throughput against its target."""
    found = (facts.measured or NOTHING_MEASURED).throughput_rps
    return _service_level(facts, "throughput_target_rps", found, "requests a second", more_is_better=True)


def _service_level(
    facts: RunFacts, target: str, found: float | None, unit: str, *, more_is_better: bool = False
) -> Answer:
    if found is None:
        return Answer("not_applicable", "Nothing was measured.")
    promised = facts.document["slo"][target]
    words = f"Measured {found:g}, promised {promised} {unit}."
    return _held(found >= promised if more_is_better else found <= promised, words, words)


def _covered(facts: RunFacts, found: Sequence[Mapping[str, Any]]) -> Answer:
    failed = [f"{check['name']} in {check['shard']}" for check in found if not check["passed"]]
    if failed:
        return Answer("fail", f"Failed: {_listed(failed)}.")
    where = {check["shard"] for check in found}
    missing = [] if _ALL_SHARDS in where else [key for key in facts.planned_shards if key not in where]
    if not missing:
        return Answer("pass", f"Passed in {len(where)} of {len(where)} shards." if where else "There is no shard.")
    reason = f"Not checked in {_listed(missing)}."
    return Answer("fail" if facts.verdict == "succeeded" else "not_applicable", reason)


def _held(holds: bool, why: str, why_not: str) -> Answer:
    return Answer("pass", why) if holds else Answer("fail", why_not)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
