"""`python -m seed_pipelines_tests.benchmarks`: one table, from a local stack that is removed afterwards."""

import os
import tempfile
from pathlib import Path

import click
from rich.console import Console

from seed_pipelines_tests.benchmarks import database, generation, processes
from seed_pipelines_tests.benchmarks.large_dataset import LargeDataset
from seed_pipelines_tests.benchmarks.measurement import Measurement, machine, print_table
from seed_pipelines_tests.e2e.conftest import running_stack

QUICK_CUSTOMERS = 20_000
_WIDTH = 200


@click.command()
@click.option("--customers", default=200_000, show_default=True, type=click.IntRange(min=5))
@click.option("--quick", is_flag=True, help=f"The same as --customers {QUICK_CUSTOMERS}.")
def benchmarks(customers: int, quick: bool) -> None:
    """Measure every stage with so many customers, and six bank accounts for five of them."""
    dataset_customers = QUICK_CUSTOMERS if quick else customers
    with tempfile.TemporaryDirectory() as directory:
        dataset = LargeDataset(Path(directory), dataset_customers)
        dataset.write(database.STAGED, database.WHOLE)
        measurements = _measure(dataset)
    title = f"{dataset_customers:,} customers, {dataset.bank_accounts:,} bank accounts; {machine()}"
    print_table(title, measurements, Console(width=_WIDTH))


def _measure(dataset: LargeDataset) -> list[Measurement]:
    bench = generation.Bench.of(database.plan_of(dataset), dataset.directory / "files")
    measurements = [*generation.measure(bench), *processes.measure()]
    with running_stack(dataset.manifests) as stack:
        os.environ.update(stack.environment)
        measurements += database.measure(stack, dataset)
    return measurements


if __name__ == "__main__":
    benchmarks()
