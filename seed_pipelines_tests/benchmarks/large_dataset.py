"""A dataset larger than the packaged catalogue allows: its files, and the real command run on it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.manifest import manifest_hash
from seed_pipelines.domain.manifest_baseline import minimal_baseline
from seed_pipelines_tests.worlds import REFERENCE, TENANT, catalogue

TENANT_ID: Final[UUID] = TENANT.tenant_id
"""The tenant of the manifests."""

_BYTES_OF_MAXRSS: Final = 1 if sys.platform == "darwin" else 1024
_UNDER_MEASURE: Final = """
import json, resource, subprocess, sys, time
started = time.perf_counter()
code = subprocess.call(sys.argv[2:])
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
with open(sys.argv[1], "w") as out:
    json.dump({"seconds": seconds, "peak": peak}, out)
sys.exit(code)
"""
"""A small parent of its own: what a process inherits counts towards its peak, so a large one would be measured itself."""


@dataclass(frozen=True)
class LargeDataset:
    """Files below a directory: a catalogue that allows it, and a manifest for each environment."""

    directory: Path
    customers: int

    @property
    def bank_accounts(self) -> int:
        """Six accounts for five customers."""
        return self.customers * 6 // 5

    @property
    def rows(self) -> int:
        """Rows of both entities."""
        return self.customers + self.bank_accounts

    @property
    def manifests(self) -> Path:
        """The folder of the manifests."""
        return self.directory / "manifests"

    @property
    def catalogue_file(self) -> Path:
        """The catalogue that allows them."""
        return self.directory / "catalogue.json"

    @property
    def catalogue(self) -> Catalogue:
        """The packaged catalogue with caps that do not bind."""
        return catalogue()

    def manifest(self, environment: str) -> Path:
        """The manifest of an environment."""
        return self.manifests / environment / "tenant-a.json"

    def write(self, *environments: str) -> None:
        """Write the catalogue and the manifests."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.catalogue_file.write_text(self.catalogue.model_dump_json(), encoding="utf-8")
        for environment in environments:
            path = self.manifest(environment)
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(self._document(environment)), encoding="utf-8")

    def _document(self, environment: str) -> dict[str, Any]:
        document = minimal_baseline("tenant-a", environment, reference_datetime=REFERENCE, catalogue=self.catalogue)
        document["volumetry"] = {
            "customers": {"cap": self.customers},
            "bank_accounts": {"cap": self.bank_accounts},
        }
        document["integrity"] = {"manifest_hash": manifest_hash(document)}
        return document


@dataclass(frozen=True)
class MeasuredRun:
    """A run of the command `seed_data` in a process of its own."""

    outcome: Mapping[str, Any]
    """What it printed with --json."""
    seconds: float
    """From the start of the process to its end."""
    peak_bytes: int
    """Largest resident memory of the process."""


def run_seed_data(dataset: LargeDataset, environment: str, variables: Mapping[str, str]) -> MeasuredRun:
    """Seed a dataset on a local stack; CalledProcessError, with what the command said, if it fails."""
    command = [
        *(str(Path(sys.executable).with_name("seed_data")), "--json"),
        *("--tenant-id", str(TENANT_ID), "--environment", environment),
        *("--manifest-path", str(dataset.manifest(environment)), "--override-window", "measured on a local stack"),
    ]
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as measured:
        done = subprocess.run(
            [sys.executable, "-c", _UNDER_MEASURE, measured.name, *command],
            env={**os.environ, **variables, "SEED_CATALOGUE_FILE": str(dataset.catalogue_file)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, "seed_data", done.stdout, done.stderr)
        numbers = json.load(measured)
    return MeasuredRun(json.loads(done.stdout), numbers["seconds"], numbers["peak"] * _BYTES_OF_MAXRSS)
