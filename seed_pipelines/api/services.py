"""What the API reaches: the control database of each environment, Dagster's queue, the deployed manifests, the keys of tokens."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

from seed_pipelines.adapters.manifest_files import LoadedManifest
from seed_pipelines.adapters.postgres.access_decisions import AccessDecision
from seed_pipelines.adapters.postgres.admissions import Admission, Asking
from seed_pipelines.adapters.postgres.idempotency import Claim
from seed_pipelines.adapters.postgres.quick_answers import QuickRequest
from seed_pipelines.adapters.postgres.request_answers import Given
from seed_pipelines.api.tokens import RememberedTokens
from seed_pipelines.api.verdicts import Verdicts
from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.domain.outbound import Endpoint
from seed_pipelines.domain.stub_addresses import StubAddresses
from seed_pipelines.orchestration.run_queue import QueuedRun
from seed_pipelines.seeding.control_database import ControlDatabase


class Admissions(Protocol):
    """Tenants, grants and allowances."""

    async def ask(self, asking: Asking) -> Admission:
        """Look the subject and the tenant up, and take a request from the tenant's allowance; TenantUnknown."""


class Answers(Protocol):
    """Answers that are given once under a key and repeated for a day."""

    async def find(self, claim: Claim) -> str | None:
        """The answer that was given under the key, None if there is none; IdempotencyConflict."""

    async def once(self, claim: Claim, permission: AccessDecision, answer: Callable[[], Awaitable[str]]) -> Given:
        """The answer under the key: the one that was given, or what `answer` gives now while others wait.

        `permission` is recorded before, whatever becomes of the request.
        """

    def reserved(self, claim: Claim) -> UUID:
        """The id for what is made under the key, the same until it is answered; for a thread that may wait."""


class QuickAnswers(Protocol):
    """Answers that are worked out in no time, to requests that are admitted meanwhile."""

    async def ask(self, request: QuickRequest) -> Given | Admission:
        """Take a request from the tenant's allowance and answer it under its key.

        The admission where another process is at work on the key. Whatever the request's functions raise is raised, and
        TenantUnknown, IdempotencyConflict.
        """


class Runs(Protocol):
    """Dagster's queue."""

    def submit(self, manifest: Manifest, path: Path, run_id: str, idempotency_key: str) -> None:
        """Put a run over every shard into the queue; nothing happens if there is one with this id."""

    def find(self, run_id: str) -> QueuedRun | None:
        """The run of an id; None if there is none."""

    def page(self, tenant: str, environment: str, after: str | None, limit: int) -> Sequence[QueuedRun]:
        """At most `limit` runs of a tenant and environment, the newest first, those before the run `after`."""

    def cancel(self, run_id: str) -> None:
        """Take a run out of the queue, or have it end; SeedRunUnknown, SeedRunEnded, StackUnavailable."""

    def ping(self) -> None:
        """DatabaseUnavailable if it does not answer."""


class Servers(Protocol):
    """What a run will need besides the databases."""

    def ask(self, endpoints: Collection[Endpoint]) -> None:
        """Vault is unsealed and the stubs at these endpoints answer; VaultUnavailable, StubUnavailable."""


@dataclass(frozen=True)
class Realm:
    """One environment."""

    control: ControlDatabase
    answers: Answers
    admissions: Admissions
    quick_answers: QuickAnswers


@dataclass(frozen=True)
class Allowance:
    """What a tenant may send to the API in an environment."""

    limit: int
    """Requests in the window, on the long run."""
    window_seconds: int
    burst: int
    """Requests at once."""


@dataclass(frozen=True)
class ApiServices:
    """Everything the API reaches."""

    realms: Callable[[str], Realm]
    """Environment that is served -> what is reached there."""
    environments: tuple[str, ...]
    """Those that are served."""
    runs: Runs
    deployed: Callable[[Manifest], LoadedManifest | None]
    """The manifest of the same tenant, environment and profile that Dagster's jobs are made of."""
    stubs: StubAddresses
    """Where the stubs of the outside systems are."""
    servers: Servers
    tokens: RememberedTokens
    catalogue: Catalogue
    verdicts: Verdicts
    allowance: Allowance
    clock: Callable[[], datetime]
    """Now, in UTC."""
