"""What a run of a plan does, piece by piece, and what that is expected to cost before anything is done."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.cost_model import CostModel, Work
from seed_pipelines.domain.integration_calls import CALLED, CALLING_MODES, sampled_customers
from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.domain.masking import fields_of
from seed_pipelines.domain.plan import Plan, Shard
from seed_pipelines.domain.portfolio import CUSTOMERS

PieceKind = Literal["masking_keys", "generate", "load", "call"]

WriteRequests = Callable[[int], int]
"""Bytes of a file -> requests that storing it makes."""

_SIZES: Final = "data/parquet-sizes.v1.json"


@dataclass(frozen=True)
class Piece:
    """A piece of work that is done, and paid for, as a whole."""

    kind: PieceKind
    shard: str
    entity: str = ""
    """What is generated; empty for work on all entities."""

    @property
    def name(self) -> str:
        """What it is called in the ledger: unique in a seed run."""
        return "/".join(part for part in (self.kind, self.entity, self.shard) if part)


@dataclass(frozen=True)
class Workload:
    """All that a run of a plan does where nothing is loaded yet."""

    pieces: Mapping[Piece, Work]

    @classmethod
    def of(cls, plan: Plan, write_requests: WriteRequests) -> "Workload":
        """The pieces of one Dagster run over every shard, in order; the bytes of its Parquet files are estimated."""
        found: dict[Piece, Work] = {keys_piece(plan.shards[0]): keys_work(plan)}
        for entity in plan.entities:
            for shard in plan.shards:
                if entity.name in shard.rows:
                    found[Piece("generate", shard.key, entity.name)] = generation_work(
                        entity.name, shard.rows[entity.name], write_requests
                    )
        for shard in plan.shards:
            found[load_piece(shard)] = Work(rows=shard.total_rows)
        calls = ((shard, calls_work(plan, shard)) for shard in plan.shards)
        return cls(found | {call_piece(shard): work for shard, work in calls if work.requests})

    @property
    def total(self) -> Work:
        """The pieces together."""
        return sum(self.pieces.values(), Work())

    def of_kind(self, kind: PieceKind) -> Iterator[tuple[Piece, Work]]:
        """The pieces of one kind, in order."""
        return ((piece, work) for piece, work in self.pieces.items() if piece.kind == kind)

    def cost(self, model: CostModel) -> Decimal:
        """What the pieces cost together, in reais: each is rounded up by itself, as in the ledger."""
        return sum((model.cost(work) for work in self.pieces.values()), Decimal(0))


def cost_model_of(manifest: Manifest, catalogue: Catalogue) -> CostModel:
    """The prices that a valid manifest is reckoned by: those that its budget names, or the newest ones."""
    return catalogue.cost_models.model(None if manifest.budget is None else manifest.budget.cost_model_version)


def keys_piece(shard: Shard) -> Piece:
    """Asking for the masking keys, which a Dagster run does once, whatever its shards; it goes by the first of them."""
    return Piece("masking_keys", shard.key)


def load_piece(shard: Shard) -> Piece:
    """Loading a shard."""
    return Piece("load", shard.key)


def call_piece(shard: Shard) -> Piece:
    """Calling the stubs about the customers of a shard."""
    return Piece("call", shard.key)


def calls_work(plan: Plan, shard: Shard) -> Work:
    """The most requests to stubs that a run makes about a shard if none is repeated; none in modes that call none."""
    if plan.manifest.mode not in CALLING_MODES:
        return Work()
    sampled = sampled_customers(plan.rows[CUSTOMERS], shard.first_customer, shard.end_customer)
    return Work(requests=len(sampled) * len(CALLED))


def keys_work(plan: Plan) -> Work:
    """One HMAC request to Vault Transit for each masked field."""
    return Work(requests=len(fields_of(plan.entities)))


def generation_work(entity: str, rows: int, write_requests: WriteRequests) -> Work:
    """What generating so many rows of an entity into one file is expected to take."""
    size = estimated_bytes(entity, rows)
    return Work(rows, write_requests(size), size)


def estimated_bytes(entity: str, rows: int) -> int:
    """Bytes of a Parquet file of so many rows, by constants that were measured (scripts/measure_parquet_sizes.py)."""
    measured = _sizes()[entity]
    return measured["file"] + measured["thousand_rows"] * rows // 1000


@cache
def _sizes() -> Mapping[str, Mapping[str, int]]:
    found: Mapping[str, Mapping[str, int]] = json.loads(files("seed_pipelines.domain").joinpath(_SIZES).read_bytes())
    return found
