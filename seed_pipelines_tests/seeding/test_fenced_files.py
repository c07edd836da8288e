"""Row files of a run that another took over from."""

from pathlib import Path

import pytest

from seed_pipelines.errors import LeaseLost
from seed_pipelines.seeding.generation import generate
from seed_pipelines.seeding.seed_run import enter
from seed_pipelines_tests.worlds import World


def test_a_run_that_lost_its_lease_leaves_the_file_of_the_one_that_took_over(world: World) -> None:
    """It stood still in the middle of an entity, and is told so before it stores anything."""
    stood_still = enter(world.services, world.request())
    world.finished.add(stood_still.run.origin)
    next_one = enter(world.services, world.request(origin="run-2"))
    entity, shard = next_one.plan.entities[0], next_one.plan.shards[0]
    file = generate(next_one, entity, shard)
    stored = Path(file.uri).stat().st_mtime_ns
    with pytest.raises(LeaseLost):
        generate(stood_still, entity, shard)
    assert Path(file.uri).stat().st_mtime_ns == stored
    assert not list(world.directory.rglob("*.partial"))
