"""What the rows of a dataset hang on: customers, rows of customers, or the tenant itself.

A child's ordinal numbers the rows of its customer; a grandchild's (an installment of a loan) holds the ordinal of its parent
and its position there, so that every id and every draw can be found without the rows before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from seed_pipelines.domain.children import POSITION_BITS, Children, Rows, one_each
from seed_pipelines.domain.dataset import Dataset
from seed_pipelines.domain.streams import Stream

CUSTOMERS: Final = "customers"

MOST_PER_PARENT: Final = 1 << POSITION_BITS - 1
"""Rows of a grandchild per parent, on average: the uneven shares that two parents of a customer have stay below twice that."""


class Kind(Protocol):
    """What a portfolio needs to know of an entity."""

    @property
    def name(self) -> str:
        """Plural name, as in a manifest's volumetry."""

    @property
    def parent(self) -> "Kind | None":
        """What its rows hang on; None for customers and for entities of the tenant."""


@dataclass(frozen=True)
class Portfolio:
    """How many rows of each entity a dataset has, and which customer each belongs to."""

    dataset: Dataset
    counts: Mapping[str, int]
    """Entity -> rows, for the entities that are seeded."""

    def rows(self, kind: Kind, first: int, end: int) -> Rows:
        """The rows that hang on customers [first, end), in id order; of an entity of the tenant, rows [first, end)."""
        return self._numbered(kind, first, end)[0]

    def between(self, kind: Kind, first: int, end: int) -> int:
        """How many they are; both are multiples of 16 or the number of customers."""
        if kind.parent is None:
            return end - first
        if kind.parent.parent is None:
            return self._children(kind).between(first, end)
        return self._before(kind, self.between(kind.parent, 0, end)) - self._before(
            kind, self.between(kind.parent, 0, first)
        )

    def row(self, kind: Kind, number: int) -> Rows:
        """The row at a position in id order, found without the rows before it; IndexError if there is none."""
        if not 0 <= number < self.counts[kind.name]:
            raise IndexError(f"row {number} of {self.counts[kind.name]} {kind.name}")
        if kind.parent is None:
            return one_each(number, number + 1)
        if kind.parent.parent is None:
            return self._children(kind).row(number, self._owners(kind))
        parents = self.counts[kind.parent.name]
        parent = self.row(kind.parent, -(-(number + 1) * parents // self.counts[kind.name]) - 1)
        customer = int(parent.customers[0])
        family, start = self._numbered(kind, customer, customer + 1)
        return family.select(number - start, number - start + 1)

    def shares(self, kind: Kind, parents: Rows) -> NDArray[np.int64]:
        """How many rows of a grandchild hang on each of some parents, in id order."""
        if kind.parent is None or not len(parents):
            return np.zeros(len(parents), dtype=np.int64)
        family, start = self._numbered(kind.parent, int(parents.customers[0]), int(parents.customers[-1]) + 1)
        counts = self._shares(kind, family, start)
        return counts if len(family) == len(parents) else counts[np.searchsorted(family.counters, parents.counters)]

    def _numbered(self, kind: Kind, first: int, end: int) -> tuple[Rows, int]:
        """The rows on customers [first, end), and the position of the first of them in id order."""
        if kind.parent is None:
            return one_each(first, end), first
        if kind.parent.parent is None:
            return self._children(kind).numbered(first, end, self._owners(kind))
        parents, start = self._numbered(kind.parent, first, end)
        counts = self._shares(kind, parents, start)
        starts = np.cumsum(counts) - counts
        positions = np.arange(counts.sum(), dtype=np.uint64) - np.repeat(starts, counts).astype(np.uint64)
        ordinals = np.repeat(parents.ordinals << np.uint64(POSITION_BITS), counts) | positions
        return Rows(np.repeat(parents.customers, counts), ordinals), self._before(kind, start)

    def _shares(self, kind: Kind, parents: Rows, start: int) -> NDArray[np.int64]:
        """Rows of each parent: Bresenham's share, of which one parent hands some to the next of its customer."""
        among = self.counts[kind.parent.name if kind.parent else ""]
        whole, rest = divmod(self.counts[kind.name], among)
        numbers = np.arange(start, start + len(parents) + 1, dtype=np.uint64)
        before = (numbers * np.uint64(rest) // np.uint64(among)).astype(np.int64)
        counts = before[1:] - before[:-1] + whole
        first = np.flatnonzero(
            (parents.ordinals[:-1] % np.uint64(2) == 0) & (parents.customers[:-1] == parents.customers[1:])
        )
        smaller = np.minimum(counts[first], counts[first + 1])
        words = self._owners(kind).words(parents.counters[first])
        given = ((words >> np.uint64(33)) * smaller.astype(np.uint64) >> np.uint64(31)).astype(np.int64)
        given = np.where(words & np.uint64(1), given, -given)
        counts[first] += given
        counts[first + 1] -= given
        return counts

    def _before(self, kind: Kind, parent_number: int) -> int:
        """Rows that hang on the parents before a number, where that begins a customer."""
        return parent_number * self.counts[kind.name] // self.counts[kind.parent.name if kind.parent else ""]

    def _children(self, kind: Kind) -> Children:
        return Children(self.counts[CUSTOMERS], self.counts[kind.name])

    def _owners(self, kind: Kind) -> Stream:
        return self.dataset.stream(kind.name, "owner")
