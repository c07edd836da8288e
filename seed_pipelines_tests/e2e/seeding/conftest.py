"""One stack for all tests of seeding, made with a key that another stack can share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from seed_pipelines_tests.e2e.conftest import running_stack
from seed_pipelines_tests.e2e.seeding.staging import OVERRIDE, Contents, Staging


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Material for a Transit key."""
    file = tmp_path_factory.mktemp("key") / "pii.key"
    file.write_bytes(bytes(range(64)))
    return file


@pytest.fixture(scope="session")
def shared_staging(key_file: Path) -> Iterator[Staging]:
    """Staging of the session's stack; every test leaves its servers running and its schema as it was."""
    with running_stack(pii_key_file=key_file) as stack:
        yield Staging.of(stack)


@pytest.fixture
def staging(shared_staging: Staging) -> Staging:
    """Staging with nothing in it."""
    shared_staging.clear()
    return shared_staging


@pytest.fixture(scope="module")
def _seeded_once(shared_staging: Staging) -> Contents:
    shared_staging.clear()
    done = shared_staging.seed(*OVERRIDE)
    assert done.exit_code == 0, done.stderr
    return shared_staging.contents()


@pytest.fixture
def seeded(shared_staging: Staging, _seeded_once: Contents) -> Iterator[Staging]:
    """Staging with the manifest of tenant-a loaded; the test must leave every row and file as it is."""
    yield shared_staging
    assert shared_staging.contents() == _seeded_once
