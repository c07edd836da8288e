"""The application over fakes, and somebody who may ask it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from seed_pipelines.adapters.manifest_files import LoadedManifest
from seed_pipelines.api.app import create_app
from seed_pipelines.api.services import Allowance, ApiServices, Realm
from seed_pipelines.api.tokens import SUBJECT_PREFIX, RememberedTokens, TokenVerifier
from seed_pipelines.api.verdicts import Verdicts
from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.manifest import Manifest, read_manifest
from seed_pipelines.domain.stub_addresses import StubAddresses
from seed_pipelines.errors import IdentityUnavailable
from seed_pipelines_tests.api.issuers import AUDIENCE, ISSUER, SUBJECT, Issuer
from seed_pipelines_tests.contracts.responses import check_response
from seed_pipelines_tests.fakes.requests import FakeAdmissions, FakeAnswers, FakeQuickAnswers, FakeRuns, FakeServers
from seed_pipelines_tests.manifest_examples import example
from seed_pipelines_tests.worlds import TENANT, World

VALIDATE = "/api/v1/seed-profiles/validate"
RUNS = "/api/v1/seed-runs"


@dataclass
class Keys:
    """The issuer's key set without an outside system."""

    issuer: Issuer
    away: bool = False

    def key(self, key_id: str) -> jwt.PyJWK | None:
        if self.away:
            raise IdentityUnavailable("https://issuer.internal/keys is away.")
        found = jwt.PyJWKSet.from_dict(self.issuer.key_set).keys
        return next((key for key in found if key.key_id == key_id), None)


@dataclass
class ApiWorld:
    """The application and all it reaches."""

    world: World
    issuer: Issuer
    client: TestClient
    answers: FakeAnswers
    limits: FakeAdmissions
    runs: FakeRuns
    servers: FakeServers
    keys: Keys
    quick_answers: FakeQuickAnswers
    folder: dict[tuple[str, str, str], Manifest] = field(default_factory=dict)
    """What is deployed."""

    def headers(self, *, key: str | None = "key-1", token: str | None = None, **changes: str | None) -> dict[str, str]:
        """Those of a request for tenant-a in staging; one changed to None is left out."""
        wanted: dict[str, str | None] = {
            "Authorization": f"Bearer {token or self.issuer.token()}",
            "X-Tenant-ID": TENANT.slug,
            "X-Environment": "staging",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            **{name.replace("_", "-"): value for name, value in changes.items()},
        }
        return {name: value for name, value in wanted.items() if value is not None}

    def post(self, path: str = VALIDATE, body: Any = None, **headers: Any) -> Response:
        """Send a manifest, by default the sealed example, and hold the answer against the contract."""
        content = body if isinstance(body, str | bytes) else json.dumps(example() if body is None else body)
        return check_response(self.client.post(path, content=content, headers=self.headers(**headers)))

    def get(self, path: str, **headers: Any) -> Response:
        """Ask for something, and hold the answer against the contract."""
        return check_response(self.client.get(path, headers=self.headers(key=None, **headers)))


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def api(world: World, issuer: Issuer) -> Iterator[ApiWorld]:
    """An application whose caller is a seed-runner, inside the window, with the example deployed."""
    world.catalogue = Catalogue.packaged()
    world.control.granted_to[SUBJECT_PREFIX + SUBJECT] = frozenset({"seed-runner"})
    control, runs, servers, keys = world.control, FakeRuns(), FakeServers(), Keys(issuer)
    answers, limits = FakeAnswers(control), FakeAdmissions(control)
    quick_answers = FakeQuickAnswers(answers, limits)
    deployed = read_manifest(example(), world.catalogue, ENTITIES)
    folder = {deployed.identity: deployed}

    def found(manifest: Manifest) -> LoadedManifest | None:
        there = folder.get(manifest.identity)
        return None if there is None else LoadedManifest(Path("tenant-a.yaml"), "", there, there.document)

    services = ApiServices(
        realms=lambda _: Realm(control, answers, limits, quick_answers),
        environments=("staging", "perf"),
        runs=runs,
        deployed=found,
        stubs=StubAddresses(own={"kyc": "http://stub:4010"}),
        servers=servers,
        tokens=RememberedTokens(TokenVerifier(keys, ISSUER, AUDIENCE)),
        catalogue=world.catalogue,
        verdicts=Verdicts(),
        allowance=Allowance(limit=120, window_seconds=60, burst=120),
        clock=lambda: world.now,
    )
    with TestClient(create_app(services), raise_server_exceptions=False) as client:
        yield ApiWorld(world, issuer, client, answers, limits, runs, servers, keys, quick_answers, folder)
