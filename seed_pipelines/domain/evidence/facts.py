"""What a report is made of: the facts of one run, as whoever seals it has gathered them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

Operation = Literal["seed_run", "dry_run"]
Verdict = Literal["succeeded", "partial", "failed", "aborted"]
"""`partial` is a run of some assets or shards only, which ended well."""


@dataclass(frozen=True)
class ShardFacts:
    """A shard that was loaded and checked."""

    key: str
    rows: Mapping[str, int]
    """Entity -> rows."""
    passed: bool
    """Whether every check of it is green."""
    seconds: float | None = None
    """How long checking it took; None where nobody measured."""


@dataclass(frozen=True)
class StepTiming:
    """How long a kind of work took, over all shards."""

    step: str
    """`generate`, `load` or `check`."""
    entity: str | None
    """None for work on all entities together."""
    shards: int
    rows: int
    """That were made or read; of loading, those that were written."""
    seconds: float


@dataclass(frozen=True)
class RateLimitUse:
    """What a run took of the rate limit for one purpose."""

    purpose: str
    admitted: int
    refused: int
    waited_seconds: float


@dataclass(frozen=True)
class IntegrationFacts:
    """What a run had of one of the outside systems."""

    integration: str
    requests: int
    failed: int
    refused: int
    """Answered with 429."""
    outcomes: Mapping[str, int]
    """What was decided -> how often."""


@dataclass(frozen=True)
class Cost:
    """What a run has cost, in reais."""

    spent_brl: Decimal
    cost_model_version: str
    by_category: Mapping[str, Decimal] = field(default_factory=dict)
    """Kind of work, such as `generate` -> its part."""


@dataclass(frozen=True)
class Measurement:
    """The service levels of the requests that a run made to the outside; of each what was measured, None otherwise."""

    requests: int
    failed: int
    p95_ms: float | None = None
    p99_ms: float | None = None
    throughput_rps: float | None = None


NOTHING_MEASURED: Final = Measurement(0, 0)


@dataclass(frozen=True)
class RunFacts:
    """A run that ended: a seed run, or a dry run, which has no lease, token or rows in a database."""

    operation: Operation
    verdict: Verdict
    origin: str
    """The Dagster run id, or `backfill:<id>`."""
    tenant_slug: str
    tenant_id: str
    environment: str
    profile: str
    mode: str
    subject: str
    """The login that the database authenticated."""
    document: Mapping[str, Any]
    """The manifest as it was read, before defaults."""
    manifest_hash: str
    """The hash that the run was opened with."""
    generator_version: str
    started_at: datetime
    ended_at: datetime
    began_in_window: bool
    planned_rows: Mapping[str, int]
    """Entity -> rows of the plan, in foreign-key order."""
    planned_shards: tuple[str, ...]
    delivered_rows: Mapping[str, int]
    """Entity -> rows of the plan that landed."""
    roots: Mapping[str, str]
    """Entity -> Merkle root (hex) over what was read back, where all of its rows were; of a dry run, over its files."""
    dataset_digest: str | None
    """`domain.digest.dataset_digest` of the roots; None unless all were read back."""
    seed_run_id: str | None = None
    requested_by: str = ""
    """A name as the caller claimed it."""
    claimed_roles: tuple[str, ...] = ()
    idempotency_key: str | None = None
    git_commit: str | None = None
    """Of the code that ran, in hex; None where nobody knows."""
    trace_id: str | None = None
    """W3C trace id, 32 hex digits."""
    window_overridden_because: str | None = None
    fencing_token: int | None = None
    earlier_fencing_token: int | None = None
    """The newest token of the seed runs of tenant and environment that began before; None if there was none."""
    shards: tuple[ShardFacts, ...] = ()
    steps: tuple[StepTiming, ...] = ()
    """In the order in which they began; a digest does not depend on them."""
    rate_limit_use: tuple[RateLimitUse, ...] = ()
    integrations: tuple[IntegrationFacts, ...] = ()
    cost: Cost | None = None
    """None for a dry run, which pays for nothing."""
    measured: Measurement | None = None
    """None where the run made no request to the outside."""
    problems: tuple[Mapping[str, Any], ...] = ()
    """Problem Details objects (RFC 9457) of what went wrong."""
    checks: tuple[Mapping[str, Any], ...] = ()
    """Every check result, as `domain.checks.CheckResult.as_dict` gives it."""
