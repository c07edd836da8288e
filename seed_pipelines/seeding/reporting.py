"""Integrity reports: a shard's facts and check results, and what they add up to for the dataset."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seed_pipelines.domain.dataset import GENERATOR_VERSION
from seed_pipelines.domain.digest import dataset_digest, merkle_root
from seed_pipelines.domain.plan import Shard
from seed_pipelines.seeding.budget import expenses
from seed_pipelines.seeding.checking import check
from seed_pipelines.seeding.doctor import Diagnosis
from seed_pipelines.seeding.run_record import RunRecord
from seed_pipelines.seeding.seed_run import Session
from seed_pipelines.seeding.tracing import traced


@dataclass(frozen=True)
class DatasetSummary:
    """What the checkpoints of a dataset add up to."""

    rows: Mapping[str, int]
    roots: Mapping[str, str]
    """Merkle root per entity."""
    digest: str
    """One digest for all entities; independent of shards and batches."""
    shards_loaded: int
    shards_planned: int

    @property
    def is_complete(self) -> bool:
        """Whether every shard of the plan is loaded."""
        return self.shards_loaded == self.shards_planned


def check_and_record(session: Session, shard: Shard, diagnosis: Diagnosis | None = None) -> dict[str, Any]:
    """Check a loaded shard and record what was found; the report says whether it passed. For `diagnosis` see `check`."""
    began = time.monotonic()
    with traced(session, "check", shard):
        results = check(session, shard, diagnosis)
    seconds = time.monotonic() - began
    digests = next(result.facts for result in results if result.name == "digests_equal")
    report = {
        "seed_run_id": str(session.run.seed_run_id),
        "shard": shard.key,
        "tenant": session.tenant.slug,
        "environment": session.run.environment,
        "profile": session.run.profile,
        "mode": session.run.mode,
        "manifest_hash": session.run.manifest_hash,
        "generator_version": GENERATOR_VERSION,
        "fencing_token": session.lease.token,
        "window_overridden_because": session.window_overridden_because,
        "rows": dict(shard.rows),
        "roots": {name: roots["database"] for name, roots in digests.items()},
        "budget": expenses(session).as_dict(),
        "check_seconds": seconds,
        "checks": [result.as_dict() for result in results],
        "passed": all(result.passed for result in results),
    }
    session.services.control.record_shard(session.lease, shard.key, report)
    return report


def shard_report(session: Session, shard: Shard) -> Mapping[str, Any]:
    """The report this seed run recorded for a shard; made now if none was."""
    recorded = session.services.control.shard_reports(session.run.seed_run_id).get(shard.key)
    return check_and_record(session, shard) if recorded is None else recorded


def summarize(record: RunRecord) -> DatasetSummary:
    """What is loaded of the run's dataset, by its checkpoints under this manifest."""
    loaded = {
        checkpoint.shard_key: checkpoint
        for checkpoint in record.services.target.checkpoints(record.tenant.tenant_id, record.run.environment)
        if checkpoint.profile == record.run.profile and checkpoint.manifest_hash == record.run.manifest_hash
    }
    shards = [loaded[key] for key in record.plan.shard_keys if key in loaded]
    names = [entity.name for entity in record.plan.entities]
    roots = {name: merkle_root([leaf for shard in shards for leaf in shard.leaves.get(name, ())]) for name in names}
    rows = {name: sum(shard.rows.get(name, 0) for shard in shards) for name in names}
    return DatasetSummary(rows, roots, dataset_digest(roots), len(shards), len(record.plan.shards))
