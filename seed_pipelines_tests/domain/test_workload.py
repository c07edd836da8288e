"""What a run does, piece by piece, and what is expected of its Parquet files."""

from decimal import Decimal

import pytest

from seed_pipelines.domain.cost_model import CostModels, Work
from seed_pipelines.domain.masking import Masker, fields_of
from seed_pipelines.domain.masking_keys import masking_keys
from seed_pipelines.domain.plan import Plan
from seed_pipelines.domain.workload import Piece, Workload, estimated_bytes
from seed_pipelines.seeding.generation import generate
from seed_pipelines_tests.fakes import FakeKeys
from seed_pipelines_tests.worlds import GENERATED, World, catalogue, manifest, manifest_of_every_entity


def nothing(size_bytes: int) -> int:
    del size_bytes
    return 0


def test_the_pieces_of_a_run() -> None:
    """Keys once, every entity of every shard that has rows of it, then every shard as a whole."""
    small = catalogue(rows_per_shard=4_096)
    plan = Plan.of(manifest_of_every_entity(5_000, in_catalogue=small), small)
    pieces = Workload.of(plan, nothing).pieces
    assert len(plan.shards) == 2
    generated = {piece: work.rows for piece, work in pieces.items() if piece.kind == "generate"}
    assert generated == {
        Piece("generate", shard.key, name): rows for shard in plan.shards for name, rows in shard.rows.items()
    }
    assert Piece("generate", plan.shards[1].key, "tenant_users") not in pieces
    loaded = {piece.shard: work for piece, work in pieces.items() if piece.kind == "load"}
    assert loaded == {shard.key: Work(rows=shard.total_rows) for shard in plan.shards}
    assert pieces[Piece("masking_keys", plan.shards[0].key)] == Work(requests=len(fields_of(plan.entities)))
    assert len({piece.name for piece in pieces}) == len(pieces) == len(generated) + 3


def test_modes_that_call_stubs_do_so_for_each_shard_with_a_sample() -> None:
    """Four requests for each customer of it; other modes call none."""
    small = catalogue(rows_per_shard=4_096)
    called = manifest_of_every_entity(
        5_000,
        in_catalogue=small,
        mode="carga",
        ttl={"carga_days": 1},
        budget={"cost_cap_brl": 100, "error_budget_pct": 1},
    )
    plan = Plan.of(called, small)
    pieces = Workload.of(plan, nothing).pieces
    calls = {piece.shard: work.requests for piece, work in pieces.items() if piece.kind == "call"}
    assert set(calls) == set(plan.shard_keys)
    assert sum(calls.values()) == 4 * 50


def test_a_run_costs_what_its_pieces_cost() -> None:
    """Each is rounded by itself, as in the ledger; every file of a bucket has its requests."""
    plan = Plan.of(manifest(), catalogue())
    work = Workload.of(plan, lambda size_bytes: 3 + 0 * size_bytes)
    model = CostModels.packaged().model()
    assert work.total.rows == 2 * plan.total_rows
    assert work.total.requests == len(fields_of(plan.entities)) + 3 * len(plan.entities)
    assert work.cost(model) == sum((model.cost(piece) for piece in work.pieces.values()), Decimal(0))


@pytest.mark.parametrize("customers", [20, 500, 3_000])
def test_sizes_of_files_are_estimated(world: World, customers: int) -> None:
    """Within a fifth or 2,500 bytes of what is written, for every entity, in a file of few rows and of many."""
    plan = Plan.of(manifest_of_every_entity(customers, in_catalogue=world.catalogue), world.catalogue)
    generation = _Made(plan, Masker(masking_keys(FakeKeys(), plan)), world)
    for entity in GENERATED:
        file = generate(generation, entity, plan.shards[0])
        assert estimated_bytes(entity.name, file.rows) == pytest.approx(file.size_bytes, rel=0.2, abs=2_500), (
            entity.name
        )


class _Made:
    def __init__(self, plan: Plan, masker: Masker, world: World) -> None:
        self.plan, self.masker, self.row_files = plan, masker, world.services.row_files


def test_every_entity_has_been_measured() -> None:
    """A row more is never a smaller file."""
    for entity in GENERATED:
        assert estimated_bytes(entity.name, 100_001) > estimated_bytes(entity.name, 100_000) >= 0
