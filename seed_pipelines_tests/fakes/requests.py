"""What the API reaches, in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from seed_pipelines.adapters.postgres.access_decisions import AccessDecision
from seed_pipelines.adapters.postgres.admissions import Admission, Asking
from seed_pipelines.adapters.postgres.idempotency import Claim
from seed_pipelines.adapters.postgres.quick_answers import QuickRequest
from seed_pipelines.adapters.postgres.request_answers import Given
from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.domain.outbound import Endpoint
from seed_pipelines.domain.rate_limit import Decision
from seed_pipelines.errors import (
    DatabaseUnavailable,
    DependencyUnavailable,
    IdempotencyConflict,
    SeedRunEnded,
    SeedRunUnknown,
)
from seed_pipelines.orchestration.run_queue import QueuedRun
from seed_pipelines_tests.fakes.control import FakeControl


@dataclass
class FakeAnswers:
    """Answers that never grow old."""

    control: FakeControl
    answers: dict[tuple[object, ...], tuple[str, str]] = field(default_factory=dict)
    ids: dict[tuple[object, ...], UUID] = field(default_factory=dict)
    computed: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def find(self, claim: Claim) -> str | None:
        used_for, text = self.answers.get(tuple(claim.identity), (claim.manifest_hash, None))
        if used_for != claim.manifest_hash:
            raise IdempotencyConflict("Another manifest.", key=claim.key)
        return text

    async def once(self, claim: Claim, permission: AccessDecision, answer: Callable[[], Awaitable[str]]) -> Given:
        self.control.record_decision(permission)
        async with self.lock:
            found = await self.find(claim)
            if found is not None:
                return Given(found, repeated=True)
            text = await answer()
            self.computed += 1
            self.answers[tuple(claim.identity)] = (claim.manifest_hash, text)
            return Given(text, repeated=False)

    def reserved(self, claim: Claim) -> UUID:
        return self.ids.setdefault(tuple(claim.identity), uuid4())


@dataclass
class FakeAdmissions:
    """So many requests, and no more until the test says so."""

    control: FakeControl
    left: int = 1_000
    asked: list[Asking] = field(default_factory=list)
    """What was taken for."""

    async def ask(self, asking: Asking) -> Admission:
        tenant = self.control.tenant(asking.tenant_id)
        roles = self.control.roles_of(asking.subject, tenant.tenant_id, asking.environment)
        if asking.named not in (str(tenant.tenant_id), tenant.slug):
            return Admission(tenant, roles, None)
        self.asked.append(asking)
        if self.left < 1:
            return Admission(tenant, roles, Decision(False, remaining=0, retry_after_seconds=0.4, reset_seconds=59.5))
        self.left -= 1
        return Admission(tenant, roles, Decision(True, remaining=self.left, retry_after_seconds=0, reset_seconds=0.5))


@dataclass
class FakeQuickAnswers:
    """Those of the other answers and admissions, one request after the other."""

    answers: FakeAnswers
    admissions: FakeAdmissions
    elsewhere: set[str] = field(default_factory=set)
    """Keys that another process has."""

    async def ask(self, request: QuickRequest) -> Given | Admission:
        claim, admission = request.claim, await self.admissions.ask(request.asking)
        if claim.key in self.elsewhere:
            return admission
        permission = request.permission(admission, tuple(claim.identity) in self.answers.answers)
        if permission.refusal is not None:
            self.answers.control.record_decision(permission.decision)
            raise permission.refusal

        async def answer() -> str:
            return request.answer(admission.tenant)

        return await self.answers.once(claim, permission.decision, answer)


@dataclass
class FakeRuns:
    """A queue that nobody empties."""

    runs: dict[str, QueuedRun] = field(default_factory=dict)
    away: bool = False

    def submit(self, manifest: Manifest, path: Path, run_id: str, idempotency_key: str) -> None:
        self.ping()
        metadata = manifest.metadata
        run = QueuedRun(
            run_id=run_id,
            origin=run_id,
            job="seed__staging__tenant_a",
            tenant=metadata.tenant,
            environment=metadata.environment,
            manifest=manifest.integrity.manifest_hash[:12],
            idempotency_key=idempotency_key,
            state="queued",
            created_at=datetime(2025, 6, 1, 2, 0, tzinfo=UTC),
        )
        self.runs.setdefault(run_id, run)

    def find(self, run_id: str) -> QueuedRun | None:
        self.ping()
        return self.runs.get(run_id)

    def page(self, tenant: str, environment: str, after: str | None, limit: int) -> Sequence[QueuedRun]:
        mine = [run for run in reversed(self.runs.values()) if (run.tenant, run.environment) == (tenant, environment)]
        start = 0 if after is None else [run.run_id for run in mine].index(after) + 1
        return mine[start : start + limit]

    def cancel(self, run_id: str) -> None:
        run = self.find(run_id)
        if run is None:
            raise SeedRunUnknown("No such run.")
        if run.state not in ("queued", "running"):
            raise SeedRunEnded("Over.", run_status=run.state)
        self.runs[run_id] = replace(run, state="aborted" if run.state == "queued" else "canceling")

    def ping(self) -> None:
        if self.away:
            raise DatabaseUnavailable("postgresql://dagster@secret-host is away.")


@dataclass
class FakeServers:
    """Vault and the stubs, which answer until the test says what they lack."""

    lacking: DependencyUnavailable | None = None
    asked: list[Collection[Endpoint]] = field(default_factory=list)

    def ask(self, endpoints: Collection[Endpoint]) -> None:
        self.asked.append(tuple(endpoints))
        if self.lacking is not None:
            raise self.lacking
