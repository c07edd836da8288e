"""A mapping that nobody changes, that can be pickled, compared and hashed."""

from collections.abc import Iterator, Mapping
from typing import Annotated, TypeAlias, TypeVar

from pydantic import AfterValidator, PlainSerializer

V = TypeVar("V")


class FrozenMapping(Mapping[str, V]):
    """A read-only copy of a mapping, in its order."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, V]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: str) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return f"FrozenMapping({self._items!r})"


Frozen: TypeAlias = Annotated[Mapping[str, V], AfterValidator(FrozenMapping), PlainSerializer(dict)]
"""The type of a field of a frozen model that holds a FrozenMapping."""
