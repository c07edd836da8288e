"""Work for several at once: what each of those who share it hears of it."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence

import pytest

from seed_pipelines.adapters.postgres.shared_exchanges import MOST, Shared


class Work:
    """Doubles numbers once it is let go, and remembers which came together."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.go = asyncio.Event()

    async def doubled(self, numbers: Sequence[int]) -> Sequence[int]:
        """One for each."""
        self.groups.append(list(numbers))
        await self.go.wait()
        if -1 in numbers:
            raise ValueError("a number that cannot be doubled")
        return [2 * number for number in numbers if number]


def run(work: Callable[[], Coroutine[object, object, None]]) -> None:
    asyncio.run(work())


def test_whoever_comes_meanwhile_shares_the_next() -> None:
    """Each gets what is his, in order of arrival; no more than may share."""

    async def several() -> None:
        work = Work()
        shared = Shared(work.doubled)
        first = asyncio.create_task(shared.ask(1))
        while not work.groups:
            await asyncio.sleep(0)
        others = [asyncio.create_task(shared.ask(number)) for number in range(2, MOST + 4)]
        await asyncio.sleep(0)
        work.go.set()
        assert await asyncio.gather(first, *others) == [2 * number for number in range(1, MOST + 4)]
        assert [len(group) for group in work.groups] == [1, MOST, 2]

    run(several)


def test_a_failure_is_raised_to_all_who_share_it_and_to_nobody_else() -> None:
    """The next ones are served."""

    async def several() -> None:
        work = Work()
        work.go.set()
        shared = Shared(work.doubled)
        found = await asyncio.gather(shared.ask(1), shared.ask(-1), return_exceptions=True)
        assert [type(each) for each in found] == [ValueError, ValueError]
        assert await shared.ask(3) == 6

    run(several)


def test_nobody_waits_for_ever_for_an_answer_that_is_missing() -> None:
    """Fewer answers than wishes are a failure of the work."""

    async def several() -> None:
        work = Work()
        work.go.set()
        shared = Shared(work.doubled)
        async with asyncio.timeout(10):
            found = await asyncio.gather(shared.ask(0), shared.ask(0), return_exceptions=True)
        assert [type(each) for each in found] == [ValueError, ValueError]

    run(several)


def test_the_others_are_served_when_one_gives_up() -> None:
    """Also if it is the one with whom the work began."""

    async def several() -> None:
        work = Work()
        shared = Shared(work.doubled)
        first, second = asyncio.create_task(shared.ask(1)), asyncio.create_task(shared.ask(2))
        while not work.groups:
            await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        work.go.set()
        assert await second == 4
        assert work.groups == [[1, 2]]

    run(several)
