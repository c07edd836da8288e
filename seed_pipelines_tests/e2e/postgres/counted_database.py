"""A database that counts what is exchanged with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from seed_pipelines.adapters.postgres.async_database import AsyncConnection, AsyncDatabase, Parameters, Results


class Counted(AsyncDatabase):
    """Counts its exchanges."""

    exchanges = 0

    @asynccontextmanager
    async def exchange(self, query: str, parameters: Parameters) -> AsyncIterator[tuple[AsyncConnection, Results]]:
        self.exchanges += 1
        async with super().exchange(query, parameters) as found:
            yield found
