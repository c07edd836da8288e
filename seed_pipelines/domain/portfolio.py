"""What the rows of a dataset hang on: customers, rows of customers, or the tenant itself.

A child's ordinal numbers the rows of its customer; a grandchild's (an installment of a loan) holds the ordinal of its parent
and its position there, so that every id and every draw can be found without the rows before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from seed_pipelines.domain.children import GROUP, POSITION_BITS, Children, Rows, one_each
from seed_pipelines.domain.dataset import Dataset
from seed_pipelines.domain.streams import Stream

CUSTOMERS: Final = "customers"


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
        group = self._children(kind.parent).group_of(-(-(number + 1) * parents // self.counts[kind.name]) - 1)
        family, start = self._numbered(kind, *group)
        return family.select(number - start, number - start + 1)

    def shares(self, kind: Kind, parents: Rows) -> NDArray[np.int64]:
        """How many rows of a grandchild hang on each of some parents, in id order."""
        if kind.parent is None or not len(parents):
            return np.zeros(len(parents), dtype=np.int64)
        family, counts, _ = self._family(kind, *parents.customer_range)
        return counts if len(family) == len(parents) else counts[np.searchsorted(family.counters, parents.counters)]

    def _numbered(self, kind: Kind, first: int, end: int) -> tuple[Rows, int]:
        """The rows on customers [first, end), and the position of the first of them in id order."""
        if kind.parent is None:
            return one_each(first, end), first
        if kind.parent.parent is None:
            return self._children(kind).numbered(first, end, self._owners(kind))
        parents, counts, start = self._family(kind, first, end)
        starts = np.cumsum(counts) - counts
        positions = np.arange(counts.sum(), dtype=np.uint64) - np.repeat(starts, counts).astype(np.uint64)
        ordinals = np.repeat(parents.ordinals << np.uint64(POSITION_BITS), counts) | positions
        return Rows(np.repeat(parents.customers, counts), ordinals), start

    def _family(self, kind: Kind, first: int, end: int) -> tuple[Rows, NDArray[np.int64], int]:
        """The parents on customers [first, end), how many rows hang on each, and how many hang on those before."""
        parent = kind.parent or kind
        children, stream = self._children(parent), self._owners(parent)
        borders = first - first % GROUP, min(self.counts[CUSTOMERS], end + -end % GROUP)
        parents = children.rows(*borders, stream)
        counts = self._shared(kind, parents, children.arrivals(*borders, stream), children.whole)
        low, high = np.searchsorted(parents.customers, np.asarray([first, end], dtype=np.uint64))
        before = self._before(kind, children.between(0, borders[0])) + int(counts[:low].sum())
        return parents.select(low, high), counts[low:high], before

    def _shared(self, kind: Kind, parents: Rows, arrivals: NDArray[np.int64], whole: int) -> NDArray[np.int64]:
        """Rows of each parent: Bresenham's share in the order in which parents come.

        Of two parents that a customer has from the start, one hands some of its rows to the other.
        """
        among = self.counts[kind.parent.name if kind.parent else ""]
        least, rest = divmod(self.counts[kind.name], among)
        numbers = arrivals.astype(np.uint64)
        step, size = np.uint64(rest), np.uint64(among)
        counts = least + ((numbers + np.uint64(1)) * step // size - numbers * step // size).astype(np.int64)
        ordinals = parents.ordinals
        first = np.flatnonzero((ordinals % np.uint64(2) == 0) & (ordinals + np.uint64(1) < np.uint64(whole)))
        smaller = np.minimum(counts[first], counts[first + 1])
        words = self._owners(kind).words(parents.counters[first])
        given = ((words >> np.uint64(33)) * smaller.astype(np.uint64) >> np.uint64(31)).astype(np.int64)
        given = np.where(words & np.uint64(1), given, -given)
        counts[first] += given
        counts[first + 1] -= given
        return counts

    def _before(self, kind: Kind, parent_number: int) -> int:
        """Rows that hang on the parents before a number, where that begins a group of customers."""
        return parent_number * self.counts[kind.name] // self.counts[kind.parent.name if kind.parent else ""]

    def _children(self, kind: Kind) -> Children:
        return Children(self.counts[CUSTOMERS], self.counts[kind.name])

    def _owners(self, kind: Kind) -> Stream:
        return self.dataset.stream(kind.name, "owner")
