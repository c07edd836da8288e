"""The budget of a seed run: every piece of work is held against its cap before it is done, and charged once after it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from seed_pipelines.adapters.postgres.budget_entries import BudgetEntry, Spending
from seed_pipelines.adapters.row_files import RowFile
from seed_pipelines.domain.cost_model import CostModel, Work
from seed_pipelines.domain.entities import Entity
from seed_pipelines.domain.plan import Shard
from seed_pipelines.domain.workload import (
    Piece,
    call_piece,
    calls_work,
    cost_model_of,
    generation_work,
    keys_piece,
    keys_work,
    load_piece,
)
from seed_pipelines.errors import BudgetExceeded
from seed_pipelines.seeding.loading import ShardLoad
from seed_pipelines.seeding.run_record import RunRecord
from seed_pipelines.seeding.seed_run import Session

_WARNING_SHARE: Final = Decimal("0.8")
_MILLISECOND: Final = Decimal("0.001")


@dataclass(frozen=True)
class Expenses:
    """What a seed run has cost so far, and what it may cost."""

    cost_brl: Decimal
    cap_brl: Decimal | None
    """None where the manifest sets no cap."""
    cost_model_version: str

    @property
    def warning(self) -> str | None:
        """What to say once four fifths of the budget are spent; None before, and where there is no cap."""
        if self.cap_brl is None or self.cost_brl < _WARNING_SHARE * self.cap_brl:
            return None
        return (
            f"{self.cost_brl} of {self.cap_brl} BRL of the budget are spent; at {self.cap_brl} BRL the run is stopped."
        )

    def as_dict(self) -> dict[str, Any]:
        """The expenses as JSON; amounts are decimal numbers as text."""
        return {
            "cost_brl": str(self.cost_brl),
            "cost_cap_brl": None if self.cap_brl is None else str(self.cap_brl),
            "cost_model_version": self.cost_model_version,
        }


def expenses(record: RunRecord) -> Expenses:
    """What the seed run has cost so far."""
    return expenses_of(record, record.services.control.spending(record.run.seed_run_id))


def expenses_of(record: RunRecord, spent: Spending) -> Expenses:
    """What a seed run has cost by what was read of its ledger."""
    budget = record.manifest.budget
    cap = None if budget is None else budget.cost_cap_brl
    return Expenses(spent.cost_brl, cap, _model(record).version)


def charge_keys(session: Session, shard: Shard) -> Expenses:
    """Charge the masking keys, which a Dagster run has asked for when it begins with a shard."""
    return _charge(session, keys_piece(shard), keys_work(session.plan), 0.0)


def afford_generation(session: Session, entity: Entity, shard: Shard) -> None:
    """BudgetExceeded if generating an entity's shard is expected to cost more than is left."""
    work = generation_work(entity.name, shard.rows[entity.name], session.row_files.write_requests)
    _afford(session, Piece("generate", shard.key, entity.name), work)


def charge_generation(session: Session, entity: Entity, shard: Shard, file: RowFile, seconds: float) -> Expenses:
    """Charge an entity's shard that was generated into a file."""
    work = Work(file.rows, session.row_files.write_requests(file.size_bytes), file.size_bytes)
    return _charge(session, Piece("generate", shard.key, entity.name), work, seconds)


def afford_load(session: Session, shard: Shard) -> None:
    """BudgetExceeded if loading a shard costs more than is left."""
    _afford(session, load_piece(shard), Work(rows=shard.total_rows))


def charge_load(session: Session, shard: Shard, loaded: ShardLoad, seconds: float) -> Expenses:
    """Charge a shard that was loaded; one that an earlier run had loaded was only verified, and costs nothing."""
    work = Work(rows=shard.total_rows if loaded.by_this_run else 0)
    return _charge(session, load_piece(shard), work, seconds)


def afford_calls(session: Session, shard: Shard) -> None:
    """BudgetExceeded if calling the stubs about a shard costs more than is left."""
    _afford(session, call_piece(shard), calls_work(session.plan, shard))


def charge_calls(session: Session, shard: Shard, requests: int) -> Expenses:
    """Charge the requests to stubs about a shard, retries too; how long they took stands in a ledger of their own."""
    return _charge(session, call_piece(shard), Work(requests=requests), 0.0)


def _afford(session: Session, piece: Piece, work: Work) -> None:
    budget = session.manifest.budget
    if budget is None:
        return
    spent = session.services.control.spending(session.run.seed_run_id)
    cost = _model(session).cost(work)
    if piece.name in spent.pieces or spent.cost_brl + cost <= budget.cost_cap_brl:
        return
    raise BudgetExceeded(
        f"The run has cost {spent.cost_brl} BRL, and {piece.name} would cost about {cost} BRL more, where the manifest "
        f"allows {budget.cost_cap_brl} BRL: it was not begun. Raise budget.cost_cap_brl, or ask for fewer rows.",
        spent_brl=str(spent.cost_brl),
        needed_brl=str(cost),
        cost_cap_brl=str(budget.cost_cap_brl),
        piece=piece.name,
    )


def _charge(session: Session, piece: Piece, work: Work, seconds: float) -> Expenses:
    model = _model(session)
    entry = BudgetEntry(
        piece=piece.name,
        kind=piece.kind,
        entity=piece.entity,
        shard_key=piece.shard,
        rows=work.rows,
        requests=work.requests,
        bytes_written=work.bytes_written,
        seconds=Decimal(seconds).quantize(_MILLISECOND),
        cost_brl=model.cost(work),
        cost_model_version=model.version,
    )
    spent = expenses_of(session, session.services.control.charge(session.lease, entry))
    telemetry = session.services.telemetry
    place = {"seed.environment": session.run.environment, "seed.tenant": session.tenant.slug}
    if work.rows:
        of_entity = {"seed.entity": piece.entity} if piece.entity else {}
        telemetry.measure("seed.rows", work.rows, {**place, **of_entity, "seed.step": piece.kind})
    if spent.cap_brl:
        telemetry.measure("seed.budget.used_ratio", float(spent.cost_brl / spent.cap_brl), place)
    return spent


def _model(record: RunRecord) -> CostModel:
    return cost_model_of(record.manifest, record.services.catalogue)
