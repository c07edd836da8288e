"""The report of a dry run: what its files hold and what was found in them. It is in no chain, and is not sealed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from seed_pipelines.domain import window
from seed_pipelines.domain.dataset import GENERATOR_VERSION
from seed_pipelines.domain.evidence.facts import RunFacts
from seed_pipelines.domain.evidence.report import build_report
from seed_pipelines.errors import ChecksFailed
from seed_pipelines.seeding.rehearsal import Rehearsal
from seed_pipelines.seeding.request import SeedRequest
from seed_pipelines.seeding.services import Services


def rehearsal_report(
    services: Services, request: SeedRequest, rehearsal: Rehearsal, began: datetime, ended: datetime
) -> dict[str, Any]:
    """The report of a dry run that began and ended then, by `contracts/seed-report.schema.json`."""
    plan, manifest = rehearsal.plan, rehearsal.plan.manifest
    failed = sorted({result.name for result in rehearsal.results if not result.passed})
    facts = RunFacts(
        operation="dry_run",
        verdict="failed" if failed else "succeeded",
        origin=request.origin,
        tenant_slug=manifest.metadata.tenant,
        tenant_id=str(rehearsal.claim.tenant_id),
        environment=request.environment,
        profile=manifest.metadata.profile,
        mode=manifest.mode,
        subject=services.control.subject(),
        document=manifest.document,
        manifest_hash=manifest.integrity.manifest_hash,
        generator_version=GENERATOR_VERSION,
        started_at=began,
        ended_at=ended,
        began_in_window=window.contains(manifest.window, began),
        planned_rows=plan.rows,
        planned_shards=plan.shard_keys,
        delivered_rows=rehearsal.rows,
        roots=rehearsal.roots,
        dataset_digest=rehearsal.digest,
        requested_by=request.requested_by,
        claimed_roles=request.claimed_roles,
        idempotency_key=rehearsal.claim.key,
        git_commit=services.evidence.git_commit,
        trace_id=UUID(request.origin).hex,
        problems=(ChecksFailed(f"Checks failed: {', '.join(failed)}.", checks=failed).problem(),) if failed else (),
        checks=tuple(result.as_dict() for result in rehearsal.results),
    )
    return build_report(facts, None)
