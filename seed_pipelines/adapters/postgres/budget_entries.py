"""The ledger of what seed runs did and cost; entries are added and never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal
from typing import Final
from uuid import UUID

from psycopg import sql

from seed_pipelines.adapters.postgres.database import Connection, Database
from seed_pipelines.adapters.postgres.leases import Lease, hold_token
from seed_pipelines.domain.duration import PastWork

_MOST_PAST_PIECES: Final = 2_000
_MOST_PAST_RUNS: Final = 20

_PAST_PIECES: Final = """
SELECT kind, entity, rows, seconds, recorded_at
FROM seed.budget_entry JOIN seed.seed_run USING (tenant_id, seed_run_id)
WHERE environment = %(environment)s AND rows > 0 AND seconds > 0
ORDER BY recorded_at DESC LIMIT %(pieces)s
"""
_PAST_CHECKS: Final = """
SELECT 'check', '', (SELECT sum(value::bigint) FROM jsonb_each_text(report -> 'rows'))::bigint,
    (report ->> 'check_seconds')::numeric, recorded_at
FROM seed.shard_report JOIN seed.seed_run USING (tenant_id, seed_run_id)
WHERE environment = %(environment)s AND (report ->> 'check_seconds')::numeric > 0
ORDER BY recorded_at DESC LIMIT %(pieces)s
"""
_PAST_REMAINDERS: Final = """
SELECT 'remainder', '', 0, greatest(0, extract(epoch FROM ended_at - started_at)
    - (SELECT sum(seconds) FROM seed.budget_entry AS piece WHERE piece.seed_run_id = run.seed_run_id)
    - (SELECT coalesce(sum((report ->> 'check_seconds')::numeric), 0) FROM seed.shard_report AS checked
        WHERE checked.seed_run_id = run.seed_run_id)), ended_at
FROM seed.seed_run AS run
WHERE environment = %(environment)s AND status = 'succeeded'
    AND EXISTS (SELECT FROM seed.budget_entry AS piece WHERE piece.seed_run_id = run.seed_run_id AND kind = 'load')
ORDER BY ended_at DESC LIMIT %(runs)s
"""


@dataclass(frozen=True)
class BudgetEntry:
    """A piece of work that a seed run did, and its cost."""

    piece: str
    kind: str
    entity: str
    shard_key: str
    rows: int
    requests: int
    bytes_written: int
    seconds: Decimal
    cost_brl: Decimal
    cost_model_version: str


_WRITTEN: Final = tuple(written.name for written in fields(BudgetEntry))


@dataclass(frozen=True)
class Spending:
    """What a seed run has paid for so far."""

    cost_brl: Decimal
    pieces: frozenset[str]
    """The names of its pieces."""
    by_kind: Mapping[str, Decimal] = field(default_factory=dict, compare=False)
    """Kind of work -> its part of the cost."""


@dataclass(frozen=True)
class WorkDone:
    """What a seed run did of one kind, over all its shards."""

    kind: str
    entity: str
    """Empty for work on all entities."""
    shards: int
    rows: int
    seconds: float


class BudgetLedger:
    """The ledger of one database."""

    def __init__(self, control: Database) -> None:
        self._control = control

    def spending(self, seed_run_id: UUID) -> Spending:
        """What a seed run has paid for so far."""
        with self._control.connection() as connection:
            return _spending(connection, seed_run_id)

    def add(self, lease: Lease, entry: BudgetEntry) -> Spending:
        """Add an entry to the seed run that holds the lease, once; what the run has paid for then.

        A piece that is there already is left as it is. LeaseLost if the token is no longer the current one.
        """
        names = sql.SQL(", ").join(map(sql.Identifier, _WRITTEN))
        values = sql.SQL(", ").join(map(sql.Placeholder, _WRITTEN))
        statement = sql.SQL(
            "INSERT INTO seed.budget_entry (tenant_id, seed_run_id, fencing_token, {names})"
            " VALUES (%(tenant_id)s, %(seed_run_id)s, %(token)s, {values})"
            " ON CONFLICT (tenant_id, seed_run_id, piece) DO NOTHING"
        ).format(names=names, values=values)
        held_by = {"tenant_id": lease.tenant_id, "seed_run_id": lease.seed_run_id, "token": lease.token}
        with self._control.connection() as connection:
            hold_token(connection, lease)
            connection.execute(statement, {**asdict(entry), **held_by})
            return _spending(connection, lease.seed_run_id)

    def work_done(self, seed_run_id: UUID) -> tuple[WorkDone, ...]:
        """What a seed run did so far, in the order in which it began with each."""
        with self._control.connection() as connection:
            found = connection.execute(
                "SELECT kind, entity, count(DISTINCT shard_key), sum(rows), sum(seconds) FROM seed.budget_entry"
                " WHERE seed_run_id = %s GROUP BY kind, entity ORDER BY min(recorded_at), kind, entity",
                [seed_run_id],
            )
            return tuple(
                WorkDone(kind, entity, shards, int(rows), float(took)) for kind, entity, shards, rows, took in found
            )

    def past_work(self, environment: str) -> Sequence[PastWork]:
        """How long the newest pieces of work of all tenants took, and what else their runs took."""
        wanted = {"environment": environment, "pieces": _MOST_PAST_PIECES, "runs": _MOST_PAST_RUNS}
        with self._control.connection() as connection:
            return [
                PastWork(kind, entity, int(rows), float(seconds), at)
                for query in (_PAST_PIECES, _PAST_CHECKS, _PAST_REMAINDERS)
                for kind, entity, rows, seconds, at in connection.execute(query.encode(), wanted)
            ]


def _spending(connection: Connection, seed_run_id: UUID) -> Spending:
    found = connection.execute(
        "SELECT piece, kind, cost_brl FROM seed.budget_entry WHERE seed_run_id = %s ORDER BY kind", [seed_run_id]
    ).fetchall()
    by_kind: dict[str, Decimal] = {}
    for _, kind, cost in found:
        by_kind[kind] = by_kind.get(kind, Decimal(0)) + cost
    return Spending(sum(by_kind.values(), Decimal(0)), frozenset(piece for piece, _, _ in found), by_kind)
