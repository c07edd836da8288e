"""The manifest of somebody who brought none: a small baseline, sealed in memory."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.manifest import manifest_hash


def minimal_baseline(
    tenant: str,
    environment: str,
    *,
    reference_datetime: datetime,
    catalogue: Catalogue,
    profile: str = "default",
    salt_version: str = "v1",
    caps: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """A sealed document for the base caps of customers and bank_accounts, or for other `caps`, between 00:00 and 06:00 UTC.

    `reference_datetime` is aware and cut to whole seconds. Names are not checked here: `read_manifest` does.
    """
    if caps is None:
        caps = {entity: catalogue.entities[entity].base for entity in ("customers", "bank_accounts")}
    reference = reference_datetime.astimezone(UTC).replace(microsecond=0)
    document: dict[str, Any] = {
        "metadata": {
            "tenant": tenant,
            "environment": environment,
            "profile": profile,
            "version": "1.0.0",
            "schema_version": "v1",
            "salt_version": salt_version,
        },
        "mode": "baseline",
        "reference_datetime": reference.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "window": {"start_utc": "00:00", "end_utc": "06:00"},
        "volumetry": {entity: {"cap": cap} for entity, cap in caps.items()},
        "rate_limit": {"limit": 120, "window_seconds": 60},
        "backoff": {"base_seconds": 1, "jitter_factor": 0.1, "max_retries": 3, "max_interval_seconds": 60},
        "ttl": {"baseline_days": 1},
        "slo": {"p95_target_ms": 150, "p99_target_ms": 250, "throughput_target_rps": 1.5},
        "integrity": {},
    }
    document["integrity"] = {"manifest_hash": manifest_hash(document)}
    return document
