"""Work for several at once: whoever comes while the work for those before is under way shares the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

MOST: Final = 64
"""Callers that share: all of them wait for the slowest."""

Wanted = TypeVar("Wanted")
Found = TypeVar("Found")


@dataclass
class _Group(Generic[Wanted, Found]):
    """Callers who wait for those before them."""

    wanted: list[Wanted] = field(default_factory=list)
    found: "asyncio.Task[Sequence[Found]] | None" = None


class Shared(Generic[Wanted, Found]):
    """Has the wishes of many fulfilled together, one group after the other; belongs to one event loop."""

    def __init__(self, fulfil: Callable[[Sequence[Wanted]], Awaitable[Sequence[Found]]], most: int = MOST) -> None:
        """`fulfil` has one answer for each wish, in their order; what it raises is raised to all of them."""
        self._fulfil = fulfil
        self._most = most
        self._lock = asyncio.Lock()
        self._gathering: _Group[Wanted, Found] | None = None

    async def ask(self, wanted: Wanted) -> Found:
        """What was found for one wish; goes on for the others if its caller is cancelled."""
        group = self._gathering
        if group is None or len(group.wanted) >= self._most:
            group = self._gathering = _Group()
            group.found = asyncio.create_task(self._fulfilled(group))
        position = len(group.wanted)
        group.wanted.append(wanted)
        assert group.found is not None  # noqa: S101
        return (await asyncio.shield(group.found))[position]

    async def _fulfilled(self, group: _Group[Wanted, Found]) -> Sequence[Found]:
        async with self._lock:
            if self._gathering is group:
                self._gathering = None
            return await self._fulfil(group.wanted)
