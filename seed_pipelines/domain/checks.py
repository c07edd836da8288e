"""Facts about a shard, as read back from the database -> results of its checks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seed_pipelines.domain.coherence import Landed, Rule
from seed_pipelines.domain.digest import block_leaves, merkle_root
from seed_pipelines.domain.entities import Entity
from seed_pipelines.domain.masking import Masker, unmasked_batch
from seed_pipelines.domain.plan import Plan

CHECKS: Final[Mapping[str, str]] = {
    "row_counts": "Every table holds as many rows of the shard as the plan says.",
    "unique_keys": "No row shares a unique key with another row of the tenant.",
    "foreign_keys": "Every row refers to a row of the same tenant that exists.",
    "check_digits": "Documents, branches, accounts, phones and e-mails keep their check digits and formats.",
    "pii_masked": "No PII column holds what was drawn for its row before masking.",
    "rls_enforced": "Row level security is forced, and no attack of the doctor sees or writes a row of the tenant.",
    "digests_equal": "What the manifest derives, the Parquet files and the database have one digest.",
}
"""The checks of every shard, by name, in the order in which they are shown."""


def rules_of(plan: Plan) -> tuple[Rule, ...]:
    """The rules of coherence that apply to the entities of a plan."""
    return tuple(rule for entity in plan.entities for rule in entity.rules if set(rule.entities) <= set(plan.rows))


def checks_of(plan: Plan) -> Mapping[str, str]:
    """The checks of a plan's shards, by name, with what they say."""
    return {**CHECKS, **{rule.name: rule.description for rule in rules_of(plan)}}


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check on one shard."""

    name: str
    shard: str
    passed: bool
    facts: Mapping[str, Any]
    """What was found: counts and digests, never values."""

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON."""
        return {"name": self.name, "shard": self.shard, "passed": self.passed, "facts": dict(self.facts)}


@dataclass
class EntityFacts:
    """What reading an entity's rows of one shard back has shown."""

    landed_rows: int = 0
    invalid: dict[str, int] = field(default_factory=dict)
    unmasked: dict[str, int] = field(default_factory=dict)
    planned_leaves: list[str] = field(default_factory=list)
    landed_leaves: list[str] = field(default_factory=list)


class Coherence:
    """What the rules of a plan find in a shard, family by family as the rows pass by."""

    def __init__(self, plan: Plan, tenant_rows: Mapping[str, pa.Table]) -> None:
        """`tenant_rows` are the landed rows of the entities of the tenant, which all families refer to."""
        self._plan, self._tenant_rows = plan, tenant_rows
        self._found: dict[str, dict[str, int]] = {rule.name: {} for rule in rules_of(plan)}

    def add(self, families: Mapping[str, pa.Table]) -> None:
        """Take the rows of some customers, entity -> table."""
        landed = Landed({**self._tenant_rows, **families}, self._plan.manifest.reference_datetime)
        for rule in rules_of(self._plan):
            _add(self._found[rule.name], rule.offenders(landed))

    def results(self, shard: str) -> tuple[CheckResult, ...]:
        """One for each rule."""
        return tuple(no_offenders(name, shard, found) for name, found in self._found.items())


def add_chunk(
    facts: EntityFacts,
    plan: Plan,
    masker: Masker,
    entity: Entity,
    customers: tuple[int, int],
    landed: pa.Table,
) -> None:
    """Add the rows found on a chunk of customers [first, end), both at block borders or the end, to the facts."""
    first, end = customers
    rows = plan.entity_rows(entity, first, end)
    planned = masker.batch(entity, plan.portfolio, rows).records
    facts.planned_leaves += block_leaves(entity.name, entity.schema, [planned], first, end)
    facts.landed_leaves += block_leaves(entity.name, entity.schema, landed.to_batches(), first, end)
    facts.landed_rows += landed.num_rows
    _add(facts.invalid, entity.invalid_values(landed))
    if entity.pii_columns:
        _add(facts.unmasked, _unmasked(entity, unmasked_batch(entity, plan.portfolio, rows), planned, landed))


def row_counts(shard: str, planned: Mapping[str, int], facts: Mapping[str, EntityFacts]) -> CheckResult:
    """Rows in the database against rows of the plan."""
    landed = {name: found.landed_rows for name, found in facts.items()}
    return CheckResult("row_counts", shard, landed == dict(planned), {"planned": dict(planned), "landed": landed})


def no_offenders(name: str, shard: str, offenders: Mapping[str, int]) -> CheckResult:
    """Passes where every count is zero."""
    return CheckResult(name, shard, not any(offenders.values()), {"offending_rows": dict(offenders)})


def digests_equal(
    shard: str,
    facts: Mapping[str, EntityFacts],
    parquet_leaves: Mapping[str, tuple[str, ...]],
    *,
    landed_in: str = "database",
) -> CheckResult:
    """Leaves of the plan, of the Parquet files as written, and of the rows where they landed, for each entity."""
    roots = {
        name: {
            "plan": merkle_root(found.planned_leaves),
            "parquet": merkle_root(parquet_leaves.get(name, ())),
            landed_in: merkle_root(found.landed_leaves),
        }
        for name, found in facts.items()
    }
    return CheckResult("digests_equal", shard, all(len(set(three.values())) == 1 for three in roots.values()), roots)


def _unmasked(entity: Entity, drawn: pa.RecordBatch, planned: pa.RecordBatch, landed: pa.Table) -> dict[str, int]:
    """Kind of PII -> rows that hold what was drawn for them although masking changes it; columns of a kind count together."""
    position = pc.index_in(landed.column("id").combine_chunks(), drawn.column("id"))
    found = pc.is_valid(position)
    position, landed = position.filter(found), landed.filter(found)
    drawn, planned = drawn.take(position), planned.take(position)
    kinds: dict[str, list[str]] = {}
    for column in entity.columns:
        if column.pii:
            kinds.setdefault(column.pii, []).append(column.name)
    return {kind: _rows_alike(drawn, landed, names, unlike=planned) for kind, names in kinds.items()}


def _rows_alike(one: pa.RecordBatch, other: pa.Table, columns: Sequence[str], *, unlike: pa.RecordBatch) -> int:
    alike, changed = np.ones(one.num_rows, dtype=bool), np.zeros(one.num_rows, dtype=bool)
    for name in columns:
        alike &= np.asarray(pc.equal(one.column(name), other.column(name)).fill_null(True))
        changed |= np.asarray(pc.not_equal(one.column(name), unlike.column(name)).fill_null(False))
    return int(np.count_nonzero(alike & changed))


def _add(totals: dict[str, int], counts: Mapping[str, int]) -> None:
    for name, count in counts.items():
        totals[name] = totals.get(name, 0) + count
