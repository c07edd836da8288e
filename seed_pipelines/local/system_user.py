"""The account that PostgreSQL runs as where the stack is started by root, which PostgreSQL refuses to be."""

import os
import pwd
import shutil
import stat
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seed_pipelines.errors import StackUnavailable

NAME: Final = "embedded_postgres"

_ACL: Final = "system.posix_acl_access"
_ACL_VERSION: Final = struct.pack("<I", 2)
_ENTRY: Final = struct.Struct("<HHI")
_OWNER, _USER, _GROUP, _NAMED_GROUP, _MASK, _OTHERS = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NOBODY: Final = 0xFFFF_FFFF
_SEARCH: Final = 0o1


@dataclass(frozen=True)
class Account:
    """A system user."""

    uid: int
    gid: int


def account_for_postgres() -> Account | None:
    """Choose who runs PostgreSQL: None for oneself; as root a system user, made where it does not exist."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        entry = _made()
    return Account(entry.pw_uid, entry.pw_gid)


def _made() -> pwd.struct_passwd:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    reason = "there is no useradd"
    if useradd is not None:
        command = [useradd, "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", NAME]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # a fixed command
        reason = done.stderr.strip()
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        raise StackUnavailable(
            f"PostgreSQL does not run as root, and the system user {NAME!r} could not be made: {reason}."
            " Make it, or run `seed-data up` as an ordinary user."
        ) from None


def let_search(account: Account, target: Path) -> None:
    """Let the account reach a directory: search permission for it alone, there and on the directories above.

    Raises StackUnavailable, with the command to type, where the file system keeps no access control lists.
    """
    for directory in (target, *target.parents):
        found = directory.stat()
        if found.st_uid == account.uid or found.st_mode & stat.S_IXOTH:
            continue
        try:
            _grant_search(directory, found.st_mode, account.uid)
        except OSError as error:
            raise StackUnavailable(
                f"PostgreSQL runs as {NAME!r}, which may not enter {directory} ({error.strerror})."
                f" Allow it with `chmod o+x {directory}`, or run `seed-data up` as an ordinary user."
            ) from error


def _grant_search(directory: Path, mode: int, uid: int) -> None:
    entries = _entries(directory, mode)
    entries[_USER, uid] = entries.get((_USER, uid), 0) | _SEARCH
    entries[_MASK, _NOBODY] = entries.get((_MASK, _NOBODY), entries[_GROUP, _NOBODY]) | _SEARCH
    packed = b"".join(_ENTRY.pack(tag, allowed, who) for (tag, who), allowed in sorted(entries.items()))
    os.setxattr(directory, _ACL, _ACL_VERSION + packed)


def _entries(directory: Path, mode: int) -> dict[tuple[int, int], int]:
    """(tag, user or group) -> permission bits, as in acl(5); what the mode says where there is no list."""
    try:
        packed = os.getxattr(directory, _ACL)[len(_ACL_VERSION) :]
    except OSError:
        return {
            (_OWNER, _NOBODY): mode >> 6 & 0o7,
            (_GROUP, _NOBODY): mode >> 3 & 0o7,
            (_OTHERS, _NOBODY): mode & 0o7,
        }
    return {(tag, who): allowed for tag, allowed, who in _ENTRY.iter_unpack(packed)}
