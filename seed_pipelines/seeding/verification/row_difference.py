"""The first row in which the database and the manifest differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from seed_pipelines.domain.differences import Difference
from seed_pipelines.domain.entities import Entity
from seed_pipelines.domain.ids import uuid_texts
from seed_pipelines.domain.row_values import json_values, row_values


@dataclass(frozen=True)
class RowDifference:
    """One row, as the manifest makes it and as the database has it; personal data is masked in what the manifest makes."""

    entity: str
    table: str
    row_id: str
    leaf: int
    """Which leaf of the entity's tree the row is in, from 0."""
    made: Mapping[str, Any] | None
    """Column -> JSON value; None if the manifest makes no such row."""
    stored: Mapping[str, Any] | None
    """None if the database has no such row."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that differ: all of them where one side has no row."""
        made, stored = self.made or {}, self.stored or {}
        return tuple(
            name for name in {**made, **stored} if (name in made, made.get(name)) != (name in stored, stored.get(name))
        )

    @property
    def in_words(self) -> str:
        """Table, row and columns; no value."""
        where = f"{self.table}, row {self.row_id}"
        if self.stored is None:
            return f"{where}: it is missing"
        if self.made is None:
            return f"{where}: the manifest makes no such row"
        return f"{where}: {', '.join(self.columns)} differ" + ("s" if len(self.columns) == 1 else "")

    def as_dict(self) -> dict[str, Any]:
        """Both sides as JSON."""
        return {
            "entity": self.entity,
            "table": self.table,
            "id": self.row_id,
            "leaf": self.leaf,
            "columns": list(self.columns),
            "made": None if self.made is None else dict(self.made),
            "stored": None if self.stored is None else dict(self.stored),
        }


def first_difference(entity: Entity, leaf: int, made: pa.Table, stored: pa.Table) -> RowDifference | None:
    """The first row, in id order, that two tables of an entity's rows do not share; None if they hold the same."""
    found = Difference()
    found.add(stored, made)
    first = [ids[0] for ids in (found.added_ids, found.changed_ids, found.removed_ids) if ids]
    if not first:
        return None
    return RowDifference(entity.name, entity.table, min(first), leaf, _row(made, min(first)), _row(stored, min(first)))


def _row(rows: pa.Table, row_id: str) -> Mapping[str, Any] | None:
    ids = uuid_texts(rows.column("id").combine_chunks()).to_pylist()
    if row_id not in ids:
        return None
    (row,) = row_values(rows.slice(ids.index(row_id), 1))
    return json_values(row)
