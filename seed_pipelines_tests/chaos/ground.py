"""The ground of the trials: two tenants of staging, and what undisturbed runs leave of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from psycopg import sql

from seed_pipelines_tests.chaos.boundaries import let_storage_tell
from seed_pipelines_tests.chaos.draw import TENANTS
from seed_pipelines_tests.chaos.lane import Lane
from seed_pipelines_tests.e2e.seeding.staging import Staging, write_catalogue

_ROWS_PER_SHARD: Final = 7_000
_LIMITS_SECONDS: Final = {"idle_in_transaction_session_timeout": 3, "transaction_timeout": 15}


@dataclass(frozen=True)
class Ground:
    """Two tenants, each with what undisturbed runs leave."""

    staging: Staging
    lanes: Mapping[str, Lane]

    @classmethod
    def prepared(cls, staging: Staging, folder: Path) -> "Ground":
        """Seed both tenants, undisturbed."""
        write_catalogue(folder / "catalogue.json", _ROWS_PER_SHARD)
        lanes = {slug: Lane(staging, slug, folder) for slug in TENANTS}
        for lane in lanes.values():
            lane.load()
        ground = cls(staging, lanes)
        ground._hurry()
        let_storage_tell(ground.storage_url)
        return ground

    @property
    def storage_url(self) -> str:
        """Dagster's storage, as who provisions it."""
        return self.staging.stack.stack.postgres.provisioning_url("postgres", "dagster")

    def _hurry(self) -> None:
        """Let the server give up sooner on a transaction whose client stands still."""
        limit = sql.SQL("ALTER DATABASE {} SET {} = {}")
        with self.staging.superuser() as connection:
            for database in ("seed_staging", "dagster"):
                for name, seconds in _LIMITS_SECONDS.items():
                    names = sql.Identifier(database), sql.Identifier(name)
                    connection.execute(limit.format(*names, sql.Literal(f"{seconds}s")))

    def other(self, lane: Lane) -> Lane:
        """The other tenant."""
        return next(found for found in self.lanes.values() if found is not lane)

    def restore(self, loaded: Mapping[str, str | None]) -> None:
        """Leave nothing but the datasets of a tenant -> the mode whose manifest loaded it, None for empty tables."""
        self.staging.clear()
        for slug, mode in loaded.items():
            self.lanes[slug].put_back(mode)
