"""The report of a run: its facts as one plain JSON object, by `contracts/seed-report.schema.json`."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from seed_pipelines.domain.evidence.canonical import canonical_bytes
from seed_pipelines.domain.evidence.chain import ChainHead, Link
from seed_pipelines.domain.evidence.checklist import checklist
from seed_pipelines.domain.evidence.contract import require_contract
from seed_pipelines.domain.evidence.envelope import OpenedEnvelope
from seed_pipelines.domain.evidence.facts import NOTHING_MEASURED, RunFacts
from seed_pipelines.domain.evidence.free_text import withheld, without_personal_data
from seed_pipelines.domain.evidence.percentages import percent
from seed_pipelines.domain.evidence.statement import REPORT_CONTRACT
from seed_pipelines.errors import EvidenceInvalid

SCHEMA_VERSION: Final = "v1"


def build_report(facts: RunFacts, after: ChainHead | None) -> dict[str, Any]:
    """The report that follows `after` in the chain of its tenant and environment; None for one that is in no chain.

    Raises EvidenceInvalid, with the `pointer` of what is wrong, where the facts contradict each other or the contract.
    """
    report = {
        "schema_version": SCHEMA_VERSION,
        "operation": facts.operation,
        "verdict": facts.verdict,
        "run": _run(facts),
        "tenant": {"slug": facts.tenant_slug, "id": facts.tenant_id},
        "environment": facts.environment,
        "profile": facts.profile,
        "mode": facts.mode,
        "requester": {
            "subject": facts.subject,
            "requested_by": facts.requested_by,
            "claimed_roles": list(facts.claimed_roles),
        },
        "manifest": dict(facts.document),
        "manifest_hash": facts.manifest_hash,
        "window": _window(facts),
        "volumes": [_volume(facts, name) for name in facts.planned_rows],
        "dataset_digest": facts.dataset_digest,
        "shards_planned": len(facts.planned_shards),
        "shards": [asdict(shard) | {"rows": dict(shard.rows)} for shard in facts.shards],
        "steps": [asdict(step) for step in facts.steps],
        "rate_limit": _rate_limit(facts),
        "integrations": [asdict(used) for used in facts.integrations],
        "cost": _cost(facts),
        "error_budget": _error_budget(facts),
        "service_levels": _service_levels(facts),
        "errors": [without_personal_data(problem) for problem in facts.problems],
        "checks": [without_personal_data(check) for check in facts.checks],
        "checklist": checklist(facts),
        "fencing_token": facts.fencing_token,
        "chain": None if after is None else {"sequence": after.sequence + 1, "previous_sha256": after.sha256},
    }
    require_contract(report, REPORT_CONTRACT)
    return report


def report_bytes(report: Mapping[str, Any]) -> bytes:
    """The RFC 8785 bytes of a report; EvidenceInvalid if it has none."""
    return canonical_bytes(report, "report")


def link_of(envelope: OpenedEnvelope, report: Mapping[str, Any]) -> Link:
    """A report's place in its chain; EvidenceInvalid for one that is in no chain."""
    chain = report["chain"]
    if chain is None:
        raise EvidenceInvalid(f"The report of {report['run']['origin']} is a dry run's, which is in no chain.")
    return Link(
        report["tenant"]["id"], report["environment"], chain["sequence"], chain["previous_sha256"], envelope.sha256
    )


def _run(facts: RunFacts) -> dict[str, Any]:
    return {
        "seed_run_id": facts.seed_run_id,
        "origin": facts.origin,
        "idempotency_key": facts.idempotency_key,
        "trace_id": facts.trace_id,
        "git_commit": facts.git_commit,
        "generator_version": facts.generator_version,
        "started_at": _moment(facts.started_at),
        "ended_at": _moment(facts.ended_at),
        "seconds": max(0.0, (facts.ended_at - facts.started_at).total_seconds()),
    }


def _window(facts: RunFacts) -> dict[str, Any]:
    reason = facts.window_overridden_because
    return {
        "start_utc": facts.document["window"]["start_utc"],
        "end_utc": facts.document["window"]["end_utc"],
        "began_inside": facts.began_in_window,
        "overridden_because": None if reason is None else withheld(reason),
    }


def _volume(facts: RunFacts, name: str) -> dict[str, Any]:
    asked = facts.document["volumetry"][name]
    planned, delivered = facts.planned_rows[name], facts.delivered_rows.get(name, 0)
    return {
        "entity": name,
        "cap": asked["cap"],
        "target_pct": asked.get("target_pct"),
        "planned": planned,
        "delivered": delivered,
        "delivered_pct": percent(delivered, planned),
        "merkle_root": facts.roots.get(name),
    }


def _rate_limit(facts: RunFacts) -> dict[str, Any]:
    limit = facts.document["rate_limit"]
    return {
        "limit": limit["limit"],
        "window_seconds": limit["window_seconds"],
        "burst": limit.get("burst"),
        "used": [asdict(use) for use in facts.rate_limit_use],
    }


def _cost(facts: RunFacts) -> dict[str, Any] | None:
    if facts.cost is None:
        return None
    cap = facts.document.get("budget", {}).get("cost_cap_brl")
    cap = None if cap is None else Decimal(str(cap))
    return {
        "spent_brl": _reais(facts.cost.spent_brl),
        "cap_brl": None if cap is None else _reais(cap),
        "share_pct": None if cap is None else percent(facts.cost.spent_brl, cap),
        "cost_model_version": facts.cost.cost_model_version,
        "by_category": {name: _reais(part) for name, part in facts.cost.by_category.items()},
    }


def _error_budget(facts: RunFacts) -> dict[str, Any]:
    measured = facts.measured
    return {
        "allowed_pct": facts.document.get("budget", {}).get("error_budget_pct"),
        "requests": None if measured is None else measured.requests,
        "failed": None if measured is None else measured.failed,
        "failed_pct": None if measured is None else percent(measured.failed, measured.requests),
    }


def _service_levels(facts: RunFacts) -> dict[str, Any]:
    promised, measured = facts.document["slo"], facts.measured or NOTHING_MEASURED
    return {
        "p95_ms": {"target": promised["p95_target_ms"], "measured": measured.p95_ms},
        "p99_ms": {"target": promised["p99_target_ms"], "measured": measured.p99_ms},
        "throughput_rps": {
            "target": promised["throughput_target_rps"],
            "measured": measured.throughput_rps,
        },
    }


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _reais(amount: Decimal) -> str:
    return format(amount, "f")
