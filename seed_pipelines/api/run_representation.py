"""A run as the API shows it, and its entity tag."""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from seed_pipelines.adapters.postgres.idempotency import FALLBACK_PREFIX
from seed_pipelines.adapters.postgres.seed_runs import SeedRun
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.api.answers import as_json
from seed_pipelines.orchestration.run_queue import QueuedRun
from seed_pipelines.orchestration.runs import key_of_launch
from seed_pipelines.seeding.control_database import ControlDatabase

OVER: Final = ("succeeded", "partial", "failed", "aborted")
"""The states in which nothing is left to cancel."""

_UNFINISHED: Final = ("running", "sealing")


def shown(runs: Sequence[QueuedRun], control: ControlDatabase, tenant: Tenant) -> list[dict[str, Any]]:
    """Runs of a tenant, all in one environment, each with the seed run that it has begun."""
    environment = runs[0].environment if runs else ""
    begun = control.runs_of(tenant.tenant_id, environment, [run.origin for run in runs]) if runs else ()
    by_origin = {seed_run.origin: seed_run for seed_run in begun}
    return [_run(run, tenant, by_origin.get(run.origin)) for run in runs]


def entity_tag(body: str) -> str:
    """A strong entity tag (RFC 9110, section 8.8.3) of a body."""
    return f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'


def names_tag(field: str, tag: str, *, weakly: bool) -> bool:
    """Whether a field of If-Match or If-None-Match names an entity tag, or is `*`; weakly, W/ does not count."""
    named = [part.strip() for part in field.split(",")]
    if weakly:
        named = [part.removeprefix("W/") for part in named]
    return "*" in named or tag in named


def body_of(run: dict[str, Any]) -> str:
    """The body that a run is sent as."""
    return as_json(run)


def _run(run: QueuedRun, tenant: Tenant, begun: SeedRun | None) -> dict[str, Any]:
    return {
        "id": run.run_id,
        "tenant_id": str(tenant.tenant_id),
        "tenant": tenant.slug,
        "environment": run.environment,
        "job": run.job,
        "manifest": run.manifest,
        "idempotency_key": run.idempotency_key or _named_key(begun),
        "status": _status(run, begun),
        "created_at": run.created_at.isoformat(),
        "problem": run.problem if begun is None else begun.problem,
        "seed_run": None if begun is None else _seed_run(begun),
    }


def _named_key(begun: SeedRun | None) -> str | None:
    """The key that somebody named for a seed run, if somebody did."""
    if begun is None or begun.idempotency_key.startswith((FALLBACK_PREFIX, key_of_launch(begun.origin))):
        return None
    return begun.idempotency_key


def _status(run: QueuedRun, begun: SeedRun | None) -> str:
    """What the database says of it, where it has ended or is sealing; what Dagster says of it otherwise."""
    if begun is None or run.state in ("queued", "canceling"):
        return run.state
    if begun.status not in _UNFINISHED or run.state == "running":
        return begun.status
    return run.state


def _seed_run(begun: SeedRun) -> dict[str, Any]:
    return {
        "seed_run_id": str(begun.seed_run_id),
        "profile": begun.profile,
        "mode": begun.mode,
        "manifest_hash": begun.manifest_hash,
        "status": begun.status,
        "attempt": begun.attempt,
        "fencing_token": begun.fencing_token,
        "started_at": begun.started_at.isoformat(),
        "ended_at": None if begun.ended_at is None else begun.ended_at.isoformat(),
        "problem": begun.problem,
    }
