"""Generating in two processes against one: what a second worker brings where PostgreSQL is not the limit."""

import multiprocessing
import tempfile
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Final

from seed_pipelines.domain.plan import Plan
from seed_pipelines.seeding.generation import generate
from seed_pipelines_tests.benchmarks.generation import Bench
from seed_pipelines_tests.benchmarks.measurement import Against, Measurement, shortest
from seed_pipelines_tests.worlds import catalogue, manifest

_CUSTOMERS: Final = 393_216
"""Sixteen shards: a lap of a second, and the same work for each of two processes."""
_ONE: Final = "one process: generate, mask, Parquet, digest"
_TWO: Final = "two processes, half of the shards each"
_MOST_SECONDS: Final = 300.0


def measure() -> Iterator[Measurement]:
    """One process, then two, each warmed up before the clock starts."""
    rows = _plan().total_rows
    yield Measurement(_ONE, rows, _seconds(1))
    yield Measurement(_TWO, rows, _seconds(2), (Against(_ONE, 1.8),))


def _seconds(processes: int) -> float:
    """From the moment that all are ready to the moment that all are done; BrokenBarrierError if one fails."""
    spawned = multiprocessing.get_context("spawn")
    barrier = spawned.Barrier(processes + 1, timeout=_MOST_SECONDS)
    with tempfile.TemporaryDirectory() as directory:
        workers = [
            spawned.Process(target=_work, args=(number, processes, directory, barrier)) for number in range(processes)
        ]
        for worker in workers:
            worker.start()
        try:
            return shortest_between(barrier)
        finally:
            for worker in workers:
                worker.join(_MOST_SECONDS)


def shortest_between(barrier: Barrier) -> float:
    """Seconds between the start and the end that the barrier marks."""
    barrier.wait()
    return shortest(lambda: (barrier.wait(), barrier.wait()))


def _work(number: int, processes: int, directory: str, barrier: Barrier) -> None:
    try:
        bench = Bench.of(_plan(), Path(directory))
        barrier.wait()
        shortest(lambda: _lap(bench, number, processes, barrier))
    except BaseException:
        barrier.abort()
        raise


def _lap(bench: Bench, number: int, processes: int, barrier: Barrier) -> None:
    barrier.wait()
    for shard in bench.plan.shards[number::processes]:
        for entity in bench.plan.entities_of(shard):
            generate(bench, entity, shard)
    barrier.wait()


def _plan() -> Plan:
    limits = catalogue()
    return Plan.of(manifest(_CUSTOMERS, _CUSTOMERS * 6 // 5, in_catalogue=limits), limits)
