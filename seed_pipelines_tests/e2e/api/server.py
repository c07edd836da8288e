"""The API as it is served: a process of its own, asked over HTTP."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import httpx2
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from seed_pipelines.local.children import free_port
from seed_pipelines.local.token_issuer import issue
from seed_pipelines_tests.contracts.responses import check_response
from seed_pipelines_tests.e2e.conftest import RunningStack

VALIDATE: Final = "/api/v1/seed-profiles/validate"
RUNS: Final = "/api/v1/seed-runs"

_OWN_VARIABLES: Final = ("SEED_", "DAGSTER_", "AWS_", "VAULT_", "PG")


@dataclass(frozen=True)
class Served:
    """A server, and a caller with a token for one tenant and environment."""

    stack: RunningStack
    address: str
    client: httpx2.Client
    tenant_id: UUID
    tenant: str
    environment: str

    def token(self, *roles: str) -> str:
        """A token of the local stack."""
        return issue(self.stack.stack.paths, self.tenant_id, self.environment, roles)

    def headers(self, **changes: str) -> dict[str, str]:
        """Those of a request under a new key."""
        return {
            "Authorization": f"Bearer {self.token()}",
            "X-Tenant-ID": self.tenant,
            "X-Environment": self.environment,
            "Content-Type": "application/json",
            "Idempotency-Key": f"test-{uuid4()}",
            **{name.replace("_", "-"): value for name, value in changes.items()},
        }

    def post(self, path: str, body: Mapping[str, Any] | bytes = b"", **headers: str) -> httpx2.Response:
        """Send something, and hold the answer against the contract."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return check_response(self.client.post(path, content=content, headers=self.headers(**headers)))

    def get(self, path: str, **headers: str) -> httpx2.Response:
        """Ask for something, and hold the answer against the contract."""
        return check_response(self.client.get(path, headers=self.headers(**headers)))


@contextmanager
def served(
    stack: RunningStack, tenant_id: UUID, tenant: str = "tenant-a", environment: str = "staging", **variables: str
) -> Iterator[Served]:
    """Serve the API on a stack as `seed-data serve` does, until SIGTERM, which must end it well."""
    port = free_port(None)
    own = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_VARIABLES)}
    command = [str(Path(sys.executable).with_name("seed-data")), "serve", "--port", str(port)]
    with subprocess.Popen(
        command, env={**own, "SEED_STATE_DIR": str(stack.state_dir), **variables}, stderr=subprocess.DEVNULL
    ) as process:
        address = f"http://127.0.0.1:{port}"
        with httpx2.Client(base_url=address, timeout=60, trust_env=False) as client:
            try:
                _await(client)
                yield Served(stack, address, client, tenant_id, tenant, environment)
            finally:
                process.send_signal(signal.SIGTERM)
                ended = process.wait(60)
            assert ended == 0


def _await(client: httpx2.Client) -> None:
    for attempt in Retrying(
        retry=retry_if_exception_type(httpx2.TransportError), stop=stop_after_delay(60), wait=wait_fixed(0.1)
    ):
        with attempt:
            assert client.get("/health/live").status_code == 200
