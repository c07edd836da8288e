"""The rows of a report, made anew from its manifest and held against what the database has of them now."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from seed_pipelines.adapters.postgres.checkpoints import ShardCheckpoint
from seed_pipelines.domain.catalogue import MOST_CUSTOMERS
from seed_pipelines.domain.dataset import GENERATOR_VERSION
from seed_pipelines.domain.digest import BLOCK, block_leaves, merkle_root
from seed_pipelines.domain.entities import Entity
from seed_pipelines.domain.evidence.recheck import reported_roots
from seed_pipelines.domain.manifest import restored_manifest
from seed_pipelines.domain.masking import Masker
from seed_pipelines.domain.masking_keys import masking_keys
from seed_pipelines.domain.plan import Plan, Shard, Span
from seed_pipelines.domain.portfolio import CUSTOMERS
from seed_pipelines.errors import EvidenceInvalid
from seed_pipelines.seeding.services import Services
from seed_pipelines.seeding.verification.findings import Finding, NotApplicable, examined
from seed_pipelines.seeding.verification.row_difference import RowDifference, first_difference
from seed_pipelines.seeding.verification.subject import Subject

_Place = tuple[Entity, Shard, Span]
"""A chunk of an entity's rows."""


@dataclass
class _Leaves:
    """What an entity's tree is made of, on both sides."""

    made: list[str] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    first_different: tuple[int, _Place] | None = None
    """The first leaf that differs, and the chunk that it is in."""


@dataclass(frozen=True)
class _Rows:
    """Both sides of a dataset, read a chunk at a time."""

    services: Services
    subject: Subject
    plan: Plan
    masker: Masker

    def made(self, place: _Place) -> pa.Table:
        entity, _, span = place
        rows = self.plan.entity_rows(entity, *span)
        return pa.Table.from_batches([self.masker.batch(entity, self.plan.portfolio, rows).records], entity.schema)

    def stored(self, place: _Place) -> pa.Table:
        entity, shard, span = place
        ids = self.plan.chunk_ids(shard, span, entity)
        return self.services.target.read(self.subject.tenant.tenant_id, entity, ids)

    def places(self, entity: Entity) -> Iterator[_Place]:
        shards = self.plan.shards[:1] if entity.of_tenant else self.plan.shards
        for shard in shards:
            for span in self.plan.chunks(shard, entity):
                yield entity, shard, span

    def leaves(self, entity: Entity) -> _Leaves:
        found = _Leaves()
        for place in self.places(entity):
            made = block_leaves(entity.name, entity.schema, self.made(place).to_batches(), *place[2])
            stored = block_leaves(entity.name, entity.schema, self.stored(place).to_batches(), *place[2])
            if made != stored and found.first_different is None:
                offset = next(n for n in range(max(len(made), len(stored))) if made[n : n + 1] != stored[n : n + 1])
                found.first_different = len(found.made) + offset, place
            found.made += made
            found.stored += stored
        return found


def examine_rows(subject: Subject, report: Mapping[str, Any]) -> tuple[tuple[Finding, ...], RowDifference | None]:
    """What is found of the rows, entity by entity, and the first row that is not as the manifest makes it."""
    differences: list[RowDifference] = []
    loaded = examined("dataset", lambda: _loaded(subject, report))
    if loaded.result != "pass":
        return (loaded,), None
    plan = _plan(subject.services, report)
    rows = _Rows(subject.services, subject, plan, Masker(masking_keys(subject.services.keys, plan)))
    reported = reported_roots(report)
    findings = [loaded]
    for entity in plan.entities:
        found = rows.leaves(entity)
        examine = partial(_entity, rows, entity, found, reported[entity.name], differences)
        findings.append(examined(f"rows of {entity.name}", examine))
    if any(finding.result == "fail" for finding in findings):
        again = examined("dataset", lambda: _loaded(subject, report))
        if again != loaded:
            return (Finding("dataset", "not_applicable", f"It was replaced while it was read. {again.says}"),), None
    return tuple(findings), differences[0] if differences else None


def _entity(rows: _Rows, entity: Entity, found: _Leaves, root: str, differences: list[RowDifference]) -> str:
    made, stored = merkle_root(found.made), merkle_root(found.stored)
    if stored == root and made == root:
        return f"Leaves of {BLOCK:,} customers: {len(found.stored)}; their root is the reported one, {root}."
    if made != root:
        _refuse_derivation(rows, entity, made, root, stored_is_right=stored == root)
    difference = _difference(rows, found)
    if difference is None:
        raise EvidenceInvalid(f"The rows of {entity.name} changed while they were read: verify again.")
    differences.append(difference)
    raise EvidenceInvalid(
        f"The database has the root {stored}, the report {root}; the first difference is in leaf {difference.leaf}:"
        f" {difference.in_words}.",
        table=entity.table,
        row_id=difference.row_id,
        columns=list(difference.columns),
    )


def _refuse_derivation(rows: _Rows, entity: Entity, made: str, root: str, *, stored_is_right: bool) -> None:
    """The manifest no longer makes the rows that were reported, so that no row of the database can be blamed."""
    keys = {checkpoint.key_fingerprint for checkpoint in _checkpoints(rows.subject, rows.plan.dataset.profile)}
    reason = (
        "Vault has another masking key than the rows were masked with"
        if rows.masker.keys.fingerprint not in keys
        else "the program or its catalogue makes other rows than it did"
    )
    has = "what was reported" if stored_is_right else "other rows than were reported"
    raise EvidenceInvalid(
        f"The database has {has} of {entity.name}, but the manifest gives the root {made}, not {root}: {reason}.",
        table=entity.table,
    )


def _difference(rows: _Rows, found: _Leaves) -> RowDifference | None:
    if found.first_different is None:
        return None
    leaf, place = found.first_different
    return first_difference(place[0], leaf, rows.made(place), rows.stored(place))


def _loaded(subject: Subject, report: Mapping[str, Any]) -> str | NotApplicable:
    """Whether the rows of the report are those that are there, or have gone for a reason that is on record."""
    planned = {volume["entity"] for volume in report["volumes"]}
    if set(reported_roots(report)) != planned:
        return NotApplicable(f"The run was {report['verdict']}: it reports no digest of all rows.")
    made_by = report["run"]["generator_version"]
    if made_by != GENERATOR_VERSION:
        return NotApplicable(
            f"Generator {made_by} made them, and this program has {GENERATOR_VERSION}: verify with that one."
        )
    checkpoints = _checkpoints(subject, report["profile"])
    if not checkpoints:
        return _gone(subject, report)
    others = [checkpoint for checkpoint in checkpoints if checkpoint.manifest_hash != report["manifest_hash"]]
    if others:
        return _replaced(subject, others)
    loaded = 0
    for checkpoint in checkpoints:
        if checkpoint.first_customer != loaded:
            break
        loaded = MOST_CUSTOMERS if checkpoint.end_customer is None else checkpoint.end_customer
    if loaded < _plan(subject.services, report).rows[CUSTOMERS]:
        raise EvidenceInvalid(f"Beyond customer {loaded} nothing is on record as loaded, and no removal either.")
    runs = sorted({str(checkpoint.seed_run_id) for checkpoint in checkpoints})
    return f"Loaded by seed run {', '.join(runs)}."


def _replaced(subject: Subject, others: Sequence[ShardCheckpoint]) -> NotApplicable:
    """By runs that have later reports, or by one that is at work: nobody else may write a checkpoint."""
    at_work = subject.services.control.lease_holder(subject.tenant.tenant_id, subject.environment)
    later = {entry.seed_run_id for entry in subject.own_entries if entry.sequence > subject.sequence}
    unknown = sorted(str(other.seed_run_id) for other in others if other.seed_run_id not in later)
    if unknown and at_work is None:
        raise EvidenceInvalid(f"Seed run {unknown[0]} is to have replaced the dataset, and no later report is of it.")
    hashes = sorted({other.manifest_hash for other in others})
    return NotApplicable(f"A later run replaced the dataset by manifest {', '.join(hashes)}: verify its report.")


def _gone(subject: Subject, report: Mapping[str, Any]) -> NotApplicable:
    removed = subject.services.control.last_removal(subject.tenant.tenant_id, subject.environment, report["profile"])
    if removed is None or removed < datetime.fromisoformat(report["run"]["ended_at"]):
        raise EvidenceInvalid("The dataset is gone, and no removal since the run is on record.")
    return NotApplicable(f"The dataset was purged {removed:%FT%TZ}.")


def _checkpoints(subject: Subject, profile: str) -> Sequence[ShardCheckpoint]:
    found = subject.services.target.checkpoints(subject.tenant.tenant_id, subject.environment)
    return [checkpoint for checkpoint in found if checkpoint.profile == profile]


def _plan(services: Services, report: Mapping[str, Any]) -> Plan:
    """The plan of the report's manifest; EvidenceInvalid where this program or its catalogue cannot make it."""
    try:
        return Plan.of(restored_manifest(report["manifest"]), services.catalogue)
    except (ValidationError, KeyError) as error:
        raise EvidenceInvalid(
            f"The manifest of the report has no plan under the catalogue in force: {type(error).__name__}."
        ) from error
