"""The API as it is served, on a stack with a deployed manifest: a process of its own, asked over HTTP."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_DNS, UUID, uuid4, uuid5

import httpx2
import psycopg
import yaml
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from seed_pipelines.local.children import free_port
from seed_pipelines.local.token_issuer import issue
from seed_pipelines_tests.contracts.responses import check_response
from seed_pipelines_tests.e2e.conftest import RunningStack, running_stack
from seed_pipelines_tests.manifest_examples import changed, example, sealed

TENANT_A: Final = uuid5(NAMESPACE_DNS, "tenant-a.seed-pipelines.example")
TENANT_B: Final = uuid5(NAMESPACE_DNS, "tenant-b.seed-pipelines.example")
VALIDATE: Final = "/api/v1/seed-profiles/validate"
RUNS: Final = "/api/v1/seed-runs"

_OWN_VARIABLES: Final = ("SEED_", "DAGSTER_", "AWS_", "VAULT_", "PG")


@dataclass(frozen=True)
class Served:
    """A server, and a caller with a token for one tenant and environment."""

    stack: RunningStack
    process_id: int
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


def open_now(tenant: str = "tenant-a") -> dict[str, Any]:
    """The example of the quick start for a tenant, sealed, with a window around now."""
    now = datetime.now(UTC)
    begins, ends = now - timedelta(hours=1), now + timedelta(hours=3)
    of_tenant = changed(example(), "/metadata/tenant", tenant)
    return sealed({**of_tenant, "window": {"start_utc": f"{begins:%H:%M}", "end_utc": f"{ends:%H:%M}"}})


@contextmanager
def deployed_stack(folder: Path, *manifests: Mapping[str, Any]) -> Iterator[RunningStack]:
    """A stack that knows the tenants of these manifests of staging, which are written to a folder."""
    (folder / "staging").mkdir(parents=True)
    for manifest in manifests:
        text = yaml.safe_dump(dict(manifest), sort_keys=False)
        (folder / "staging" / f"{manifest['metadata']['tenant']}.yaml").write_text(text, encoding="utf-8")
    with running_stack(folder) as stack:
        yield stack


@contextmanager
def allowances_of_its_own(stack: RunningStack) -> Iterator[None]:
    """Allowances of staging that are whole, and whole again for whoever comes after, whose limit may be another."""
    with psycopg.connect(
        stack.stack.postgres.provisioning_url("postgres", "seed_staging"), autocommit=True
    ) as connection:
        connection.execute("DELETE FROM seed.rate_limit_cell")
        try:
            yield
        finally:
            connection.execute("DELETE FROM seed.rate_limit_cell")


@contextmanager
def served(
    stack: RunningStack,
    tenant_id: UUID,
    tenant: str = "tenant-a",
    environment: str = "staging",
    program: Sequence[str] = (str(Path(sys.executable).with_name("seed-data")), "serve"),
    **variables: str,
) -> Iterator[Served]:
    """Serve the API on a stack as `seed-data serve` does, until SIGTERM, which must end it well."""
    port = free_port(None)
    own = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_VARIABLES)}
    with subprocess.Popen(
        [*program, "--port", str(port)],
        env={**own, "SEED_STATE_DIR": str(stack.state_dir), **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        address = f"http://127.0.0.1:{port}"
        with httpx2.Client(base_url=address, timeout=60, trust_env=False) as client:
            try:
                _await(client)
                yield Served(stack, process.pid, address, client, tenant_id, tenant, environment)
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
