"""Manifests for tests: the example of the quick start, sealed, and changed copies of it."""

import copy
from collections.abc import Mapping
from typing import Any, Final

from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.issues import Issue
from seed_pipelines.domain.manifest import inspect, manifest_hash
from seed_pipelines.domain.manifest_document import read_document

CATALOGUE: Final = Catalogue.packaged()
GENERATED: Final = ENTITIES

UNSEALED: Final = """\
metadata:
  tenant: tenant-a
  environment: staging
  profile: default
  version: 1.0.0
  schema_version: v1
  salt_version: v1
mode: baseline
reference_datetime: 2025-01-01T00:00:00Z
window:
  start_utc: "00:00"
  end_utc: "06:00"
volumetry:
  customers:
    cap: 100
  bank_accounts:
    cap: 120
rate_limit:
  limit: 120
  window_seconds: 60
backoff:
  base_seconds: 1
  jitter_factor: 0.1
  max_retries: 3
  max_interval_seconds: 60
ttl:
  baseline_days: 1
slo:
  p95_target_ms: 150
  p99_target_ms: 250
  throughput_target_rps: 1.5
integrity:
  manifest_hash: "<preenchido pelo pipeline>"
"""
"""The example of the quick start, to the letter."""

ABSENT: Final = object()
"""As a value for `changed`: take the member away."""


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with the right hash."""
    copied = copy.deepcopy(dict(document))
    copied["integrity"] = {"manifest_hash": manifest_hash({**copied, "integrity": {}})}
    return copied


def example() -> dict[str, Any]:
    """The sealed example."""
    return sealed(read_document(UNSEALED.encode(), "yaml"))


def changed(document: Mapping[str, Any], place: str, value: object) -> dict[str, Any]:
    """A copy with another value at a JSON pointer, the hash as it was."""
    copied = copy.deepcopy(dict(document))
    *parents, last = place.removeprefix("/").split("/")
    parent = copied
    for key in parents:
        parent = parent[key]
    if value is ABSENT:
        del parent[last]
    else:
        parent[last] = value
    return copied


def issues_of(document: Mapping[str, Any]) -> tuple[Issue, ...]:
    """What is wrong with a document under the packaged catalogue, apart from its hash."""
    issues = inspect(document, CATALOGUE, GENERATED)
    return tuple(issue for issue in issues if issue.code != "manifest_hash_mismatch")
