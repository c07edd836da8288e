"""What must hold between rows of several entities: rules, asked of the rows as they landed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa


@dataclass(frozen=True)
class Landed:
    """Rows as they were read back: whole families of customers, and the entities of the tenant that they refer to."""

    tables: Mapping[str, pa.Table]
    """Entity -> its rows, in id order."""
    reference_datetime: datetime
    """What payments and states are seen from."""


@dataclass(frozen=True)
class Rule:
    """One check of coherence."""

    name: str
    description: str
    entities: tuple[str, ...]
    """Applies where all of these are seeded."""
    offenders: Callable[[Landed], Mapping[str, int]]
    """What is broken -> rows that break it; every aspect that was looked at is named, with 0 where nothing is amiss.

    It works on the landed rows alone, by other means than those that drew them.
    """
