"""`python -m seed_pipelines_tests.benchmarks.api`: validating manifests over HTTP beside an endpoint that does nothing."""

import itertools
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import psutil
from rich.console import Console
from rich.table import Table

from seed_pipelines_tests.benchmarks.api_server import EMPTY, EMPTY_IN_THREAD
from seed_pipelines_tests.benchmarks.measurement import machine
from seed_pipelines_tests.e2e.api.server import TENANT_A, VALIDATE, Served, deployed_stack, open_now, served
from seed_pipelines_tests.load import k6

GOAL: Final = 0.5
_WARMING_SECONDS: Final = 1.0
_MOST_WARMING: Final = 10_000
"""Requests of a warming lap."""
_MARGIN: Final = 3
"""Times as many manifests are made as the warming lap asked for in that time."""
_SERVER: Final = (sys.executable, "-m", "seed_pipelines_tests.benchmarks.api_server")
_VARIABLES: Final = {"SEED_API_RATE_LIMIT": "10000000"}


@dataclass(frozen=True)
class Endpoint:
    """What is measured."""

    name: str
    path: str
    supply: Callable[[int], Sequence[str]]
    """At least so many manifests to be sent, or one that is sent each time."""
    goal: bool = False


@dataclass(frozen=True)
class Lap:
    """What was measured of it."""

    rate: float
    """Requests a second."""
    p50: float
    """Milliseconds that half of them took at most."""
    p99: float
    processor: float
    """Milliseconds of processor time that the server's process took for one of them."""


@click.command()
@click.option("--seconds", default=8.0, show_default=True, type=click.FloatRange(min=1), help="For each lap.")
@click.option("--laps", default=3, show_default=True, type=click.IntRange(min=1), help="The best of which counts.")
@click.option("--users", default=32, show_default=True, type=click.IntRange(min=1), help="Callers at once.")
def api(seconds: float, laps: int, users: int) -> None:
    """Measure on a local stack that is removed afterwards; every request has a key of its own."""
    manifest = open_now()
    numbers = itertools.count(1)

    def same(_: int) -> Sequence[str]:
        return (json.dumps(manifest),)

    def new(number: int) -> Sequence[str]:
        return tuple(k6.others(manifest, itertools.islice(numbers, number)))

    endpoints = (
        Endpoint("empty endpoint", EMPTY, same),
        Endpoint("empty endpoint, in a thread", EMPTY_IN_THREAD, same),
        Endpoint("validate, the same manifest each time", VALIDATE, same, goal=True),
        Endpoint("validate, a new manifest each time", VALIDATE, new, goal=True),
    )
    load, warming = k6.Load(users, seconds), k6.Load(users, _WARMING_SECONDS)
    found: dict[str, list[Lap]] = {endpoint.name: [] for endpoint in endpoints}
    with (
        tempfile.TemporaryDirectory() as folder,
        deployed_stack(Path(folder), manifest) as stack,
        served(stack, TENANT_A, program=_SERVER, **_VARIABLES) as server,
    ):
        warm = {endpoint.name: _lap(endpoint, server, warming, _MOST_WARMING) for endpoint in endpoints}
        for _ in range(laps):
            for endpoint in endpoints:
                expected = round(_MARGIN * warm[endpoint.name].rate * seconds)
                found[endpoint.name].append(_lap(endpoint, server, load, expected))
    _show(endpoints, found, f"{users} callers at once, {laps} laps of {seconds:g} s; {machine()}")


def _lap(endpoint: Endpoint, server: Served, load: k6.Load, expected: int) -> Lap:
    """RuntimeError if a request failed, or more were sent than are `expected`."""
    manifests = endpoint.supply(expected)
    process = psutil.Process(server.process_id)
    before = process.cpu_times()
    outcome = k6.run("throughput.js", server, manifests, load, endpoint.path)
    after = process.cpu_times()
    if not outcome.passed:
        raise RuntimeError(f"{endpoint.name}: {outcome.shown}")
    requests, times = outcome.metrics["http_reqs"], outcome.metrics["http_req_duration"]
    if 1 < len(manifests) < requests["count"]:
        raise RuntimeError(f"{endpoint.name}: {len(manifests):,} manifests for {requests['count']:,} requests")
    spent = after.user + after.system - before.user - before.system
    return Lap(requests["rate"], times["med"], times["p(99)"], 1_000 * spent / requests["count"])


def _show(endpoints: Sequence[Endpoint], found: Mapping[str, Sequence[Lap]], title: str) -> None:
    columns = ("endpoint", "requests/s", "p50, ms", "p99, ms", "processor, ms", "ratio", "goal", "met")
    table = Table(*columns, title=title, title_justify="left")
    best = {name: max(laps, key=lambda lap: lap.rate) for name, laps in found.items()}
    for endpoint in endpoints:
        lap = best[endpoint.name]
        ratio = lap.rate / best[endpoints[0].name].rate
        goal = (f"{GOAL}", "yes" if ratio >= GOAL else "no") if endpoint.goal else ("", "")
        numbers = (f"{lap.rate:,.0f}", *(f"{number:.2f}" for number in (lap.p50, lap.p99, lap.processor, ratio)))
        table.add_row(endpoint.name, *numbers, *goal)
    Console(width=120).print(table)


if __name__ == "__main__":
    api()
