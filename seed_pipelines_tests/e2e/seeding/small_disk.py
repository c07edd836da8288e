"""A disk that a test can fill, with a table on it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg import sql

from seed_pipelines_tests.e2e.seeding.staging import Staging


@contextmanager
def table_on_small_disk(staging: Staging, megabytes: int) -> Iterator[Path]:
    """Lend a disk that holds the table of the customers; only root can mount one, and the test is skipped for others."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root mounts a disk")
    disk = Path(tempfile.mkdtemp(prefix="seed-disk", dir="/tmp"))  # the server's user must reach it
    disk.chmod(0o755)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        disk.rmdir()
        pytest.skip("this root may not mount a disk")
    try:
        owner = staging.stack.stack.paths.postgres_data.stat()
        (disk / "space").mkdir(mode=0o700)
        os.chown(disk / "space", owner.st_uid, owner.st_gid)
        with staging.superuser() as connection:
            place = sql.SQL("CREATE TABLESPACE small LOCATION {}").format(sql.Literal(str(disk / "space")))
            connection.execute(place)
            connection.execute("ALTER TABLE banking.customer SET TABLESPACE small")
        try:
            yield disk
        finally:
            with staging.superuser() as connection:
                connection.execute("ALTER TABLE banking.customer SET TABLESPACE pg_default")
                connection.execute("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
        disk.rmdir()
