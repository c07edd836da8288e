"""PgBouncer in transaction mode in front of a server: each transaction may run on another backend."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from psycopg.conninfo import make_conninfo
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from seed_pipelines.local.system_user import account_for_postgres
from seed_pipelines_tests.e2e.conftest import PROJECT_DIR

BACKENDS: Final = 2
"""Backends of one login and database, for any number of clients."""

_FETCHED: Final = PROJECT_DIR / ".pgbouncer"
_PORT: Final = 6432
_LOGINS: Final = ("seed_app", "seed_service", "seed_operator", "seed_migrator")


@dataclass(frozen=True)
class Pooler:
    """A running PgBouncer, reached by its socket alone."""

    socket: str

    def url(self, user: str, database: str = "seed_staging") -> str:
        """A connection string."""
        return make_conninfo(host=self.socket, port=_PORT, user=user, dbname=database)


def find_pgbouncer() -> Path | None:
    """The program: the one that is installed, or the one that `make test` fetched; None if there is none."""
    installed = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    fetched = _FETCHED / "usr" / "sbin" / "pgbouncer"
    if installed is not None:
        return Path(installed)
    return fetched if fetched.exists() else None


@contextmanager
def pooling(program: Path, server_socket: str) -> Iterator[Pooler]:
    """PgBouncer in front of the server of a socket directory; it is ended at the end."""
    account = account_for_postgres()
    directory = Path(tempfile.mkdtemp(prefix="seedpool", dir="/tmp"))  # a socket's path must be short
    try:
        environment = _libraries(program, directory)
        command = [_reachable(program, directory), str(_configuration(directory, server_socket))]
        user = None if account is None else pwd.getpwuid(account.uid)
        if user is not None:
            os.chown(directory, user.pw_uid, user.pw_gid)
        running = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
        )
        try:
            pooler = Pooler(str(directory))
            _await(pooler, running, directory / "log")
            yield pooler
        finally:
            running.terminate()
            running.wait(30)
    finally:
        shutil.rmtree(directory)


def _configuration(directory: Path, server_socket: str) -> Path:
    users, file = directory / "users", directory / "pgbouncer.ini"
    users.write_text("".join(f'"{login}" ""\n' for login in _LOGINS))
    file.write_text(
        f"[databases]\n* = host={server_socket}\n"
        "[pgbouncer]\npool_mode = transaction\nlisten_addr =\n"
        f"unix_socket_dir = {directory}\nlisten_port = {_PORT}\nlogfile = {directory / 'log'}\n"
        f"auth_type = trust\nauth_file = {users}\ndefault_pool_size = {BACKENDS}\nmax_client_conn = 200\n"
    )
    return file


def _reachable(program: Path, directory: Path) -> str:
    """The program, where the account that runs it may read it: a checkout may be its owner's alone."""
    return shutil.copy(str(program), str(directory / "pgbouncer"))


def _libraries(program: Path, directory: Path) -> dict[str, str]:
    if not program.is_relative_to(_FETCHED):
        return dict(os.environ)
    libraries = directory / "libraries"
    libraries.mkdir()
    for found in (*_FETCHED.rglob("libcares.so.*"), *_FETCHED.rglob("libevent-*.so.*")):
        shutil.copy(found, libraries / found.name)
    return {**os.environ, "LD_LIBRARY_PATH": str(libraries)}


def _await(pooler: Pooler, running: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until it answers; AssertionError with its log if it ended."""
    for attempt in Retrying(
        retry=retry_if_exception_type(psycopg.OperationalError),
        stop=stop_after_delay(20),
        wait=wait_fixed(0.1),
        reraise=True,
    ):
        with attempt:
            if running.poll() is not None:
                raise AssertionError(log.read_text() if log.exists() else running.returncode)
            psycopg.connect(pooler.url("seed_service")).close()
