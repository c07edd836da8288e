"""One tenant whose runs are disturbed: what an undisturbed run leaves, what is there, and how to put it back."""

import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

from psycopg import sql

from seed_pipelines.adapters.manifest_files import load_file
from seed_pipelines.adapters.postgres.entity_table import seeded_range, uuids
from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.plan import Plan, Shard
from seed_pipelines_tests.chaos.draw import LEASE, MODES, START, TENANTS
from seed_pipelines_tests.e2e.seeding.staging import (
    OVERRIDE,
    TENANT_A,
    TENANT_B,
    Staging,
    finish,
    volumetry,
    write_manifest,
)
from seed_pipelines_tests.manifest_examples import example

CUSTOMERS: Final = 9_000
ACCOUNTS: Final = 9_900
SHARDS: Final = 3
LEASE_SECONDS: Final = 2
RESTORED: Final = ("seed.seed_run", "banking.customer", "banking.bank_account", "seed.shard_checkpoint")
"""Tables that a loaded dataset is in, parents first."""
_RECORDS: Final = ("seed.shard_report", "seed.budget_entry", "seed.idempotency_key")
"""Tables that runs leave something else in."""

_IDS: Final = dict(zip(TENANTS, (TENANT_A, TENANT_B), strict=True))
_MEMBERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "baseline": {"ttl": {"baseline_days": 1}},
    "carga": {"ttl": {"carga_days": 1}, "budget": {"cost_cap_brl": 10, "error_budget_pct": 1}},
}
_SHARD_STATE: Final = """
SELECT {shard}::text,
    (SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, E'\\n' ORDER BY id)), '') FROM banking.customer AS t
     WHERE tenant_id = {tenant} AND {ids}),
    (SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, E'\\n' ORDER BY id)), '') FROM banking.bank_account AS t
     WHERE tenant_id = {tenant} AND {ids}),
    (SELECT manifest_hash || ' ' || (rows->>'customers') || ' ' || (rows->>'bank_accounts')
     FROM seed.shard_checkpoint WHERE tenant_id = {tenant} AND shard_key = {shard})
"""


@dataclass(frozen=True)
class ShardState:
    """What is in the database of a shard, in one snapshot."""

    shard: str
    customers: str
    """How many, and a digest of every value."""
    accounts: str
    checkpoint: str | None
    """The manifest's hash and how many rows it says there are."""


@dataclass(frozen=True)
class Loaded:
    """What an undisturbed run over empty tables leaves."""

    tables: Mapping[str, bytes]
    """The tenant's rows, as COPY writes them."""
    files: Path
    shards: tuple[ShardState, ...]
    seconds: Mapping[str, float]
    """Boundary -> how long the work after it took."""


@dataclass
class Lane:
    """One tenant whose runs are disturbed."""

    staging: Staging
    slug: str
    folder: Path
    loaded: dict[str, Loaded] = field(default_factory=dict)
    """Mode -> what a run of its manifest leaves."""

    @property
    def tenant(self) -> UUID:
        """The tenant's id."""
        return _IDS[self.slug]

    @property
    def catalogue(self) -> Path:
        """A catalogue of small shards."""
        return self.folder / "catalogue.json"

    @cached_property
    def manifests(self) -> Mapping[str, Path]:
        """Mode -> manifest; the rows are the same."""
        return {
            mode: write_manifest(
                self.folder / f"{self.slug}.{mode}.json",
                metadata={**example()["metadata"], "tenant": self.slug},
                mode=mode,
                volumetry=volumetry(CUSTOMERS, ACCOUNTS),
                backoff={"base_seconds": 0.2, "jitter_factor": 0.5, "max_retries": 2, "max_interval_seconds": 1},
                **_MEMBERS[mode],
            )
            for mode in MODES
        }

    @cached_property
    def shards(self) -> tuple[Shard, ...]:
        """The shards of the dataset, whichever manifest it is loaded by."""
        catalogue = Catalogue.from_json(self.catalogue.read_bytes())
        return Plan.of(load_file(self.manifests["baseline"], catalogue, ENTITIES).manifest, catalogue).shards

    def start(self, mode: str, key: str, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """A run of a manifest under a key."""
        return self.staging.start(
            "--manifest-path",
            self.manifests[mode],
            *("--idempotency-key", key, *OVERRIDE, *arguments),
            tenant=self.tenant,
            SEED_CATALOGUE_FILE=str(self.catalogue),
            SEED_LEASE_TTL_SECONDS=str(LEASE_SECONDS),
            **variables,
        )

    def load(self) -> None:
        """Seed each mode's manifest over empty tables, and keep what that leaves."""
        for mode in MODES:
            self.loaded[mode] = self._undisturbed(mode)
        baseline, carga = ([(s.customers, s.accounts) for s in self.loaded[mode].shards] for mode in MODES)
        assert baseline == carga, "the mode changed the rows"

    def state(self) -> tuple[ShardState, ...]:
        """What is loaded of each shard, in one snapshot."""
        queries = [
            sql.SQL(_SHARD_STATE).format(
                shard=sql.Literal(shard.key), tenant=sql.Literal(self.tenant), ids=seeded_range(*uuids(shard.ids))
            )
            for shard in self.shards
        ]
        with self.staging.superuser() as connection:
            return tuple(ShardState(*row) for row in connection.execute(sql.SQL(" UNION ALL ").join(queries)))

    def empty_state(self) -> tuple[ShardState, ...]:
        """What `state` gives for empty tables."""
        return tuple(ShardState(shard.key, "0 ", "0 ", None) for shard in self.shards)

    def totals(self) -> tuple[int, ...]:
        """All customers and bank accounts of the tenant, whatever their ids."""
        with self.staging.superuser() as connection:
            return (
                connection.execute(
                    "SELECT (SELECT count(*) FROM banking.customer WHERE tenant_id = %(tenant)s),"
                    " (SELECT count(*) FROM banking.bank_account WHERE tenant_id = %(tenant)s)",
                    {"tenant": self.tenant},
                ).fetchone()
                or ()
            )

    def written(self) -> tuple[object, ...]:
        """The tenant's rows, which transactions wrote them, and its files; equal only if nothing was written in between."""
        rows = []
        with self.staging.superuser() as connection:
            for table in RESTORED[1:]:
                query = sql.SQL(
                    "SELECT md5(string_agg(xmin::text || t::text, '' ORDER BY t::text)) FROM {} AS t WHERE {}"
                )
                rows.append(connection.execute(query.format(_named(table), self._of_tenant)).fetchone())
        paths = sorted(path for path in self.files.rglob("*") if path.is_file())
        return (*rows, *((path, path.stat().st_size, path.stat().st_mtime_ns) for path in paths))

    @property
    def files(self) -> Path:
        """The directory of the tenant's Parquet files."""
        return self.staging.data_dir / "staging" / self.slug

    def put_back(self, mode: str | None) -> None:
        """Make the database and the data directory, which have nothing of the tenant, as a run of a mode's manifest left them."""
        if mode is None:
            return
        before = self.loaded[mode]
        shutil.copytree(before.files, self.files)
        with self.staging.superuser() as connection:
            for table, content in before.tables.items():
                statement = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(_named(table))
                with connection.cursor().copy(statement) as copy:
                    copy.write(content)

    def emptied(self) -> None:
        """Take away what runs of the tenant left, and nothing of others."""
        shutil.rmtree(self.files)
        with self.staging.superuser() as connection:
            for table in (*_RECORDS, *reversed(RESTORED)):
                connection.execute(sql.SQL("DELETE FROM {} WHERE {}").format(_named(table), self._of_tenant))

    def _undisturbed(self, mode: str) -> Loaded:
        started = time.monotonic()
        process = self.start(mode, f"undisturbed-{uuid4()}")
        if process.stdout is None:
            raise AssertionError(process)
        assert any(line.startswith("dagster_run_id=") for line in process.stdout)
        held = time.monotonic()
        done = finish(process)
        ended = time.monotonic()
        assert done.exit_code == 0, done.stderr
        assert len(self.shards) == SHARDS
        assert self.totals() == (CUSTOMERS, ACCOUNTS)
        kept = self.folder / f"{self.slug}.{mode}"
        shutil.copytree(self.files, kept)
        loaded = Loaded(self._copied(), kept, self.state(), {START: ended - started, LEASE: ended - held})
        self.emptied()
        return loaded

    @property
    def _of_tenant(self) -> sql.Composable:
        return sql.SQL("tenant_id = {}").format(sql.Literal(self.tenant))

    def _copied(self) -> Mapping[str, bytes]:
        found = {}
        with self.staging.superuser() as connection:
            for table in RESTORED:
                statement = sql.SQL("COPY (SELECT * FROM {} WHERE {}) TO STDOUT (FORMAT binary)")
                with connection.cursor().copy(statement.format(_named(table), self._of_tenant)) as copy:
                    found[table] = b"".join(bytes(part) for part in copy)
        return found


def _named(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))
