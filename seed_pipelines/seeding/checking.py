"""Check a loaded shard by reading it back from the database."""

from collections.abc import Mapping

from seed_pipelines.domain import checks
from seed_pipelines.domain.checks import CheckResult, EntityFacts
from seed_pipelines.domain.entities import Entity
from seed_pipelines.domain.plan import Shard
from seed_pipelines.errors import ParquetMismatch, RlsNotEnforced
from seed_pipelines.seeding.generation import row_file_key
from seed_pipelines.seeding.seed_run import Session


def check(session: Session, shard: Shard) -> tuple[CheckResult, ...]:
    """The results of all checks of a shard, in the order of `domain.checks.CHECKS`."""
    entities = session.plan.entities
    facts = {entity.name: _facts(session, entity, shard) for entity in entities}
    return (
        checks.row_counts(shard.key, shard.rows, facts),
        checks.no_offenders("unique_keys", shard.key, _duplicates(session, shard)),
        checks.no_offenders("foreign_keys", shard.key, _orphans(session, shard)),
        checks.no_offenders("check_digits", shard.key, _flattened({n: found.invalid for n, found in facts.items()})),
        checks.no_offenders("pii_masked", shard.key, _flattened({n: found.unmasked for n, found in facts.items()})),
        _row_security(session, shard),
        checks.digests_equal(shard.key, facts, _parquet_leaves(session, shard)),
    )


def _facts(session: Session, entity: Entity, shard: Shard) -> EntityFacts:
    facts = EntityFacts()
    for chunk in session.plan.chunks(shard):
        ids = session.plan.chunk_ids(shard, chunk)
        landed = session.services.target.read(session.tenant.tenant_id, entity, ids)
        checks.add_chunk(facts, session.plan, session.masker, entity, chunk, landed)
    return facts


def _duplicates(session: Session, shard: Shard) -> Mapping[str, int]:
    ids, tenant_id = shard.ids, session.tenant.tenant_id
    return _flattened({e.name: session.services.target.duplicates(tenant_id, e, ids) for e in session.plan.entities})


def _orphans(session: Session, shard: Shard) -> Mapping[str, int]:
    by_name = {entity.name: entity for entity in session.plan.entities}
    found = {}
    for entity in session.plan.entities:
        parents = {column: by_name[name] for column, name in entity.references.items()}
        ids = shard.ids
        found[entity.name] = session.services.target.orphans(session.tenant.tenant_id, entity, parents, ids)
    return _flattened(found)


def _row_security(session: Session, shard: Shard) -> CheckResult:
    tables = [entity.table for entity in session.plan.entities]
    try:
        evidence = session.services.target.verify_row_security(session.tenant, tables)
    except RlsNotEnforced as error:
        return CheckResult("rls_enforced", shard.key, False, {"holes": error.extensions["holes"]})
    return CheckResult("rls_enforced", shard.key, True, evidence)


def _parquet_leaves(session: Session, shard: Shard) -> Mapping[str, tuple[str, ...]]:
    found = {}
    for entity in session.plan.entities:
        try:
            found[entity.name] = session.services.row_files.describe(row_file_key(session.plan, entity, shard)).leaves
        except ParquetMismatch:
            found[entity.name] = ()
    return found


def _flattened(nested: Mapping[str, Mapping[str, int]]) -> Mapping[str, int]:
    return {f"{outer}: {inner}": count for outer, counts in nested.items() for inner, count in counts.items()}
