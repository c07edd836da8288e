"""What a run of a manifest would do and cost, as `seed-data plan` shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final

from rich.table import Table

from seed_pipelines.domain import window
from seed_pipelines.domain.cost_model import CostModel, Work
from seed_pipelines.domain.duration import Duration, PastWork, estimate
from seed_pipelines.domain.plan import Plan
from seed_pipelines.domain.workload import PieceKind, Workload, WriteRequests

_SHOWN_SHARDS: Final = 20
_FAR: Final = 3
"""Times the size of past work from which an estimate is said to be stretched."""
_HUNDREDTH: Final = Decimal("0.01")
_WORDS: Final[Mapping[PieceKind, str]] = {
    "masking_keys": "ask Vault Transit for the masking keys",
    "generate": "generate and mask, into Parquet files",
    "load": "load into PostgreSQL",
    "call": "call the stubs of the outside systems",
}


@dataclass(frozen=True)
class Forecast:
    """What a run would do where nothing is loaded yet, and what that costs."""

    plan: Plan
    workload: Workload
    model: CostModel
    now: datetime
    duration: Duration | str
    """Why it is not known, where it is not."""

    @classmethod
    def of(
        cls,
        plan: Plan,
        model: CostModel,
        write_requests: WriteRequests,
        now: datetime,
        past: Sequence[PastWork] | str,
    ) -> "Forecast":
        """The forecast of a plan by a cost model; `write_requests` are those of the place of the Parquet files.

        `past` is the work of the environment's past runs, or why it is not known.
        """
        workload = Workload.of(plan, write_requests)
        duration = f"unknown: {past}" if isinstance(past, str) else estimate(workload, past)
        return cls(plan, workload, model, now, duration)

    @property
    def cost_cap(self) -> Decimal | None:
        """Most that the run may cost, in reais; None where the manifest sets no cap."""
        budget = self.plan.manifest.budget
        return None if budget is None else budget.cost_cap_brl

    def as_dict(self) -> dict[str, Any]:
        """The forecast as JSON; amounts of money are decimal numbers as text."""
        plan = self.plan
        return {
            **self._facts(),
            "rows": dict(plan.rows),
            "total_rows": plan.total_rows,
            "shards": [
                {"shard": shard.key, "first_customer": shard.first_customer, "rows": dict(shard.rows)}
                for shard in plan.shards
            ],
            "requests": self._requests(),
            "estimated_bytes": self.workload.total.bytes_written,
            "cost": self._cost(),
            "duration": self._duration(),
        }

    def tables(self) -> tuple[Table, ...]:
        """The forecast for people."""
        return self._summary(), self._work(), self._entities(), self._shards()

    def _facts(self) -> dict[str, Any]:
        plan, manifest = self.plan, self.plan.manifest
        return {
            "tenant": plan.dataset.tenant,
            "environment": plan.dataset.environment,
            "profile": plan.dataset.profile,
            "mode": manifest.mode,
            "manifest_hash": manifest.integrity.manifest_hash,
            "window": f"{manifest.window.start_utc:%H:%M} to {manifest.window.end_utc:%H:%M} UTC",
            "window_open_now": window.contains(manifest.window, self.now),
            "window_opens_next_at": window.next_opening(manifest.window, self.now).isoformat(),
        }

    def _requests(self) -> dict[str, int]:
        return {
            "vault_transit": self._of_kind("masking_keys").requests,
            "parquet_files": self._of_kind("generate").requests,
            "application_stubs": self._of_kind("call").requests,
        }

    def _cost(self) -> dict[str, Any]:
        total, cap = self.workload.cost(self.model), self.cost_cap
        return {
            "model": self.model.version,
            "total_brl": str(total),
            "cap_brl": None if cap is None else str(cap),
            "share_of_cap_pct": None if not cap else str(_share(total, cap)),
            "within_cap": cap is None or total <= cap,
        }

    def _duration(self) -> dict[str, Any]:
        known = self.duration
        if isinstance(known, str):
            return {"seconds": None, "unknown_because": known.removeprefix("unknown: ")}
        return {
            "seconds": round(known.seconds, 1),
            "past_pieces": known.past_pieces,
            "newest_past_piece_at": known.newest.isoformat(),
            "most_stretched": round(known.most_stretched, 1),
        }

    def _of_kind(self, kind: PieceKind) -> Work:
        return sum((work for _, work in self.workload.of_kind(kind)), Work())

    def _summary(self) -> Table:
        table = Table(title="plan", show_header=False, title_justify="left")
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        total, cap = self.workload.cost(self.model), self.cost_cap
        for name, value in self._facts().items():
            table.add_row(name, str(value))
        table.add_row("total_rows", f"{self.plan.total_rows:,}")
        table.add_row("cost", f"{total} BRL by cost model {self.model.version}{_against(total, cap)}")
        table.add_row("duration", _in_words(self.duration))
        return table

    def _work(self) -> Table:
        title = "work, where nothing is loaded yet (bytes are estimated from measured sizes of rows)"
        table = Table("what", "pieces", "rows", "requests", "bytes", "BRL", title=title, title_justify="left")
        for kind, words in _WORDS.items():
            pieces = list(self.workload.of_kind(kind))
            cost = sum((self.model.cost(work) for _, work in pieces), Decimal(0))
            table.add_row(words, f"{len(pieces):,}", *_counts(self._of_kind(kind)), str(cost))
        table.add_section()
        total = self.workload
        table.add_row("all", f"{len(total.pieces):,}", *_counts(total.total), str(total.cost(self.model)))
        return table

    def _entities(self) -> Table:
        table = Table("entity", "rows", "hangs on", "masked", title="rows per entity", title_justify="left")
        for entity in self.plan.entities:
            parent = "the tenant" if entity.of_tenant else entity.parent.name if entity.parent else ""
            table.add_row(entity.name, f"{self.plan.rows[entity.name]:,}", parent, ", ".join(entity.pii_columns))
        return table

    def _shards(self) -> Table:
        shards = self.plan.shards
        table = Table("shard", "customer indices", "rows of all entities", title="rows per shard", title_justify="left")
        for shard in shards[:_SHOWN_SHARDS]:
            customers = f"{shard.first_customer:,} to {shard.end_customer - 1:,}"
            table.add_row(shard.key, customers, f"{shard.total_rows:,}")
        if len(shards) > _SHOWN_SHARDS:
            table.add_row("...", f"{len(shards) - _SHOWN_SHARDS:,} shards more")
        table.add_section()
        table.add_row("all", "", f"{self.plan.total_rows:,}")
        return table


def _in_words(duration: Duration | str) -> str:
    if isinstance(duration, str):
        return duration
    stretched = ""
    if duration.most_stretched > _FAR:
        stretched = f"; the plan's pieces are up to {duration.most_stretched:,.0f} times as large as those"
    return (
        f"about {duration.seconds:,.1f} s, by {duration.past_pieces:,} pieces of past runs in this environment, "
        f"the newest of {duration.newest:%Y-%m-%dT%H:%MZ}{stretched}"
    )


def _counts(work: Work) -> tuple[str, str, str]:
    return f"{work.rows:,}", f"{work.requests:,}", f"{work.bytes_written:,}"


def _share(total: Decimal, cap: Decimal) -> Decimal:
    return (100 * total / cap).quantize(_HUNDREDTH, rounding=ROUND_CEILING)


def _against(total: Decimal, cap: Decimal | None) -> str:
    if cap is None:
        return "; the manifest sets no cap"
    if total > cap:
        return f", MORE than the cap of {cap} BRL: the run would be refused (budget_exceeded)"
    share = f"{_share(total, cap)} % of" if cap else "within"
    return f", {share} the cap of {cap} BRL"
