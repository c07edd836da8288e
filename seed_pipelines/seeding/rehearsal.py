"""Dry run: every guard but the window and the lease, then generate, mask and check, without touching the database."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from seed_pipelines.adapters.postgres.idempotency import Claim, Replay
from seed_pipelines.adapters.row_files import RowFile, RowFileStore
from seed_pipelines.domain import checks
from seed_pipelines.domain.checks import CheckResult, Coherence, EntityFacts
from seed_pipelines.domain.digest import dataset_digest, merkle_root
from seed_pipelines.domain.entities import Entity
from seed_pipelines.domain.masking import Masker
from seed_pipelines.domain.plan import Plan, Shard
from seed_pipelines.seeding.generation import generate, row_file_key
from seed_pipelines.seeding.request import SeedRequest
from seed_pipelines.seeding.seed_run import admit, unanswered
from seed_pipelines.seeding.services import Services
from seed_pipelines.seeding.target_database import RowFiles


@dataclass(frozen=True)
class _DryRun:
    plan: Plan
    masker: Masker
    row_files: RowFiles


@dataclass(frozen=True)
class Rehearsal:
    """What a dry run made and found."""

    claim: Claim
    """The key it was asked for with."""
    plan: Plan
    files: tuple[RowFile, ...]
    rows: Mapping[str, int]
    roots: Mapping[str, str]
    digest: str
    results: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every check is green."""
        return all(result.passed for result in self.results)


def rehearse(services: Services, request: SeedRequest, directory: str) -> Rehearsal:
    """Generate, mask and check a manifest into a directory; IdempotencyConflict if the request's key was answered before."""
    return unanswered(ask_to_rehearse(services, request, directory), request)


def ask_to_rehearse(services: Services, request: SeedRequest, directory: str) -> Rehearsal | Replay:
    """Generate, mask and check a manifest into a directory; a Replay where the request's key was answered before."""
    admission = admit(services, request, rehearsal=True)
    if isinstance(admission, Replay):
        return admission
    plan = admission.plan
    generation = _DryRun(plan, admission.masker, RowFileStore(directory))
    files = {
        (entity.name, shard.key): generate(generation, entity, shard)
        for shard in plan.shards
        for entity in plan.entities_of(shard)
    }
    results = [result for shard in plan.shards for result in _check(generation, shard, files)]
    leaves: dict[str, list[str]] = {entity.name: [] for entity in plan.entities}
    for (name, _), file in files.items():
        leaves[name].extend(file.leaves)
    roots = {name: merkle_root(found) for name, found in leaves.items()}
    results.append(_unique(generation))
    return Rehearsal(
        admission.claim, plan, tuple(files.values()), plan.rows, roots, dataset_digest(roots), tuple(results)
    )


def _check(generation: _DryRun, shard: Shard, files: Mapping[tuple[str, str], RowFile]) -> Iterator[CheckResult]:
    plan = generation.plan
    rows = {
        entity.name: _table(generation.row_files, plan, entity, plan.shards[0] if entity.of_tenant else shard)
        for entity in plan.entities
    }
    facts = {e.name: _facts(generation, e, shard, rows[e.name]) for e in plan.entities_of(shard)}
    yield checks.row_counts(shard.key, shard.rows, facts)
    yield checks.no_offenders("foreign_keys", shard.key, _orphans(plan, rows))
    invalid = {f"{name}: {rule}": n for name, found in facts.items() for rule, n in found.invalid.items()}
    unmasked = {f"{name}: {kind}": n for name, found in facts.items() for kind, n in found.unmasked.items()}
    yield checks.no_offenders("check_digits", shard.key, invalid)
    yield checks.no_offenders("pii_masked", shard.key, unmasked)
    leaves = {entity.name: files[entity.name, shard.key].leaves for entity in plan.entities_of(shard)}
    yield checks.digests_equal(shard.key, facts, leaves, landed_in="file")
    coherence = Coherence(plan, {entity.name: rows[entity.name] for entity in plan.entities if entity.of_tenant})
    coherence.add({entity.name: rows[entity.name] for entity in plan.entities if not entity.of_tenant})
    yield from coherence.results(shard.key)


def _table(row_files: RowFiles, plan: Plan, entity: Entity, shard: Shard) -> pa.Table:
    batches = row_files.read(row_file_key(plan, entity, shard), entity.schema)
    return pa.Table.from_batches(batches, entity.schema).combine_chunks()


def _facts(generation: _DryRun, entity: Entity, shard: Shard, rows: pa.Table) -> EntityFacts:
    facts = EntityFacts()
    start = 0
    for first, end in generation.plan.chunks(shard, entity):
        length = len(generation.plan.entity_rows(entity, first, end))
        checks.add_chunk(facts, generation.plan, generation.masker, entity, (first, end), rows.slice(start, length))
        start += length
    return facts


def _orphans(plan: Plan, rows: Mapping[str, pa.Table]) -> Mapping[str, int]:
    found = {}
    for entity in plan.entities:
        for column, parent in entity.references.items():
            if parent in rows:
                wanted = rows[entity.name].column(column).drop_null()
                there = pc.is_in(wanted, rows[parent].column("id").combine_chunks())
                found[f"{entity.name}: {column}"] = int(pc.sum(pc.invert(there)).as_py() or 0)
    return found


def _unique(generation: _DryRun) -> CheckResult:
    """Uniqueness over the whole dataset, one key at a time."""
    plan = generation.plan
    offenders: dict[str, int] = {}
    for entity in plan.entities:
        for key in (("id",), *entity.unique):
            shards = [shard for shard in plan.shards if entity.name in shard.rows]
            tables = [_table(generation.row_files, plan, entity, shard).select(list(key)) for shard in shards]
            table = pa.concat_tables(tables)
            distinct = table.group_by(list(key)).aggregate([]).num_rows
            offenders[f"{entity.name}: {', '.join(key)}"] = table.num_rows - distinct
    return checks.no_offenders("unique_keys", "all", offenders)
