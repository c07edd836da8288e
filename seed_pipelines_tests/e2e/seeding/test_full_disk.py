"""A disk that is full: the run says so, leaves no half file, and goes on where there is room again."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from seed_pipelines_tests.e2e.seeding.small_disk import table_on_small_disk
from seed_pipelines_tests.e2e.seeding.staging import OVERRIDE, TENANT_A, Staging, finish

pytestmark = pytest.mark.e2e

LARGEST_FILE = 8192
"""Bytes of a file that the command may write: fewer than the customers need. The kernel refuses more, as on a full disk."""
_IN_LITTLE_ROOM = f"""
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({LARGEST_FILE}, {LARGEST_FILE}))
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_no_room_for_the_files(staging: Staging) -> None:
    """Exit 4, nothing landed, no half file, lease and queue free; the next run finds everything in order."""
    command = [
        str(Path(sys.executable).with_name("seed_data")),
        "--tenant-id",
        str(TENANT_A),
        "--environment",
        "staging",
    ]
    full = finish(
        staging.start_program([Path(sys.executable).name, "-c", _IN_LITTLE_ROOM, *command, "--json", *OVERRIDE])
    )
    assert full.exit_code == 4, full.stderr
    assert full.problem["code"] == "storage_unavailable"
    assert staging.visible_rows(TENANT_A) == (0, 0)
    assert [path for path in staging.data_dir.rglob("*") if path.is_file()] == []
    with staging.superuser() as connection:
        left = connection.execute("SELECT (SELECT count(*) FROM seed.lease) + (SELECT count(*) FROM seed.queue_entry)")
        assert left.fetchone() == (0,)
    again = staging.seed(*OVERRIDE)
    assert again.exit_code == 0, again.stderr
    assert staging.visible_rows(TENANT_A) == (100, 120)


@pytest.fixture
def small_disk(staging: Staging) -> Iterator[Path]:
    """A disk of a megabyte that holds the table of the customers; only root can mount one."""
    with table_on_small_disk(staging, 1) as disk:
        yield disk


def test_no_room_for_the_rows(staging: Staging, small_disk: Path) -> None:
    """Exit 4 as when the server is away, nothing landed; the next run finds everything in order."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(small_disk).free))
    full = staging.seed("--json", *OVERRIDE)
    assert full.exit_code == 4, full.stderr
    assert full.problem["code"] == "database_unavailable"
    assert staging.visible_rows(TENANT_A) == (0, 0)
    ballast.unlink()
    again = staging.seed(*OVERRIDE)
    assert again.exit_code == 0, again.stderr
    assert staging.visible_rows(TENANT_A) == (100, 120)
