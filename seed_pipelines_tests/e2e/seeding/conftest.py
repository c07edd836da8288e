"""One stack for all tests of seeding, made with a key that another stack can share."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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


@dataclass
class Reference:
    """What an undisturbed run of the staging manifest of tenant-a over empty tables leaves."""

    staging: Staging
    outcome: Mapping[str, Any] = field(default_factory=dict)
    rows: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """As `Staging.rows_digest` gives them."""
    contents: Contents | None = None

    def restore(self) -> None:
        """Make such a run, unless everything is still as the last one left it."""
        if self.staging.contents() == self.contents:
            return
        self.staging.clear()
        done = self.staging.seed("--json", *OVERRIDE)
        assert done.exit_code == 0, done.stderr
        self.outcome, self.rows, self.contents = done.outcome, self.staging.rows_digest(), self.staging.contents()


@pytest.fixture(scope="session")
def reference(shared_staging: Staging) -> Reference:
    """A run over empty tables."""
    made = Reference(shared_staging)
    made.restore()
    return made


@pytest.fixture
def seeded(reference: Reference) -> Iterator[Staging]:
    """Staging with the manifest of tenant-a loaded; the test must leave every row and file as it is."""
    reference.restore()
    yield reference.staging
    assert reference.staging.contents() == reference.contents
