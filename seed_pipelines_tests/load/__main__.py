"""`python -m seed_pipelines_tests.load`: load on a server and a local stack that are started for it and removed afterwards."""

import sys
import tempfile
from pathlib import Path
from typing import Final

import click

from seed_pipelines_tests.e2e.api.server import TENANT_A, deployed_stack, open_now, served
from seed_pipelines_tests.load import k6

UNLIMITED: Final = {"SEED_API_RATE_LIMIT": "1000000"}
MANIFESTS: Final = 500


@click.command()
@click.option("--seconds", default=20.0, show_default=True, type=click.FloatRange(min=1), help="For each script.")
@click.option("--users", default=16, show_default=True, type=click.IntRange(min=1), help="Virtual users that validate.")
def load(seconds: float, users: int) -> None:
    """Validate manifests, then create runs; exit 1 unless every threshold held, those on times among them."""
    manifest = open_now()
    manifests = k6.variants(manifest, MANIFESTS)
    scripts = {"validate.js": users, "seed_runs.js": max(1, users // 4)}
    with (
        tempfile.TemporaryDirectory() as folder,
        deployed_stack(Path(folder), manifest) as stack,
        served(stack, TENANT_A, **UNLIMITED) as server,
    ):
        outcomes = [
            k6.run(script, server, manifests, k6.Load(users_of_it, seconds, times_count=True))
            for script, users_of_it in scripts.items()
        ]
    for script, outcome in zip(scripts, outcomes, strict=True):
        click.echo(
            f"{script}: {'every threshold held' if outcome.passed else 'A THRESHOLD WAS CROSSED'}\n{outcome.shown}"
        )
    sys.exit(0 if all(outcome.passed for outcome in outcomes) else 1)


if __name__ == "__main__":
    load()
