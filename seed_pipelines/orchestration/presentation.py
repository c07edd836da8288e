"""What people see in the Dagster UI of each step: tables, previews, digests."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dagster as dg
import pyarrow as pa

from seed_pipelines.adapters.manifest_files import BrokenManifest
from seed_pipelines.adapters.row_files import RowFile
from seed_pipelines.domain.digest import BLOCK, merkle_root
from seed_pipelines.domain.entities import Entity
from seed_pipelines.domain.integration_calls import sample_size
from seed_pipelines.domain.plan import Shard
from seed_pipelines.domain.portfolio import CUSTOMERS
from seed_pipelines.domain.service_levels import IntegrationUse, measured
from seed_pipelines.orchestration import metadata_tables
from seed_pipelines.orchestration.manifest_jobs import ManifestJob
from seed_pipelines.seeding.budget import Expenses
from seed_pipelines.seeding.loading import ShardLoad
from seed_pipelines.seeding.rehearsal import Rehearsal
from seed_pipelines.seeding.reporting import DatasetSummary
from seed_pipelines.seeding.seed_run import Session

_PREVIEW_ROWS: Final = 8
_SAMPLED_CUSTOMERS: Final = BLOCK
_SAMPLED_ROWS: Final = 20_000
_SHORT_HASH: Final = 16


def job_description(job: ManifestJob) -> str:
    """What a manifest's job does."""
    environment, tenant, profile = job.identity
    shards = "1 shard" if len(job.plan.shards) == 1 else f"{len(job.plan.shards):,} shards, one partition each"
    return (
        f"Seed {tenant} in {environment} (profile {profile}, mode {job.manifest.mode}): {job.plan.total_rows:,} rows in "
        f"{shards}, generated, masked, loaded into PostgreSQL, checked and reported."
    )


def job_definition(job: ManifestJob) -> dict[str, Any]:
    """What a manifest's job is for, in short."""
    window = job.manifest.window
    return {
        **{f"rows of {name}": rows for name, rows in job.plan.rows.items()},
        "shards": len(job.plan.shards),
        "window (UTC)": f"{window.start_utc:%H:%M} to {window.end_utc:%H:%M}",
        "manifest": job.path.name if job.path else "made in memory",
        "manifest_hash": job.manifest.integrity.manifest_hash[:_SHORT_HASH],
    }


def manifest_definition(job: ManifestJob) -> dict[str, Any]:
    """What is known of a manifest before any run."""
    window, manifest = job.manifest.window, job.manifest
    return {
        "manifest": dg.MetadataValue.path(str(job.path)) if job.path else "made in memory",
        "mode": manifest.mode,
        "version": manifest.metadata.version,
        "reference_datetime": f"{manifest.reference_datetime:%Y-%m-%dT%H:%M:%SZ}",
        "window (UTC)": f"{window.start_utc:%H:%M} to {window.end_utc:%H:%M}",
        "rows planned in all": metadata_tables.counts(job.plan.rows),
        "shards": len(job.plan.shards),
        "manifest_hash": manifest.integrity.manifest_hash[:_SHORT_HASH],
    }


def entity_definition(entity: Entity) -> dict[str, Any]:
    """An entity's table and columns."""
    alone = {columns[0] for columns in entity.unique if len(columns) == 1} | {"id"}
    columns = [
        dg.TableColumn(
            column.name,
            _type_name(column.type),
            description=column.description,
            constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=column.name in alone),
            tags={"masked": column.pii.replace(" ", "_")} if column.pii else {},
        )
        for column in entity.columns
    ]
    return {
        "dagster/column_schema": dg.TableSchema(columns),
        "dagster/table_name": entity.table,
        "masked columns": ", ".join(entity.pii_columns) or "none: no column would be personal data",
    }


def database_definition(job: ManifestJob) -> dict[str, Any]:
    """The tables that are loaded."""
    return {"tables": ", ".join(entity.table for entity in job.plan.entities)}


def planned(session: Session, shard: Shard) -> dict[str, Any]:
    """What a run will do with a shard."""
    run, overridden = session.run, session.window_overridden_because
    return {
        "rows planned": metadata_tables.counts(shard.rows),
        "customer indices": f"{shard.first_customer:,} to {shard.end_customer - 1:,}",
        "seed_run_id": str(run.seed_run_id),
        "fencing token": session.lease.token,
        "subject": run.subject,
        "masking key fingerprint": session.masker.keys.fingerprint[:16],
        **({"window overridden because": overridden} if overridden else {}),
    }


def generated(session: Session, entity: Entity, shard: Shard, file: RowFile, seconds: float) -> dict[str, Any]:
    """What was generated for a shard, with its first rows and how values are distributed (masked, as in the file)."""
    first, end = session.plan.span(shard, entity)
    rows = session.plan.entity_rows(entity, first, min(end, first + _SAMPLED_CUSTOMERS)).select(0, _SAMPLED_ROWS)
    sample = session.masker.batch(entity, session.plan.portfolio, rows).records
    return {
        **_row_count(session, file.rows),
        "dagster/uri": file.uri,
        **_masked_preview(sample, entity),
        "first rows, all columns": metadata_tables.rows_as_markdown(sample.slice(0, _PREVIEW_ROWS)),
        **metadata_tables.distributions(entity, sample),
        "rows per second": round(file.rows / seconds),
        "seconds": round(seconds, 3),
        "size (bytes)": file.size_bytes,
        "digest": merkle_root(file.leaves)[:_SHORT_HASH],
    }


def elsewhere(session: Session) -> dict[str, Any]:
    """Why a shard but the first has no rows of an entity of the tenant."""
    first = session.plan.shards[0].key
    return {"what was done": f"nothing: these rows belong to the tenant and are made once, in partition {first}"}


def loaded(session: Session, load: ShardLoad, seconds: float) -> dict[str, Any]:
    """What loading a shard did."""
    total = sum(load.rows.values())
    return {
        **_row_count(session, total),
        "rows loaded": metadata_tables.counts(load.rows),
        "what was done": "verified and left alone: the very rows were there" if load.left_alone else "replaced",
        "rows per second": round(total / seconds),
        "seconds": round(seconds, 3),
        "tenant_id": str(session.tenant.tenant_id),
        "fencing token": session.lease.token,
    }


def integrations_definition(job: ManifestJob) -> dict[str, Any]:
    """What calls are limited to, and measured against."""
    limit, levels, budget = job.manifest.rate_limit, job.manifest.slo, job.manifest.budget
    return {
        "customers in the sample": sample_size(job.plan.rows[CUSTOMERS]),
        "rate limit": f"{limit.limit} requests in {limit.window_seconds} s, {limit.burst or limit.limit} at once",
        "error budget": "none" if budget is None else f"{budget.error_budget_pct}% of the requests",
        "p95 promised (ms)": levels.p95_target_ms,
        "p99 promised (ms)": levels.p99_target_ms,
        "throughput promised (requests a second)": levels.throughput_target_rps,
    }


def called(used: Sequence[IntegrationUse], warning: str | None) -> dict[str, Any]:
    """What the stubs were asked about a shard, and how they answered."""
    if not any(use.requests for use in used):
        reason = "no stub has an address" if not used else "none of the shard's customers is in the sample"
        return {"what was done": f"nothing: {reason}"}
    levels = measured(used)
    return {
        "calls": metadata_tables.table(
            {
                "system": use.integration,
                "requests": use.requests,
                "failed": use.failed,
                "answered 429": use.refused,
                "held back": use.held_back,
                "decisions": ", ".join(f"{name} {count}" for name, count in sorted(use.outcomes.items())),
            }
            for use in used
        ),
        **({"p95 (ms)": levels.p95_ms, "p99 (ms)": levels.p99_ms} if levels and levels.p95_ms is not None else {}),
        "requests per second": levels.throughput_rps if levels and levels.throughput_rps is not None else 0.0,
        "waited (s)": round(sum(use.waited_seconds for use in used), 3),
        **({"error budget": warning} if warning else {}),
    }


def paid(spent: Expenses) -> dict[str, Any]:
    """What the seed run has cost when a piece of its work is done."""
    cap = "none" if spent.cap_brl is None else f"{spent.cap_brl} BRL"
    return {
        "cost so far": f"{spent.cost_brl} BRL",
        "cost cap": cap,
        **({"budget": spent.warning} if spent.warning else {}),
    }


def checked(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What one check found on the shards of a run."""
    return {
        "found": metadata_tables.check_findings(outcomes),
        "shards checked": len(outcomes),
        "shards failed": sum(not outcome["passed"] for outcome in outcomes),
    }


def verdict(outcomes: Sequence[Mapping[str, Any]]) -> str:
    """How one check went, in a sentence."""
    red = [str(outcome["shard"]) for outcome in outcomes if not outcome["passed"]]
    if red:
        return f"FAILED in {len(red)} of {len(outcomes)} shards: {', '.join(red)}."
    return f"Passed, read back from what landed in {len(outcomes)} shard{'' if len(outcomes) == 1 else 's'}."


def reported(report: Mapping[str, Any], summary: DatasetSummary) -> dict[str, Any]:
    """A shard's integrity report, and what the dataset adds up to."""
    return {
        "verdict": "passed" if report["passed"] else "FAILED",
        "checks": metadata_tables.table(
            {"check": check["name"], "result": "passed" if check["passed"] else "FAILED"} for check in report["checks"]
        ),
        "shards loaded": f"{summary.shards_loaded} of {summary.shards_planned}",
        "dataset rows": metadata_tables.counts(summary.rows),
        "dataset digest": _dataset_digest(summary),
        "report": dg.MetadataValue.json(dict(report)),
    }


def rehearsed(rehearsal: Rehearsal) -> dict[str, Any]:
    """What a dry run found."""
    return {
        "manifest_hash": rehearsal.plan.manifest.integrity.manifest_hash[:_SHORT_HASH],
        "rows": metadata_tables.counts(rehearsal.rows),
        "dataset digest": rehearsal.digest,
        "checks": metadata_tables.table(
            {"check": found.name, "shard": found.shard, "result": "passed" if found.passed else "FAILED"}
            for found in rehearsal.results
        ),
        "files": dg.MetadataValue.json([file.uri for file in rehearsal.files]),
    }


def broken_description(broken: BrokenManifest) -> str:
    """Why a broken manifest has no job."""
    reasons = [
        f"- `{issue.pointer or '(the whole)'}`: {issue.message}. Allowed: {issue.allowed}.".replace("\n", " ")
        for issue in broken.issues
    ]
    file = "/".join(broken.path.parts[-2:])
    introduction = f"`{file}` is not valid, so it has no job. `seed-data validate` says the same."
    return "\n".join([introduction, "", *reasons])


def broken_manifest(broken: BrokenManifest) -> dict[str, Any]:
    """Where a broken manifest is."""
    return {"manifest": dg.MetadataValue.path(str(broken.path)), "issues": len(broken.issues)}


def _masked_preview(sample: pa.RecordBatch, entity: Entity) -> dict[str, Any]:
    if not entity.pii_columns:
        return {}
    shown = metadata_tables.rows_as_table(sample.slice(0, _PREVIEW_ROWS), entity.pii_columns)
    return {"first rows, masked columns": shown}


def _row_count(session: Session, rows: int) -> dict[str, int]:
    """Dagster's own key: of the asset where it has one shard, else of the partition."""
    only = len(session.plan.shards) == 1
    return {"dagster/row_count" if only else "dagster/partition_row_count": rows}


def _dataset_digest(summary: DatasetSummary) -> str:
    return summary.digest[:_SHORT_HASH] if summary.is_complete else "known when every shard is loaded"


def _type_name(arrow: pa.DataType) -> str:
    if pa.types.is_fixed_size_binary(arrow):
        return "uuid"
    if pa.types.is_decimal(arrow):
        return f"decimal({arrow.precision}, {arrow.scale})"
    if pa.types.is_timestamp(arrow):
        return f"timestamp ({arrow.tz})"
    return "date" if pa.types.is_date(arrow) else str(arrow)
