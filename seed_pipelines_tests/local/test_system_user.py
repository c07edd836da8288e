"""Letting PostgreSQL's account reach a directory, and nobody else."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from seed_pipelines.local.system_user import Account, account_for_postgres, let_search

UID = 64_321

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL as another user")


def enters(directory: Path, uid: int) -> bool:
    """Whether a user may open what lies in a directory."""
    done = subprocess.run(
        ["/bin/cat", directory / "inside"],
        user=uid,
        group=uid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def test_the_account_may_enter_and_no_other(tmp_path: Path) -> None:
    """Search permission for one user, through every directory above."""
    closed = tmp_path / "closed" / "state"
    closed.mkdir(parents=True)
    closed.joinpath("inside").write_text("")
    for directory in (closed, closed.parent):
        directory.chmod(0o700)
    assert not enters(closed, UID)
    for _ in range(2):
        let_search(Account(UID, UID), closed)
    assert enters(closed, UID)
    assert not enters(closed, UID + 1)
    for directory in (closed, closed.parent):
        mode = stat.S_IMODE(directory.stat().st_mode)
        assert mode & stat.S_IRWXO == 0
        assert mode & (stat.S_IRGRP | stat.S_IWGRP) == 0
    granted = os.getxattr(closed, "system.posix_acl_access")
    assert granted.count(UID.to_bytes(4, "little")) == 1


def test_an_open_directory_is_left_as_it_is(tmp_path: Path) -> None:
    """Nothing is granted where nothing is missing."""
    for directory in (tmp_path, *list(tmp_path.parents)[:2]):
        directory.chmod(0o711)
    let_search(Account(UID, UID), tmp_path)
    with pytest.raises(OSError, match="No data available"):
        os.getxattr(tmp_path, "system.posix_acl_access")


def test_root_has_an_account_for_postgres() -> None:
    """And it is not root's."""
    account = account_for_postgres()
    assert account is not None
    assert account.uid != 0
