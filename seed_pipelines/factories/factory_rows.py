"""The masked rows of a manifest, one at a time: by number, by id, or the next in a state."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import pyarrow as pa

from seed_pipelines.domain.catalogue import MOST_CUSTOMERS
from seed_pipelines.domain.children import GROUP
from seed_pipelines.domain.entities import BY_NAME, Entity
from seed_pipelines.domain.ids import customer_indices
from seed_pipelines.domain.masking import Masker
from seed_pipelines.domain.plan import Plan
from seed_pipelines.domain.portfolio import CUSTOMERS, Portfolio
from seed_pipelines.domain.row_values import row_values
from seed_pipelines.errors import RequestInvalid
from seed_pipelines.factories.record import RECORDS, Record

MOST_SEARCHED: Final = 5_000
"""Rows that are looked at for one in a state before the search is given up."""

_KEPT_GROUPS: Final = 256

_Group = Mapping[UUID, Mapping[str, Any]]


class FactoryRows:
    """Rows as the pipeline makes them for a plan, and beyond its last row those of customers yet to come.

    The further ones are what a plan grown in proportion would add. The tenant's own entities end with the plan.
    """

    def __init__(self, plan: Plan, masker: Masker) -> None:
        customers = plan.rows[CUSTOMERS]
        growth = MOST_CUSTOMERS // customers
        grown = {entity.name: plan.rows[entity.name] * (1 if entity.of_tenant else growth) for entity in plan.entities}
        self.plan = plan
        self._masker = masker
        self._customers = customers
        self._grown = Portfolio(plan.dataset, grown)
        self._first_further = customers + -customers % GROUP
        self._next: dict[str, int] = {}
        self._group = lru_cache(_KEPT_GROUPS)(self._made)

    def next_number(self, entity: Entity) -> int:
        """The number of the row that is next; the one after it follows."""
        number = self._next.get(entity.name, 0)
        self._next[entity.name] = number + 1
        return number

    def start_at(self, entity: Entity, number: int) -> None:
        """Let the row of a number be next."""
        self._next[entity.name] = number

    def drawn(self, entity: Entity, number: int, wanted: Mapping[str, Any]) -> Record:
        """The first row, from a number on, that has the wanted values; rows passed over are not given any more.

        Raises RequestInvalid if there is none nearby.
        """
        for candidate in range(number, number + MOST_SEARCHED):
            row = self._numbered(entity, candidate)
            if all(row[column] == value for column, value in wanted.items()):
                if self._next.get(entity.name) == number + 1:
                    self.start_at(entity, candidate + 1)
                return self._record(entity, row)
        found = " and ".join(f"{column} {value}" for column, value in wanted.items())
        raise RequestInvalid(f"None of {MOST_SEARCHED:,} rows of {entity.name} from row {number:,} on has {found}.")

    def with_id(self, entity: Entity, row_id: UUID) -> Record | None:
        """The row of an id; None if the dataset has none."""
        (customer,) = customer_indices(pa.array([row_id.bytes], pa.binary(16)))
        row = self._group(entity.name, int(customer) // GROUP).get(row_id)
        return None if row is None else self._record(entity, row)

    def related(self, entity: Entity, column: str, row_id: Any) -> Record | None:
        """The row that an entity's column refers to by an id; None if the dataset has none."""
        name = entity.references[column]
        return self.with_id(BY_NAME[name], row_id) if name in self.plan.rows and isinstance(row_id, UUID) else None

    def _record(self, entity: Entity, row: Mapping[str, Any]) -> Record:
        record = RECORDS[entity.name]
        related = {name: self.related(entity, column, row[column]) for name, column in record.relations.items()}
        return record(**row, **related)

    def _numbered(self, entity: Entity, number: int) -> Mapping[str, Any]:
        planned = self.plan.rows.get(entity.name)
        if planned is None:
            named = ", ".join(self.plan.rows)
            raise RequestInvalid(f"The manifest that the factories draw from names no {entity.name}; it names {named}.")
        if number < planned:
            rows = self.plan.numbered_row(entity, number)
        elif entity.of_tenant:
            raise RequestInvalid(f"The manifest has {planned:,} {entity.name}, and all of them were given.")
        else:
            before = self._grown.between(entity, 0, self._first_further)
            rows = self._grown.row(entity, before + number - planned)
        (row_id,) = entity.ids(self.plan.dataset, rows).to_pylist()
        return self._group(entity.name, int(rows.customers[0]) // GROUP)[UUID(bytes=row_id)]

    def _made(self, name: str, number: int) -> _Group:
        """The rows that hang on a group of customers; of an entity of the tenant, so many of its own."""
        entity = BY_NAME[name]
        return {
            row["id"]: row
            for portfolio, first, end in self._parts(entity, number * GROUP, (number + 1) * GROUP)
            for row in self._generated(entity, portfolio, first, end)
        }

    def _parts(self, entity: Entity, first: int, end: int) -> Iterator[tuple[Portfolio, int, int]]:
        """What of a range belongs to the plan, and what to its growth."""
        if entity.of_tenant:
            yield self.plan.portfolio, first, min(end, self.plan.rows[entity.name])
        else:
            yield self.plan.portfolio, first, min(end, self._customers)
            yield self._grown, max(first, self._customers), min(end, self._grown.counts[CUSTOMERS])

    def _generated(self, entity: Entity, portfolio: Portfolio, first: int, end: int) -> list[dict[str, Any]]:
        if first >= end or not len(rows := portfolio.rows(entity, first, end)):
            return []
        return row_values(self._masker.batch(entity, portfolio, rows).records)
