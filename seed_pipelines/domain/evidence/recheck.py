"""The checklist of a report, answered again by the facts that stand in the same report."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from seed_pipelines.domain.evidence.checklist import checklist
from seed_pipelines.domain.evidence.facts import Cost, IntegrationFacts, Measurement, RateLimitUse, RunFacts, ShardFacts
from seed_pipelines.domain.issues import shown
from seed_pipelines.errors import EvidenceInvalid

BY_OTHER_REPORTS: Final = frozenset({"fencing_token"})
"""Items that the report alone cannot answer: the token before its own stands elsewhere."""

_ALL_SHARDS: Final = "all"


def require_checklist(report: Mapping[str, Any]) -> int:
    """How many items were answered again; EvidenceInvalid, with the `pointer`, where another answer is given.

    Results are compared, not reasons: the names of shards that never landed are in no report. The report must keep its
    contract.
    """
    again = {
        (group["group"], item["item"]): item
        for group in checklist(facts_of(report))["groups"]
        for item in group["items"]
        if item["item"] not in BY_OTHER_REPORTS
    }
    answered = 0
    for g, group in enumerate(report["checklist"]["groups"]):
        for i, item in enumerate(group["items"]):
            expected = again.get((group["group"], item["item"]))
            if expected is not None and expected["result"] != item["result"]:
                raise EvidenceInvalid(
                    f"The checklist says {item['result']} for {item['item']}, but the facts of the report say"
                    f" {expected['result']}: {expected['reason']}",
                    pointer=f"/checklist/groups/{g}/items/{i}/result",
                )
            answered += expected is not None
        _require_totals(group, group["items"], f"/checklist/groups/{g}")
    every = [item for group in report["checklist"]["groups"] for item in group["items"]]
    _require_totals(report["checklist"], every, "/checklist")
    return answered


def facts_of(report: Mapping[str, Any]) -> RunFacts:
    """The facts that a report was made of, as far as they stand in it; shards that never landed have made-up names."""
    run, requester = report["run"], report["requester"]
    volumes = {volume["entity"]: volume for volume in report["volumes"]}
    return RunFacts(
        operation=report["operation"],
        verdict=report["verdict"],
        origin=run["origin"],
        tenant_slug=report["tenant"]["slug"],
        tenant_id=report["tenant"]["id"],
        environment=report["environment"],
        profile=report["profile"],
        mode=report["mode"],
        subject=requester["subject"],
        document=report["manifest"],
        manifest_hash=report["manifest_hash"],
        generator_version=run["generator_version"],
        started_at=_moment(run["started_at"], "/run/started_at"),
        ended_at=_moment(run["ended_at"], "/run/ended_at"),
        began_in_window=report["window"]["began_inside"],
        planned_rows={name: volume["planned"] for name, volume in volumes.items()},
        planned_shards=_planned_shards(report),
        delivered_rows={name: volume["delivered"] for name, volume in volumes.items()},
        roots=reported_roots(report),
        dataset_digest=report["dataset_digest"],
        idempotency_key=run["idempotency_key"],
        window_overridden_because=report["window"]["overridden_because"],
        fencing_token=report["fencing_token"],
        shards=tuple(ShardFacts(s["key"], s["rows"], s["passed"], s["seconds"]) for s in report["shards"]),
        rate_limit_use=tuple(RateLimitUse(**use) for use in report["rate_limit"]["used"]),
        integrations=tuple(IntegrationFacts(**used) for used in report.get("integrations", ())),
        cost=_cost(report["cost"]),
        measured=_measured(report),
        checks=tuple(report["checks"]),
    )


def reported_roots(report: Mapping[str, Any]) -> Mapping[str, str]:
    """Entity -> Merkle root of what was read back, for the entities that have one."""
    found = ((volume["entity"], volume["merkle_root"]) for volume in report["volumes"])
    return {name: root for name, root in found if root is not None}


def _moment(written: str, where: str) -> datetime:
    try:
        return datetime.fromisoformat(written)
    except ValueError as error:
        raise EvidenceInvalid(f"The report has the time {shown(written)}.", pointer=where) from error


def _planned_shards(report: Mapping[str, Any]) -> tuple[str, ...]:
    named = [*(shard["key"] for shard in report["shards"]), *(check["shard"] for check in report["checks"])]
    known = [key for key in dict.fromkeys(named) if key != _ALL_SHARDS]
    missing = report["shards_planned"] - len(known)
    return (*known, *(f"never landed: {number}" for number in range(1, missing + 1)))


def _cost(cost: Mapping[str, Any] | None) -> Cost | None:
    if cost is None:
        return None
    parts = {name: Decimal(part) for name, part in cost["by_category"].items()}
    return Cost(Decimal(cost["spent_brl"]), cost["cost_model_version"], parts)


def _measured(report: Mapping[str, Any]) -> Measurement | None:
    levels, budget = report["service_levels"], report["error_budget"]
    if budget["requests"] is None:
        return None
    p95, p99, rate = (levels[name]["measured"] for name in ("p95_ms", "p99_ms", "throughput_rps"))
    return Measurement(budget["requests"], budget["failed"] or 0, p95, p99, rate)


def _require_totals(counted: Mapping[str, Any], items: list[Mapping[str, Any]], where: str) -> None:
    results = [item["result"] for item in items]
    for name, result in (("passed", "pass"), ("failed", "fail"), ("not_applicable", "not_applicable")):
        if counted[name] != results.count(result):
            raise EvidenceInvalid(
                f"The checklist counts {counted[name]} items as {name.replace('_', ' ')}; there are {results.count(result)}.",
                pointer=f"{where}/{name}",
            )
