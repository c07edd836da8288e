"""How the rows of a child entity hang on customers: exactly as many as planned, unevenly, and only appended to.

Customer `i` of `C` owns `A // C` rows plus, for the remainder `r = A % C`, the unit that Bresenham's line
`floor((i + 1) * r / C) - floor(i * r / C)` gives it; that unit is handed to a keyed member of the same group of
sixteen customers whose index is not above `i`. The counts sum to `A`, depend on the ratio `A : C` alone, and when both
grow in proportion no customer loses a row.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from seed_pipelines.domain.ids import ORDINAL_BITS
from seed_pipelines.domain.streams import Stream

POSITION_BITS: Final = 10
"""Bits of a grandchild's ordinal that hold its position at its parent; the parent's own ordinal stands above them."""

GROUP: Final = 16
"""Customers among whom the remainder's rows are shared out; divides every border of a shard and of a digest block."""


@dataclass(frozen=True)
class Rows:
    """Rows of one entity in id order: the customer each hangs on, and which of that customer's rows it is."""

    customers: NDArray[np.uint64]
    ordinals: NDArray[np.uint64]

    @classmethod
    def of_counters(cls, counters: NDArray[np.uint64]) -> "Rows":
        """The rows of some counters."""
        return cls(counters >> np.uint64(ORDINAL_BITS), counters & np.uint64((1 << ORDINAL_BITS) - 1))

    def __len__(self) -> int:
        return len(self.customers)

    @property
    def counters(self) -> NDArray[np.uint64]:
        """A number for each row that no other row of the entity has: what its streams are addressed by."""
        return (self.customers << np.uint64(ORDINAL_BITS)) | self.ordinals

    @property
    def owners(self) -> "Rows":
        """The customer of each row, as a row of the entity customers."""
        return Rows(self.customers, np.zeros_like(self.customers))

    @property
    def parents(self) -> "Rows":
        """Of grandchildren: the parent of each row, a row of another entity."""
        return Rows(self.customers, self.ordinals >> np.uint64(POSITION_BITS))

    @property
    def positions(self) -> NDArray[np.int64]:
        """Of grandchildren: which of its parent's rows each is, from 0."""
        return (self.ordinals & np.uint64((1 << POSITION_BITS) - 1)).astype(np.int64)

    @property
    def customer_range(self) -> tuple[int, int]:
        """The customers [first, end) that the rows are on; an empty range for no rows."""
        return (int(self.customers[0]), int(self.customers[-1]) + 1) if len(self) else (0, 0)

    def select(self, start: int, end: int) -> "Rows":
        """The rows at positions [start, end)."""
        return Rows(self.customers[start:end], self.ordinals[start:end])


@dataclass(frozen=True)
class Children:
    """`count` rows on `customers` customers."""

    customers: int
    count: int

    def between(self, first: int, end: int) -> int:
        """Rows that hang on customers [first, end); both are multiples of 16 or the number of customers."""
        return self.count * end // self.customers - self.count * first // self.customers

    def rows(self, first: int, end: int, stream: Stream) -> Rows:
        """The rows that hang on customers [first, end), in id order; the range may begin and end anywhere."""
        return self.numbered(first, end, stream)[0]

    def numbered(self, first: int, end: int, stream: Stream) -> tuple[Rows, int]:
        """The rows that hang on customers [first, end), and the position of the first of them in id order."""
        aligned = first - first % GROUP
        aligned_end = min(self.customers, end + -end % GROUP)
        customers = np.arange(aligned, aligned_end, dtype=np.uint64)
        every = self._counts(customers, stream)
        counts = every[first - aligned : end - aligned]
        starts = np.cumsum(counts) - counts
        ordinals = np.arange(counts.sum(), dtype=np.uint64) - np.repeat(starts, counts).astype(np.uint64)
        number = self.between(0, aligned) + int(every[: first - aligned].sum())
        return Rows(np.repeat(customers[first - aligned : end - aligned], counts), ordinals), number

    def row(self, number: int, stream: Stream) -> Rows:
        """The row at a position in id order; IndexError if there is none."""
        first, end = self.group_of(number)
        rows, start = self.numbered(first, end, stream)
        return rows.select(number - start, number - start + 1)

    def group_of(self, number: int) -> tuple[int, int]:
        """The group of customers, [first, end), in which the row at a position is; IndexError if there is none."""
        if not 0 <= number < self.count:
            raise IndexError(f"row {number} of {self.count}")
        before_sharing = -(-(number + 1) * self.customers // self.count) - 1
        first = before_sharing - before_sharing % GROUP
        return first, min(self.customers, first + GROUP)

    @property
    def whole(self) -> int:
        """Rows that every customer has from the start; the others come as the customers grow in number."""
        return self.count // self.customers

    def arrivals(self, first: int, end: int, stream: Stream) -> NDArray[np.int64]:
        """The position of each row of customers [first, end), both borders of groups, in the order in which they come.

        Growing in proportion adds rows at the end of this order, while in id order they come between others.
        """
        rows, start = self.numbered(first, end, stream)
        units, owners = self._units(np.arange(first, end, dtype=np.uint64), stream)
        came = rows.customers.copy()
        came[rows.ordinals >= np.uint64(self.whole)] = units[np.argsort(owners, kind="stable")]
        numbers = np.empty(len(rows), dtype=np.int64)
        numbers[np.lexsort((rows.counters, came))] = np.arange(start, start + len(rows))
        return numbers

    def _counts(self, customers: NDArray[np.uint64], stream: Stream) -> NDArray[np.intp]:
        _, owners = self._units(customers, stream)
        first = int(customers[0]) if len(customers) else 0
        extra = np.bincount((owners - np.uint64(first)).astype(np.intp), minlength=len(customers))
        return extra + self.whole

    def _units(self, customers: NDArray[np.uint64], stream: Stream) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Customers at whom the line gives a unit, and those it is handed to."""
        size, step = np.uint64(self.customers), np.uint64(self.count % self.customers)
        given = customers[((customers + np.uint64(1)) * step) // size > (customers * step) // size]
        place = given % np.uint64(GROUP)
        words = stream.words(given) >> np.uint64(32)
        return given, given - place + ((words * (place + np.uint64(1))) >> np.uint64(32))


def one_each(first: int, end: int) -> Rows:
    """The customers [first, end) themselves."""
    customers = np.arange(first, end, dtype=np.uint64)
    return Rows(customers, np.zeros_like(customers))
