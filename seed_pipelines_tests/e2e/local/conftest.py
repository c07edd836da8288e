"""Small manifest folders and stacks of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from seed_pipelines_tests.e2e.conftest import PROJECT_DIR, RunningStack, running_stack


@pytest.fixture(scope="session")
def one_tenant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the staging manifest of tenant-a, and one that cannot be read."""
    folder = tmp_path_factory.mktemp("manifests")
    staging = folder / "staging"
    staging.mkdir()
    staging.joinpath("tenant-a.yaml").write_bytes((PROJECT_DIR / "manifests/staging/tenant-a.yaml").read_bytes())
    staging.joinpath("broken.yaml").write_bytes(b"\x00metadata: [")
    return folder


@pytest.fixture(scope="module")
def own_stack(one_tenant: Path) -> Iterator[RunningStack]:
    """A stack whose servers a test may end, as long as it brings them up again."""
    with running_stack(one_tenant) as stack:
        yield stack
