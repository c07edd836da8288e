"""A whole local stack for tests that need the real servers."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.local.environment import stack_environment
from seed_pipelines.local.paths import StackPaths
from seed_pipelines.local.s3_server import find_emulator
from seed_pipelines.local.stack import LocalStack, Purpose
from seed_pipelines.local.stub_server import find_prism

PROJECT_DIR = Path(__file__).parents[2]

EMPTY_EVERYTHING: Final = (
    f"TRUNCATE {', '.join(entity.table for entity in ENTITIES)},"
    " seed.shard_checkpoint, seed.seed_run, seed.shard_report, seed.lease, seed.queue_entry, seed.idempotency_key,"
    " seed.dataset_removal, seed.budget_entry, seed.rate_limit_cell, seed.integration_use, seed.sealing, seed.worm_probe"
)
"""Takes away whatever runs leave in a database."""


@dataclass(frozen=True)
class RunningStack:
    """A stack that is up."""

    stack: LocalStack
    purpose: Purpose

    @property
    def state_dir(self) -> Path:
        """Its directory."""
        return self.stack.paths.state_dir

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the person at the command line."""
        return stack_environment(self.state_dir)

    @property
    def service_environment(self) -> dict[str, str]:
        """The variables of Dagster's services."""
        return stack_environment(self.state_dir, "service")


@contextmanager
def running_stack(
    manifests_dir: Path = PROJECT_DIR / "manifests", pii_key_file: Path | None = None, *, stubs: bool = False
) -> Iterator[RunningStack]:
    """Bring up a stack in a directory of its own; it is removed at the end, also after a failure.

    `stubs` is for tests that call outside systems: their stubs take seconds of both cores and some 800 MB.
    """
    with stack_directory() as state_dir:
        stack = LocalStack(StackPaths.of(state_dir), find_emulator(PROJECT_DIR, None), find_prism(PROJECT_DIR, None))
        purpose = Purpose(project_dir=PROJECT_DIR, manifests_dir=manifests_dir, pii_key_file=pii_key_file, stubs=stubs)
        stack.up(purpose)
        yield RunningStack(stack, purpose)


@contextmanager
def stack_directory() -> Iterator[Path]:
    """Lend a short-named directory for a stack; whatever is left of one is ended and removed at the end."""
    parent = Path(tempfile.mkdtemp(prefix="seed-", dir="/tmp"))  # a socket's path must be short
    state_dir = parent / ".seed"
    try:
        yield state_dir
    finally:
        LocalStack(StackPaths.of(state_dir)).down(delete=True)
        shutil.rmtree(parent)


@pytest.fixture(scope="session")
def stack_manifests() -> Path:
    """The folder of manifests whose tenants the stack knows; override it to name another."""
    return PROJECT_DIR / "manifests"


@pytest.fixture(scope="session")
def local_stack(stack_manifests: Path) -> Iterator[RunningStack]:
    """Share one stack among tests that leave its servers as they were."""
    with running_stack(stack_manifests) as stack:
        yield stack
