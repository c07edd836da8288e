"""Where the local stack keeps what: one directory, for its owner only."""

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seed_pipelines.errors import StackUnavailable

LONGEST_SOCKET_PATH: Final = 103
"""Bytes of a Unix socket's path that every platform takes (sockaddr_un holds 104 on BSD, 108 on Linux)."""

SOCKET_NAME: Final = ".s.PGSQL.5432"


@dataclass(frozen=True)
class StackPaths:
    """The files of a stack."""

    state_dir: Path
    """Absolute."""

    @classmethod
    def of(cls, state_dir: Path) -> "StackPaths":
        """Name the files of the stack in a directory, which need not exist."""
        return cls(state_dir.expanduser().resolve())

    @property
    def lock(self) -> Path:
        """Held by whoever starts or ends servers."""
        return self.state_dir / "stack.lock"

    @property
    def description(self) -> Path:
        """What the last `up` made, without secrets."""
        return self.state_dir / "stack.json"

    @property
    def postgres_data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.state_dir / "postgres"

    @property
    def passwords(self) -> Path:
        """Password file (libpq) of the logins that run seeds."""
        return self.state_dir / "pgpass"

    @property
    def provisioning_passwords(self) -> Path:
        """Password file (libpq) of the superuser and the migrator."""
        return self.state_dir / "provisioning.pgpass"

    @property
    def vault(self) -> Path:
        """OpenBao's configuration and storage."""
        return self.state_dir / "vault"

    @property
    def vault_keys(self) -> Path:
        """Unseal key and root token of OpenBao."""
        return self.state_dir / "vault-keys.json"

    @property
    def vault_token(self) -> Path:
        """The token that runs use."""
        return self.state_dir / "vault-token"

    @property
    def token_key(self) -> Path:
        """The private key that the stack's own bearer tokens are signed with."""
        return self.state_dir / "token-key.pem"

    @property
    def token_keys(self) -> Path:
        """The key set (RFC 7517) that they are verified with."""
        return self.state_dir / "jwks.json"

    @property
    def s3(self) -> Path:
        """The S3 emulator's storage."""
        return self.state_dir / "s3"

    @property
    def s3_credentials(self) -> Path:
        """AWS shared credentials file."""
        return self.state_dir / "aws-credentials"

    @property
    def data(self) -> Path:
        """Parquet files and reports."""
        return self.state_dir / "data"

    @property
    def dagster_home(self) -> Path:
        """Dagster's instance directory."""
        return self.state_dir / "dagster_home"

    @property
    def logs(self) -> Path:
        """One log for each server."""
        return self.state_dir / "logs"

    @property
    def run(self) -> Path:
        """What is running: one record for each server."""
        return self.state_dir / "run"

    @property
    def socket_dir(self) -> Path:
        """PostgreSQL's socket directory: inside, or in the system's temporary one where that is too long."""
        inside = self.state_dir / "socket"
        if len(os.fsencode(inside / SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
            return inside
        digest = hashlib.sha256(os.fsencode(self.state_dir)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"seed-pipelines-{os.geteuid()}-{digest}"

    @property
    def _directories(self) -> tuple[Path, ...]:
        return self.state_dir, self.vault, self.s3, self.data, self.dagster_home, self.logs, self.run

    def create(self) -> None:
        """Make the directories, for their owner only; StackUnavailable if the place is not ours to use."""
        try:
            for directory in self._directories:
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StackUnavailable(
                f"Cannot make the stack's directory: {error.strerror} ({error.filename}). Choose another with"
                " --state-dir or SEED_STATE_DIR."
            ) from error
        if self.state_dir.stat().st_uid != os.geteuid():
            raise StackUnavailable(
                f"{self.state_dir} belongs to another user. Run as that user, or choose one with --state-dir."
            )
        if stat.S_IMODE(self.state_dir.stat().st_mode) & 0o067:
            self.state_dir.chmod(0o700)
        ignore = self.state_dir / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")


def write_private(path: Path, content: str) -> None:
    """Replace a file at once with one that only its owner may read; flushed to disk."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
