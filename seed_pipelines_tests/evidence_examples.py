"""Facts of runs for tests: one that succeeded, others that differ from it."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from seed_pipelines.domain.checks import CHECKS
from seed_pipelines.domain.digest import dataset_digest
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.evidence.chain import START, ChainHead
from seed_pipelines.domain.evidence.facts import Cost, Measurement, RateLimitUse, RunFacts, ShardFacts, StepTiming
from seed_pipelines.errors import ChecksFailed, Interrupted
from seed_pipelines_tests.manifest_examples import example, sealed

BEGAN: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SHARDS: Final = ("0", "1")
ROOTS: Final = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("customers", "bank_accounts")}
DOCUMENT: Final = sealed({**example(), "budget": {"cost_cap_brl": 0.5, "error_budget_pct": 1}})
HEAD: Final = ChainHead(41, hashlib.sha256(b"envelope 41").hexdigest())


def check(name: str, shard: str, *, passed: bool = True, **facts: Any) -> dict[str, Any]:
    """A result as it stands in a shard's report."""
    return {"name": name, "shard": shard, "passed": passed, "facts": facts}


def succeeded(**changes: Any) -> RunFacts:
    """A seed run of two shards, complete; `changes` replace facts."""
    checks = [check(name, shard, offending_rows={}) for name in (*CHECKS, "contracts_sound") for shard in SHARDS]
    facts = RunFacts(
        operation="seed_run",
        verdict="succeeded",
        origin="00000000-0000-4000-8000-000000000001",
        tenant_slug="tenant-a",
        tenant_id="98aceecd-27d1-5be7-bfa1-28b42034b7d0",
        environment="staging",
        profile="default",
        mode="baseline",
        subject="seed_operator",
        document=DOCUMENT,
        manifest_hash=DOCUMENT["integrity"]["manifest_hash"],
        generator_version="1+abcdef012345",
        started_at=BEGAN,
        ended_at=BEGAN + timedelta(seconds=12.5),
        began_in_window=True,
        planned_rows={"customers": 100, "bank_accounts": 120},
        planned_shards=SHARDS,
        delivered_rows={"customers": 100, "bank_accounts": 120},
        roots=ROOTS,
        dataset_digest=dataset_digest(ROOTS),
        seed_run_id="00000000-0000-4000-8000-0000000000aa",
        requested_by="ana",
        claimed_roles=("seed-runner",),
        idempotency_key="nightly-7",
        git_commit="0123456789abcdef0123456789abcdef01234567",
        trace_id="0af7651916cd43dd8448eb211c80319c",
        fencing_token=7,
        earlier_fencing_token=6,
        shards=tuple(
            ShardFacts(key, {"customers": 50, "bank_accounts": 60}, passed=True, seconds=1.5) for key in SHARDS
        ),
        steps=(
            StepTiming("generate", "customers", 2, 100, 0.25),
            StepTiming("generate", "bank_accounts", 2, 120, 0.5),
            StepTiming("load", None, 2, 220, 1.25),
            StepTiming("check", None, 2, 220, 3.0),
        ),
        cost=Cost(Decimal("0.012345"), "2026-11", {"generate": Decimal("0.01"), "load": Decimal("0.002345")}),
        checks=tuple(checks),
    )
    return replace(facts, **changes)


def failed() -> RunFacts:
    """A seed run whose second shard broke a check."""
    whole = succeeded()
    checks = [
        {**result, "passed": (result["name"], result["shard"]) != ("foreign_keys", "1")} for result in whole.checks
    ]
    return replace(
        whole,
        verdict="failed",
        checks=tuple(checks),
        shards=(whole.shards[0], replace(whole.shards[1], passed=False)),
        problems=(ChecksFailed("Checks failed: foreign_keys.", checks=["foreign_keys"]).problem(),),
    )


def aborted() -> RunFacts:
    """A seed run that was stopped after its first shard."""
    whole = succeeded()
    return replace(
        whole,
        verdict="aborted",
        delivered_rows={"customers": 50, "bank_accounts": 60},
        roots={},
        dataset_digest=None,
        shards=whole.shards[:1],
        checks=tuple(result for result in whole.checks if result["shard"] == "0"),
        problems=(Interrupted("The run was stopped.").problem(),),
    )


def begun() -> RunFacts:
    """A seed run that was stopped before it held the lease."""
    return replace(
        aborted(), delivered_rows={}, shards=(), checks=(), fencing_token=None, cost=Cost(Decimal(0), "2026-11")
    )


def rehearsed() -> RunFacts:
    """A dry run."""
    whole = succeeded()
    made = [result for result in whole.checks if result["name"] not in ("rls_enforced", "unique_keys")]
    return replace(
        whole,
        operation="dry_run",
        seed_run_id=None,
        fencing_token=None,
        earlier_fencing_token=None,
        cost=None,
        shards=(),
        steps=(),
        began_in_window=False,
        checks=(*made, check("unique_keys", "all", offending_rows={})),
    )


def overridden() -> RunFacts:
    """A seed run outside its window, which made requests to the outside."""
    return succeeded(
        began_in_window=False,
        window_overridden_because="a rehearsal in the afternoon",
        rate_limit_use=(RateLimitUse("kyc", 200, 3, 1.25),),
        measured=Measurement(200, 1, 120.5, 240.0, 1.75),
    )


def large() -> RunFacts:
    """A seed run of all entities that broke a check in every seventh shard, dearer than its budget, with long texts."""
    names = [entity.name for entity in ENTITIES]
    rules = [rule.name for entity in ENTITIES for rule in entity.rules]
    keys = tuple(str(number) for number in range(200))
    bad = set(keys[::7])
    document = sealed(
        {
            **DOCUMENT,
            "volumetry": {name: {"cap": 200_000, "target_pct": 80} for name in names},
            "budget": {"cost_cap_brl": 100, "error_budget_pct": 1},
        }
    )
    said = "Checks failed: foreign_keys. " + "Much was said. " * 500
    return succeeded(
        verdict="failed",
        document=document,
        manifest_hash=document["integrity"]["manifest_hash"],
        requested_by="n" * 1_024,
        planned_rows=dict.fromkeys(names, 160_000),
        planned_shards=keys,
        delivered_rows={name: 160_000 - 9_000 * place for place, name in enumerate(names)},
        roots={},
        dataset_digest=None,
        ended_at=BEGAN + timedelta(hours=1, minutes=3),
        shards=tuple(
            ShardFacts(key, dict.fromkeys(names, 800), passed=key not in bad, seconds=3 + place * 37 % 11 / 7)
            for place, key in enumerate(keys)
        ),
        cost=Cost(Decimal("131.5"), "2026-11", {"generate": Decimal(60), "load": Decimal("71.5")}),
        checks=tuple(
            check(
                name,
                key,
                passed=name != "foreign_keys" or key not in bad,
                offending_rows=dict.fromkeys(names, 3 if name == "foreign_keys" and key in bad else 0),
            )
            for name in (*CHECKS, *rules)
            for key in keys
        ),
        problems=(ChecksFailed(said, checks=["foreign_keys"]).problem(),) * 25,
    )


EVERY_KIND: Final = {
    "succeeded": (succeeded(), HEAD),
    "first": (succeeded(), START),
    "failed": (failed(), HEAD),
    "aborted": (aborted(), HEAD),
    "begun": (begun(), HEAD),
    "dry run": (rehearsed(), None),
    "dry run in a chain": (rehearsed(), HEAD),
    "overridden": (overridden(), HEAD),
}
"""Kind of run -> its facts and what its report follows."""
