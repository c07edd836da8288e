"""A stack whose manifest of tenant-a is deployed with a window that is open now, and the API served on it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import pytest
import yaml

from seed_pipelines.local.paths import StackPaths
from seed_pipelines.local.s3_server import find_emulator
from seed_pipelines.local.stack import LocalStack, Purpose
from seed_pipelines_tests.e2e.api.server import Served, served
from seed_pipelines_tests.e2e.conftest import PROJECT_DIR, RunningStack, stack_directory
from seed_pipelines_tests.manifest_examples import example, sealed

TENANT_A = uuid5(NAMESPACE_DNS, "tenant-a.seed-pipelines.example")


@pytest.fixture(scope="session")
def manifest() -> dict[str, Any]:
    """The example of the quick start, sealed, with a window around now."""
    now = datetime.now(UTC)
    begins, ends = now - timedelta(hours=1), now + timedelta(hours=3)
    return sealed({**example(), "window": {"start_utc": f"{begins:%H:%M}", "end_utc": f"{ends:%H:%M}"}})


@pytest.fixture(scope="session")
def api_stack(tmp_path_factory: pytest.TempPathFactory, manifest: dict[str, Any]) -> Iterator[RunningStack]:
    """The stack; its manifests are a folder of the test's own."""
    folder = tmp_path_factory.mktemp("project") / "manifests"
    (folder / "staging").mkdir(parents=True)
    (folder / "staging" / "tenant-a.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False), encoding="utf-8")
    with stack_directory() as state_dir:
        stack = LocalStack(StackPaths.of(state_dir), find_emulator(PROJECT_DIR, None))
        purpose = Purpose(project_dir=PROJECT_DIR, manifests_dir=folder)
        stack.up(purpose)
        yield RunningStack(stack, purpose)


@pytest.fixture(scope="session")
def api(api_stack: RunningStack) -> Iterator[Served]:
    """The API with an allowance that no test uses up."""
    with served(api_stack, TENANT_A, SEED_API_RATE_LIMIT="100000") as found:
        yield found


@pytest.fixture
def project(api_stack: RunningStack) -> Path:
    """The directory that has the folder of manifests."""
    return api_stack.purpose.manifests_dir.parent
