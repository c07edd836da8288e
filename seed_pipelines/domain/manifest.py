"""The manifest: what to seed for one tenant, environment and profile, frozen once it is known to be right."""

import hashlib
import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import rfc8785
from pydantic import AfterValidator, BaseModel, ConfigDict, PrivateAttr, model_validator

from seed_pipelines.domain.catalogue import Catalogue, Environment, Mode
from seed_pipelines.domain.frozen_mapping import Frozen
from seed_pipelines.domain.issues import Issue
from seed_pipelines.domain.manifest_rules import CAP_EXCEEDED, Seedable, rows_of, rule_issues
from seed_pipelines.domain.manifest_schema import schema_issues
from seed_pipelines.domain.window import Window
from seed_pipelines.errors import CapExceeded, ManifestHashMismatch, ManifestInvalid, ValidationFailure

HASH_POINTER: Final = "/integrity/manifest_hash"
HASH_MISMATCH: Final = "manifest_hash_mismatch"

UtcDatetime = Annotated[datetime, AfterValidator(lambda moment: moment.astimezone(UTC))]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Metadata(_Part):
    """Whose data it is, and by which rules it is made."""

    tenant: str
    environment: Environment
    profile: str
    version: str
    schema_version: str
    salt_version: str


class Volume(_Part):
    """How much of one entity."""

    cap: int
    """Most rows."""
    target_pct: Decimal = Decimal(100)
    """Percent of the cap to seed."""

    @property
    def rows(self) -> int:
        """Rows to seed: floor(cap * target_pct / 100)."""
        return rows_of(self.cap, self.target_pct)


class RateLimit(_Part):
    """Most requests to the outside in a stretch of time."""

    limit: int
    window_seconds: int
    burst: int | None = None


class Backoff(_Part):
    """Waiting time before a retry: base * 2^n seconds, at most the maximum, varied by the jitter."""

    base_seconds: float
    jitter_factor: float
    max_retries: int
    max_interval_seconds: float


class TimeToLive(_Part):
    """Days that a dataset is kept, by mode."""

    baseline_days: int | None = None
    carga_days: int | None = None
    dr_days: int | None = None
    canary_days: int | None = None


class ServiceLevels(_Part):
    """Thresholds that a run is measured against: milliseconds, and requests a second."""

    p95_target_ms: float
    p99_target_ms: float
    throughput_target_rps: float


class Budget(_Part):
    """Most that a run may cost in reais, and the percentage of requests that may fail."""

    cost_cap_brl: Decimal
    error_budget_pct: Decimal
    cost_model_version: str | None = None


class Canary(_Part):
    """Which part a canary seeds: a percentage of the volumes, or only these tenants."""

    percentage: Decimal | None = None
    tenants: tuple[str, ...] | None = None


class Integrations(_Part):
    """Base addresses of the stubs to call."""

    kyc: str | None = None
    antifraude: str | None = None
    pagamentos: str | None = None
    notificacoes: str | None = None


class Integrity(_Part):
    """What shows that nobody changed the manifest."""

    manifest_hash: str


class Manifest(_Part):
    """A manifest that is right: made by `read_manifest`, or of a document that it has accepted."""

    metadata: Metadata
    mode: Mode
    reference_datetime: UtcDatetime
    """What payments and states are seen from; UTC."""
    anchor_datetime: UtcDatetime
    """What people and their dates derive from; UTC, not after reference_datetime, its default."""
    window: Window
    volumetry: Frozen[Volume]
    """Entity -> volume."""
    rate_limit: RateLimit
    backoff: Backoff
    ttl: TimeToLive
    slo: ServiceLevels
    budget: Budget | None = None
    canary: Canary | None = None
    integrations: Integrations | None = None
    integrity: Integrity
    _canonical: bytes = PrivateAttr(default=b"{}")

    @model_validator(mode="before")
    @classmethod
    def _anchored(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        return {"anchor_datetime": document["reference_datetime"], **document}

    @property
    def identity(self) -> tuple[str, str, str]:
        """Tenant, environment and profile: no two manifests have the same."""
        return self.metadata.tenant, self.metadata.environment, self.metadata.profile

    @property
    def document(self) -> dict[str, Any]:
        """The document it was read from: what its hash is of."""
        document: dict[str, Any] = json.loads(self._canonical)
        return document

    @property
    def ttl_days(self) -> int:
        """Days that a dataset of this manifest's mode is kept."""
        days: int = getattr(self.ttl, f"{self.mode}_days")
        return days


def manifest_hash(document: Mapping[str, Any]) -> str:
    """SHA-256 over the RFC 8785 bytes of the document without integrity.manifest_hash, in hex.

    Raises rfc8785.CanonicalizationError for integers beyond 2^53 - 1 and numbers that are not finite.
    """
    integrity = document.get("integrity")
    if isinstance(integrity, dict):
        rest = {key: value for key, value in integrity.items() if key != "manifest_hash"}
        document = {**document, "integrity": rest}
    return hashlib.sha256(rfc8785.dumps(dict(document))).hexdigest()


def fingerprint(document: Mapping[str, Any], content_hash: str) -> str:
    """SHA-256, in hex, of all of a document: of `content_hash`, its `manifest_hash`, and of what it says its hash is."""
    integrity = document.get("integrity")
    recorded = [integrity[key] for key in integrity if key == "manifest_hash"] if isinstance(integrity, dict) else None
    return hashlib.sha256(f"{content_hash} {json.dumps(recorded, sort_keys=True)}".encode()).hexdigest()


def inspect(
    document: Mapping[str, Any],
    catalogue: Catalogue,
    generated: Collection[Seedable],
    content_hash: str | None = None,
) -> tuple[Issue, ...]:
    """Everything that is wrong with a document, by schema, rules, catalogue and hash.

    `generated` are the entities that this version can generate; `content_hash` is the document's `manifest_hash`, where it
    is known.
    """
    broken = schema_issues(document)
    rules = rule_issues(document, broken, catalogue, generated)
    return (*broken, *rules, *_hash_issues(document, broken, content_hash, is_right_else=not (broken or rules)))


def read_manifest(document: Mapping[str, Any], catalogue: Catalogue, generated: Collection[Seedable]) -> Manifest:
    """The manifest in a document.

    Raises ManifestInvalid, ManifestHashMismatch or CapExceeded, the first that applies, with every issue.
    """
    issues = inspect(document, catalogue, generated)
    if issues:
        raise refusal(issues)
    return restored_manifest(document)


def restored_manifest(document: Mapping[str, Any]) -> Manifest:
    """The manifest in a document that `read_manifest` has accepted before, perhaps by a catalogue of then."""
    manifest = Manifest.model_validate(document)
    manifest._canonical = rfc8785.dumps(dict(document))  # noqa: SLF001  # set by whoever makes it, and never again
    return manifest


def refusal(issues: Collection[Issue]) -> ValidationFailure:
    """The error that stands for these issues, of which there is at least one."""
    kinds: dict[str, type[ValidationFailure]] = {
        HASH_MISMATCH: ManifestHashMismatch,
        CAP_EXCEEDED: CapExceeded,
    }
    invalid = [issue for issue in issues if issue.code not in kinds]
    mismatch = [issue for issue in issues if issue.code == HASH_MISMATCH]
    first = next(iter(invalid or mismatch or issues))
    more = f" (and {len(issues) - 1} more)" if len(issues) > 1 else ""
    return kinds.get(first.code, ManifestInvalid)(
        f"{first.pointer or 'the manifest'}: {first.message}; allowed: {first.allowed}{more}",
        issues=[issue.as_dict() for issue in issues],
    )


def _hash_issues(
    document: Mapping[str, Any], broken: Collection[Issue], content_hash: str | None, *, is_right_else: bool
) -> tuple[Issue, ...]:
    if any(issue.pointer in ("/integrity", HASH_POINTER) for issue in broken):
        return ()
    try:
        actual = content_hash or manifest_hash(document)
    except rfc8785.CanonicalizationError:
        return ()
    recorded = document["integrity"]["manifest_hash"]
    if actual == recorded:
        return ()
    cure = (
        f"{actual} (`seed-data seal`)"
        if is_right_else
        else "what `seed-data seal` writes once the other issues are mended"
    )
    return (Issue(HASH_POINTER, HASH_MISMATCH, f"it is {recorded}, which seals other content", cure),)
