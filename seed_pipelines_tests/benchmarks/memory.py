"""`python -m seed_pipelines_tests.benchmarks.memory`: the peak memory of generating a million customers, and ten times as many.

Each size in a process of its own, with its bank accounts, Parquet files and digests; the files are removed shard by shard.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import click
from rich.console import Console
from rich.table import Table

from seed_pipelines.domain.plan import Plan
from seed_pipelines.seeding.generation import generate
from seed_pipelines_tests.benchmarks.generation import Bench
from seed_pipelines_tests.benchmarks.measurement import machine
from seed_pipelines_tests.worlds import catalogue, manifest

_MEBIBYTE = 1 << 20
_BYTES_OF_MAXRSS = 1 if sys.platform == "darwin" else 1024


@click.command()
@click.option("--customers", default=1_000_000, show_default=True, type=click.IntRange(min=5))
@click.option("--alone", is_flag=True, hidden=True, help="Generate, and print the seconds and the peak in bytes.")
def memory(customers: int, alone: bool) -> None:
    """Measure so many customers, and ten times as many."""
    if alone:
        click.echo(f"{_seconds(customers)} {getrusage(RUSAGE_SELF).ru_maxrss * _BYTES_OF_MAXRSS}")
        return
    table = Table("customers", "customers/s", "peak memory, MiB", "ratio", title=machine(), title_justify="left")
    first = 0.0
    for size in (customers, 10 * customers):
        command = [sys.executable, "-m", __spec__.name if __spec__ else "", "--alone", "--customers", str(size)]
        seconds, peak = map(float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
        first = first or peak
        table.add_row(f"{size:,}", f"{size / seconds:,.0f}", f"{peak / _MEBIBYTE:,.0f}", f"{peak / first:.3f}")
    Console().print(table)


def _seconds(customers: int) -> float:
    limits = catalogue(caps=1_000_000_000)
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench.of(Plan.of(manifest(customers, customers * 6 // 5, in_catalogue=limits), limits), Path(directory))
        started = time.perf_counter()
        for shard in bench.plan.shards:
            for entity in bench.plan.entities_of(shard):
                Path(generate(bench, entity, shard).uri).unlink()
        return time.perf_counter() - started


if __name__ == "__main__":
    memory()
