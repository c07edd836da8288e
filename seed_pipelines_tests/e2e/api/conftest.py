"""A stack whose manifest of tenant-a is deployed with a window that is open now, and the API served on it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seed_pipelines_tests.e2e.api.server import TENANT_A, Served, deployed_stack, open_now, served
from seed_pipelines_tests.e2e.conftest import RunningStack


@pytest.fixture(scope="session")
def manifest() -> dict[str, Any]:
    """The example of the quick start, sealed, with a window around now."""
    return open_now()


@pytest.fixture(scope="session")
def api_stack(tmp_path_factory: pytest.TempPathFactory, manifest: dict[str, Any]) -> Iterator[RunningStack]:
    """The stack; its manifests are a folder of the test's own."""
    with deployed_stack(tmp_path_factory.mktemp("project") / "manifests", manifest, open_now("tenant-b")) as stack:
        yield stack


@pytest.fixture(scope="session")
def api(api_stack: RunningStack) -> Iterator[Served]:
    """The API with an allowance that no test uses up."""
    with served(api_stack, TENANT_A, SEED_API_RATE_LIMIT="100000") as found:
        yield found


@pytest.fixture
def project(api_stack: RunningStack) -> Path:
    """The directory that has the folder of manifests."""
    return api_stack.purpose.manifests_dir.parent
