"""k6 with one of the scripts of this folder against a server on this machine."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from seed_pipelines_tests.e2e.api.server import Served
from seed_pipelines_tests.manifest_examples import changed, sealed

SCRIPTS: Final = Path(__file__).parent
_THRESHOLDS_CROSSED: Final = 99


@dataclass(frozen=True)
class Load:
    """So many virtual users, each of whom sends the next request once the last one is answered, for so long."""

    users: int
    seconds: float
    times_count: bool = False
    """Whether the thresholds on times hold too."""


@dataclass(frozen=True)
class Outcome:
    """What came of a load test."""

    passed: bool
    """Every threshold held."""
    shown: str
    """k6's summary, for people."""
    metrics: Mapping[str, Mapping[str, float]]
    """Metric -> statistic -> number; times in milliseconds."""


def run(script: str, served: Served, manifests: Sequence[str], load: Load, path: str = "") -> Outcome:
    """Put the load of a script on the server; RuntimeError where it could not be run to its end.

    The first of `manifests`, as they are sent, is the deployed one. `path` is for a script that is told where to send them.
    """
    with tempfile.TemporaryDirectory(prefix="seed-load-") as directory:
        test, summary = Path(directory, "test.json"), Path(directory, "summary.json")
        test.write_text(json.dumps(_test(served, manifests, load)), encoding="utf-8")
        command = [str(Path(sys.executable).with_name("k6")), "run", "--quiet", "--no-color", "--no-usage-report"]
        # Its own control interface has a fixed port unless it is given one.
        command += ["--address", "127.0.0.1:0", "--summary-export", str(summary), "-e", f"LOAD_FILE={test}"]
        command += ["-e", f"LOAD_PATH={path}", str(SCRIPTS / script)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("K6_")}
        done = subprocess.run(
            command, env={**environment, "NO_PROXY": "*"}, capture_output=True, text=True, check=False
        )
        if done.returncode not in (0, _THRESHOLDS_CROSSED):
            raise RuntimeError(f"k6 ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        metrics = json.loads(summary.read_bytes())["metrics"]
    return Outcome(done.returncode == 0, done.stdout + done.stderr, metrics)


def variants(manifest: Mapping[str, Any], number: int) -> tuple[str, ...]:
    """A sealed manifest and others that differ from it and from one another, as they are sent."""
    return json.dumps(manifest), *others(manifest, range(1, number))


def others(manifest: Mapping[str, Any], numbers: Iterable[int]) -> Iterator[str]:
    """A sealed manifest that differs from this one for each number from 1 to 999,000, as it is sent."""
    for number in numbers:
        yield json.dumps(sealed(changed(manifest, "/rate_limit/limit", 1_000 + number)))


def _test(served: Served, manifests: Sequence[str], load: Load) -> dict[str, Any]:
    """What the scripts are told; in a file that only its owner can read, as it holds a token."""
    return {
        "run": str(uuid4()),
        "address": served.address,
        "token": served.token(),
        "tenant": served.tenant,
        "environment": served.environment,
        "users": load.users,
        "duration": f"{load.seconds}s",
        "times_count": load.times_count,
        "manifests": list(manifests),
    }
