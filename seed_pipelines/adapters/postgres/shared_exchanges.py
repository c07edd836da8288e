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
    found: list["asyncio.Future[Found]"] = field(default_factory=list)
    """Where each of them waits for what is found."""


class Shared(Generic[Wanted, Found]):
    """Has the wishes of many fulfilled together, one group after the other; belongs to one event loop."""

    def __init__(self, fulfil: Callable[[Sequence[Wanted]], Awaitable[Sequence[Found]]], most: int = MOST) -> None:
        """`fulfil` has one answer for each wish, in their order; what it raises is raised to all of them."""
        self._fulfil = fulfil
        self._most = most
        self._lock = asyncio.Lock()
        self._gathering: _Group[Wanted, Found] | None = None
        self._work: set[asyncio.Task[None]] = set()

    async def ask(self, wanted: Wanted) -> Found:
        """What was found for one wish; goes on for the others if its caller is cancelled."""
        group = self._gathering
        if group is None or len(group.wanted) >= self._most:
            group = self._gathering = _Group()
            work = asyncio.create_task(self._fulfilled(group))
            self._work.add(work)
            work.add_done_callback(self._work.discard)
        found: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        group.wanted.append(wanted)
        group.found.append(found)
        return await found

    async def _fulfilled(self, group: _Group[Wanted, Found]) -> None:
        """Whatever becomes of the work, everybody who still waits for it hears of it."""
        try:
            async with self._lock:
                if self._gathering is group:
                    self._gathering = None
                answers = await self._fulfil(group.wanted)
            for waiting, answer in zip(group.found, answers, strict=True):
                if not waiting.done():
                    waiting.set_result(answer)
        except Exception as error:  # noqa: BLE001  # raised to those who wait
            for waiting in group.found:
                if not waiting.done():
                    waiting.set_exception(error)
        finally:
            # Cancelled together with the event loop.
            for waiting in group.found:
                waiting.cancel()
