"""The local stack as a whole: up, down, status; one caller at a time."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from filelock import FileLock, Timeout

from seed_pipelines.errors import StackUnavailable
from seed_pipelines.local.children import Record
from seed_pipelines.local.manifest_tenants import NamedTenant, named_tenants
from seed_pipelines.local.paths import StackPaths, write_private
from seed_pipelines.local.postgres_server import PostgresServer
from seed_pipelines.local.s3_server import S3Server
from seed_pipelines.local.stub_server import PORTS, StubServer
from seed_pipelines.local.vault_server import VaultServer

_LOCK_SECONDS: Final = 120.0


class Server(Protocol):
    """One server of the stack."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def record(self) -> Record:
        """What is on record about its process."""

    @property
    def address(self) -> str:
        """Where it answers."""

    @property
    def data(self) -> Path:
        """Where it keeps its data."""

    def healthy(self) -> bool:
        """Whether it answers, asked now."""

    def stop(self) -> None:
        """End it."""


@dataclass(frozen=True)
class ServerStatus:
    """A server, as it answered."""

    name: str
    pid: int | None
    """None if it does not run."""
    address: str
    data: str
    healthy: bool


@dataclass(frozen=True)
class StackStatus:
    """The stack, as it answered."""

    state_dir: str
    servers: tuple[ServerStatus, ...]
    tenants: tuple[NamedTenant, ...]

    @property
    def healthy(self) -> bool:
        """Whether every server answers."""
        return all(server.healthy for server in self.servers)

    def as_dict(self) -> dict[str, Any]:
        """Give the same as JSON values."""
        return {
            "state_dir": self.state_dir,
            "healthy": self.healthy,
            "servers": [asdict(server) for server in self.servers],
            "tenants": [{**asdict(tenant), "tenant_id": str(tenant.tenant_id)} for tenant in self.tenants],
        }


@dataclass(frozen=True)
class Purpose:
    """What a stack is brought up for."""

    project_dir: Path
    """Holds dagster.yaml."""
    manifests_dir: Path
    catalogue_file: Path | None = None
    """A catalogue in place of the packaged one."""
    pii_key_file: Path | None = None
    """Raw bytes that new PII keys are made of; None for random ones."""
    stubs: bool = False
    """Whether the stubs of outside systems are started too."""


class LocalStack:
    """PostgreSQL, OpenBao, the S3 emulator and, where wanted, the stubs of outside systems, below one directory."""

    def __init__(self, paths: StackPaths, emulator: Path | None = None, prism: Path | None = None) -> None:
        self.paths = paths
        self.postgres = PostgresServer(paths)
        self.vault = VaultServer(paths)
        self.s3 = S3Server(paths, emulator)
        self.stubs = tuple(StubServer(paths, integration, prism) for integration in PORTS)

    @property
    def servers(self) -> tuple[Server, ...]:
        """Each server that is wanted, in the order in which they are shown."""
        description = self.description() or {}
        return self._needed if not description.get("stubs") else (*self._needed, *self.stubs)

    @property
    def _needed(self) -> tuple[Server, ...]:
        return self.postgres, self.vault, self.s3

    def up(self, purpose: Purpose) -> StackStatus:
        """Start and provision what is not yet; raises StackUnavailable, or MaskingKeyChanged for another key file."""
        # Alembic and its like are slow to import, and only this needs them: whoever finds a running stack does not.
        from seed_pipelines.local import (  # noqa: PLC0415
            postgres_provisioning,
            token_issuer,
            vault_provisioning,
        )

        material = vault_provisioning.read_material(purpose.pii_key_file) if purpose.pii_key_file else None
        if not purpose.manifests_dir.is_dir():
            raise StackUnavailable(
                f"{purpose.manifests_dir} is no folder: name the folder of the manifests with --manifests."
            )
        self.paths.create()
        with self._alone():
            tenants = named_tenants(purpose.manifests_dir)
            token_issuer.provision(self.paths)

            def postgres() -> None:
                self.postgres.start()
                postgres_provisioning.provision(self.postgres, tenants)

            def vault() -> None:
                self.vault.start()
                vault_provisioning.provision(self.vault.client(), self.paths, tenants, material)

            def s3() -> None:
                self.s3.start()
                self.s3.provision()

            _together((postgres, vault, s3, *(stub.start for stub in self.stubs if purpose.stubs)))
            self._link_dagster_yaml(purpose.project_dir)
            self._describe(purpose, tenants)
            return self.status()

    def down(self, *, delete: bool = False) -> None:
        """End the servers that are on record; with `delete`, remove the directory with everything in it."""
        if not self.paths.state_dir.exists():
            return
        if not self.paths.lock.exists():
            raise StackUnavailable(f"{self.paths.state_dir} holds no stack.")
        with self._alone():
            _together([server.stop for server in (*self._needed, *self.stubs)])
            if delete:
                shutil.rmtree(self.paths.socket_dir, ignore_errors=True)
                shutil.rmtree(self.paths.state_dir)

    def status(self) -> StackStatus:
        """Ask every server."""
        servers = []
        for server in self.servers:
            child = server.record.running()
            healthy = child is not None and server.healthy()
            pid = child.pid if child else None
            servers.append(ServerStatus(server.name, pid, server.address, str(server.data), healthy))
        return StackStatus(str(self.paths.state_dir), tuple(servers), self._known_tenants())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            with FileLock(self.paths.lock, timeout=_LOCK_SECONDS, mode=0o600):
                yield
        except Timeout as error:
            raise StackUnavailable(
                f"Another command has been starting or ending this stack for {_LOCK_SECONDS:g} s"
                f" ({self.paths.lock}). Wait for it, or end it."
            ) from error

    def _describe(self, purpose: Purpose, tenants: Sequence[NamedTenant]) -> None:
        description = {
            "project_dir": str(purpose.project_dir),
            "manifests_dir": str(purpose.manifests_dir),
            "stubs": purpose.stubs or any(stub.record.running() for stub in self.stubs),
            "catalogue_file": str(purpose.catalogue_file) if purpose.catalogue_file else None,
            "tenants": [asdict(tenant) for tenant in tenants],
        }
        write_private(self.paths.description, json.dumps(description, indent=2) + "\n")

    def description(self) -> dict[str, Any] | None:
        """Read what the last complete `up` made; None before the first."""
        try:
            return dict(json.loads(self.paths.description.read_bytes()))
        except FileNotFoundError:
            return None

    def _known_tenants(self) -> tuple[NamedTenant, ...]:
        description = self.description() or {"tenants": []}
        return tuple(NamedTenant(**tenant) for tenant in description["tenants"])

    def _link_dagster_yaml(self, project_dir: Path) -> None:
        wanted = project_dir / "dagster.yaml"
        link = self.paths.dagster_home / "dagster.yaml"
        if not wanted.exists() or (link.is_symlink() and link.readlink() == wanted):
            return
        link.unlink(missing_ok=True)
        link.symlink_to(wanted)


def _together(tasks: Sequence[Callable[[], object]]) -> None:
    """Do all at once; the first error is raised when all are done."""
    with ThreadPoolExecutor(len(tasks)) as pool:
        running = [pool.submit(task) for task in tasks]
    for task in running:
        task.result()
