"""What people see in the Dagster UI of each step: tables, previews, digests."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from seed_pipelines.adapters.row_files import RowFile
from seed_pipelines.domain.digest import merkle_root
from seed_pipelines.domain.entities import Entity
from seed_pipelines.domain.plan import Shard
from seed_pipelines.orchestration.manifest_jobs import ManifestJob
from seed_pipelines.seeding.loading import ShardLoad
from seed_pipelines.seeding.rehearsal import Rehearsal
from seed_pipelines.seeding.reporting import DatasetSummary
from seed_pipelines.seeding.seed_run import Session

_PREVIEW_ROWS = 8


def manifest_definition(job: ManifestJob) -> dict[str, Any]:
    """What is known of a manifest before any run."""
    window, manifest = job.manifest.window, job.manifest
    return {
        "manifest": dg.MetadataValue.path(str(job.path)) if job.path else "made in memory",
        "mode": manifest.mode,
        "version": manifest.metadata.version,
        "manifest_hash": manifest.integrity.manifest_hash,
        "window (UTC)": f"{window.start_utc:%H:%M} to {window.end_utc:%H:%M}",
        "rows planned": dg.MetadataValue.table(
            [dg.TableRecord({"entity": name, "rows": rows}) for name, rows in job.plan.rows.items()]
        ),
        "shards": len(job.plan.shards),
    }


def entity_definition(entity: Entity) -> dict[str, Any]:
    """An entity's table and columns."""
    columns = [
        dg.TableColumn(
            column.name,
            str(column.type),
            description=column.description,
            tags={"pii": column.pii.replace(" ", "_")} if column.pii else {},
        )
        for column in entity.columns
    ]
    return {
        "dagster/column_schema": dg.TableSchema(columns),
        "dagster/table_name": entity.table,
        "masked columns": ", ".join(entity.pii_columns),
    }


def database_definition(job: ManifestJob) -> dict[str, Any]:
    """The tables that are loaded."""
    return {"tables": ", ".join(entity.table for entity in job.plan.entities)}


def planned(session: Session, shard: Shard) -> dict[str, Any]:
    """What a run will do with a shard."""
    run = session.run
    return {
        "rows planned": _counts_table(shard.rows),
        "customers": f"{shard.first_customer} to {shard.end_customer - 1}",
        "seed_run_id": str(run.seed_run_id),
        "fencing token": run.fencing_token or 0,
        "subject": run.subject,
        "masking key fingerprint": session.masker.keys.fingerprint[:16],
        **({"window overridden because": run.window_override_reason} if run.window_override_reason else {}),
    }


def generated(session: Session, entity: Entity, shard: Shard, file: RowFile, seconds: float) -> dict[str, Any]:
    """What was generated for a shard, with its first rows (masked, as in the file)."""
    first = min(shard.end_customer, shard.first_customer + _PREVIEW_ROWS)
    rows = session.plan.entity_rows(entity, shard.first_customer, first).select(0, _PREVIEW_ROWS)
    preview = session.masker.batch(entity, session.plan.dataset, rows).records.to_pylist()
    return {
        "dagster/row_count": file.rows,
        "dagster/uri": file.uri,
        "size": dg.MetadataValue.int(file.size_bytes),
        "rows per second": round(file.rows / seconds),
        "digest": merkle_root(file.leaves),
        "preview (masked)": dg.MetadataValue.md(_markdown(entity, preview)),
    }


def loaded(session: Session, load: ShardLoad, seconds: float) -> dict[str, Any]:
    """What loading a shard did."""
    total = sum(load.rows.values())
    return {
        "dagster/row_count": total,
        "rows loaded": _counts_table(load.rows),
        "what was done": "verified and left alone: the very rows were there" if load.left_alone else "replaced",
        "rows per second": round(total / seconds),
        "tenant_id": str(session.tenant.tenant_id),
        "fencing token": session.lease.token,
    }


def checked(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The outcome of one check on each shard."""
    records = [
        dg.TableRecord(
            {
                "shard": outcome["shard"],
                "result": "passed" if outcome["passed"] else "FAILED",
                "facts": json.dumps(outcome["facts"], sort_keys=True),
            }
        )
        for outcome in outcomes
    ]
    return {"shards": dg.MetadataValue.table(records)}


def reported(report: Mapping[str, Any], summary: DatasetSummary) -> dict[str, Any]:
    """A shard's integrity report, and what the dataset adds up to."""
    results = [
        dg.TableRecord({"check": check["name"], "result": "passed" if check["passed"] else "FAILED"})
        for check in report["checks"]
    ]
    return {
        "verdict": "passed" if report["passed"] else "FAILED",
        "checks": dg.MetadataValue.table(results),
        "dataset digest": summary.digest if summary.is_complete else "known when every shard is loaded",
        "shards loaded": f"{summary.shards_loaded} of {summary.shards_planned}",
        "dataset rows": _counts_table(summary.rows),
        "report": dg.MetadataValue.json(dict(report)),
    }


def rehearsed(rehearsal: Rehearsal) -> dict[str, Any]:
    """What a dry run found."""
    results = [
        dg.TableRecord({"check": r.name, "shard": r.shard, "result": "passed" if r.passed else "FAILED"})
        for r in rehearsal.results
    ]
    return {
        "manifest_hash": rehearsal.plan.manifest.integrity.manifest_hash,
        "rows": _counts_table(rehearsal.rows),
        "dataset digest": rehearsal.digest,
        "checks": dg.MetadataValue.table(results),
        "files": dg.MetadataValue.json([file.uri for file in rehearsal.files]),
    }


def _counts_table(counts: Mapping[str, int]) -> dg.TableMetadataValue:
    return dg.MetadataValue.table([dg.TableRecord({"entity": name, "rows": rows}) for name, rows in counts.items()])


def _markdown(entity: Entity, rows: Sequence[Mapping[str, Any]]) -> str:
    names = [column.name for column in entity.columns]
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(_cell(row[name]) for name in names) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    return f"{value.hex()[:8]}…" if isinstance(value, bytes) else str(value)
