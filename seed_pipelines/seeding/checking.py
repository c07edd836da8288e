"""Check a loaded shard by reading it back from the database."""

from collections.abc import Mapping

import pyarrow as pa

from seed_pipelines.domain import checks
from seed_pipelines.domain.checks import CheckResult, Coherence, EntityFacts
from seed_pipelines.domain.entities import Entity
from seed_pipelines.domain.plan import IdRange, Shard, Span
from seed_pipelines.errors import ParquetMismatch, RlsNotEnforced
from seed_pipelines.seeding.doctor import Diagnosis, examine
from seed_pipelines.seeding.generation import row_file_key
from seed_pipelines.seeding.seed_run import Session


def diagnose(session: Session) -> Diagnosis:
    """What the doctor finds of the rows of the session's tenant."""
    return examine(session.services, session.run.environment, session.tenant.tenant_id)


def check(session: Session, shard: Shard, diagnosis: Diagnosis | None = None) -> tuple[CheckResult, ...]:
    """The results of all checks of a shard, in the order of `domain.checks.checks_of`.

    `diagnosis` is what the doctor found, once for all shards of a run; without it the doctor is asked anew.
    """
    facts, coherence = _read_back(session, shard)
    return (
        checks.row_counts(shard.key, shard.rows, facts),
        checks.no_offenders("unique_keys", shard.key, _duplicates(session, shard)),
        checks.no_offenders("foreign_keys", shard.key, _orphans(session, shard)),
        checks.no_offenders("check_digits", shard.key, _flattened({n: found.invalid for n, found in facts.items()})),
        checks.no_offenders("pii_masked", shard.key, _flattened({n: found.unmasked for n, found in facts.items()})),
        _row_security(session, shard, diagnosis or diagnose(session)),
        checks.digests_equal(shard.key, facts, _parquet_leaves(session, shard)),
        *coherence.results(shard.key),
    )


def _read_back(session: Session, shard: Shard) -> tuple[Mapping[str, EntityFacts], Coherence]:
    """Every row of the shard, read once: first the entities of the tenant, then family by family."""
    plan = session.plan
    facts = {entity.name: EntityFacts() for entity in plan.entities_of(shard)}
    tenant_rows = {}
    for entity in (entity for entity in plan.entities if entity.of_tenant):
        chunks = list(plan.chunks(plan.shards[0], entity))
        tables = [_read(session, plan.shards[0], entity, chunk) for chunk in chunks]
        if shard.is_first:
            for chunk, table in zip(chunks, tables, strict=True):
                checks.add_chunk(facts[entity.name], plan, session.masker, entity, chunk, table)
        tenant_rows[entity.name] = pa.concat_tables(tables)
    coherence = Coherence(plan, tenant_rows)
    for chunk in plan.chunks(shard):
        families = {}
        for entity in (entity for entity in plan.entities if not entity.of_tenant):
            families[entity.name] = _read(session, shard, entity, chunk)
            checks.add_chunk(facts[entity.name], plan, session.masker, entity, chunk, families[entity.name])
        coherence.add(families)
    return facts, coherence


def _read(session: Session, shard: Shard, entity: Entity, chunk: Span) -> pa.Table:
    ids = session.plan.chunk_ids(shard, chunk, entity)
    return session.services.target.read(session.tenant.tenant_id, entity, ids)


def _duplicates(session: Session, shard: Shard) -> Mapping[str, int]:
    target, tenant_id = session.services.target, session.tenant.tenant_id
    entities = session.plan.entities_of(shard)
    return _flattened({e.name: target.duplicates(tenant_id, e, _ids(session, e, shard)) for e in entities})


def _orphans(session: Session, shard: Shard) -> Mapping[str, int]:
    by_name = {entity.name: entity for entity in session.plan.entities}
    found = {}
    for entity in session.plan.entities_of(shard):
        parents = {column: by_name[name] for column, name in entity.references.items() if name in by_name}
        ids = _ids(session, entity, shard)
        found[entity.name] = session.services.target.orphans(session.tenant.tenant_id, entity, parents, ids)
    return _flattened(found)


def _ids(session: Session, entity: Entity, shard: Shard) -> IdRange:
    """A shard's ids in a table; all rows of the dataset in that of an entity of the tenant."""
    return (shard.id_low, session.plan.surplus_ids(entity)[1]) if entity.of_tenant else shard.ids


def _row_security(session: Session, shard: Shard, diagnosis: Diagnosis) -> CheckResult:
    """The guard's trials after the load, and the doctor's attacks."""
    tables = [entity.table for entity in session.plan.entities]
    found = [hole.as_dict() for hole in diagnosis.holes]
    try:
        evidence = session.services.target.verify_row_security(session.tenant, tables)
    except RlsNotEnforced as error:
        return CheckResult("rls_enforced", shard.key, False, {"holes": error.extensions["holes"], "findings": found})
    if found:
        named = [f"{hole.relation}: {hole.attack}: {hole.finding}" for hole in diagnosis.holes]
        return CheckResult("rls_enforced", shard.key, False, {"holes": named, "findings": found})
    return CheckResult("rls_enforced", shard.key, True, {**evidence, "doctor": diagnosis.summary})


def _parquet_leaves(session: Session, shard: Shard) -> Mapping[str, tuple[str, ...]]:
    found = {}
    for entity in session.plan.entities_of(shard):
        try:
            found[entity.name] = session.services.row_files.describe(row_file_key(session.plan, entity, shard)).leaves
        except ParquetMismatch:
            found[entity.name] = ()
    return found


def _flattened(nested: Mapping[str, Mapping[str, int]]) -> Mapping[str, int]:
    return {f"{outer}: {inner}": count for outer, counts in nested.items() for inner, count in counts.items()}
