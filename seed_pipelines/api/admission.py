"""Who asks, for which tenant and environment, and how often: what every request passes, in this order."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated, Final
from uuid import uuid4

from anyio import to_thread
from fastapi import Depends, Request
from starlette.responses import Response

from seed_pipelines.adapters.postgres.access_decisions import Action
from seed_pipelines.adapters.postgres.admissions import Admission, Asking
from seed_pipelines.adapters.postgres.idempotency import Claim, Operation
from seed_pipelines.adapters.postgres.quick_answers import QuickRequest
from seed_pipelines.adapters.postgres.request_answers import Given
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.api.answers import Answer
from seed_pipelines.api.header_fields import idempotency_key, named
from seed_pipelines.api.rate_headers import DECISION
from seed_pipelines.api.services import ApiServices, Realm
from seed_pipelines.api.tokens import Token
from seed_pipelines.domain.rate_limit import Decision
from seed_pipelines.errors import Forbidden, RateLimited
from seed_pipelines.seeding.authorization import Caller, Permission, permission_of

_PURPOSE: Final = "api"


@dataclass(frozen=True)
class Asked:
    """A request of somebody who is known, for a tenant and environment that the token is for."""

    services: ApiServices
    realm: Realm
    token: Token
    tenant: Tenant
    roles: frozenset[str]
    """Granted to the subject of the token."""
    environment: str
    decision: Decision

    def within_allowance(self) -> None:
        """The rate limiter admitted the request; RateLimited."""
        if not self.decision.allowed:
            raise RateLimited("The allowance is used up: Retry-After says when the next request is taken.")

    def permission(self, action: Action) -> Permission:
        """Whether the subject of the token may do it; if not, with Forbidden."""
        caller = Caller(str(uuid4()), self.token.subject, self.token.roles)
        found = permission_of(self.token.subject, self.roles, self.tenant, self.environment, action, caller)
        return found if found.refusal is None else replace(found, refusal=Forbidden(found.refusal.detail))

    def authorize(self, action: Action) -> None:
        """The subject of the token may do it, and the answer is on record; Forbidden. Waits for the database."""
        permission = self.permission(action)
        self.realm.control.record_decision(permission.decision)
        if permission.refusal is not None:
            raise permission.refusal

    def claim(self, operation: Operation, key: str, content_hash: str, profile: str) -> Claim:
        """What is asked for under a key."""
        return Claim(self.tenant.tenant_id, self.environment, operation, key, content_hash, profile)

    async def once(self, action: Action, claim: Claim, answer: Callable[[], Awaitable[Answer]]) -> Response:
        """The answer that was given under the key, whatever is left of the allowance, or a new one within it."""
        permission = await self._permitted(action, claim)

        async def text() -> str:
            return (await answer()).text

        return _response(await self.realm.answers.once(claim, permission.decision, text))

    async def _permitted(self, action: Action, claim: Claim) -> Permission:
        """There is an answer or an allowance for one, and the subject of the token may have it; RateLimited, Forbidden."""
        permission = self.permission(action)
        is_found = not self.decision.allowed and permission.refusal is None
        if not (is_found and await self.realm.answers.find(claim) is not None):
            self.within_allowance()
        if permission.refusal is not None:
            await to_thread.run_sync(self.realm.control.record_decision, permission.decision)
            raise permission.refusal
        return permission


def _response(given: Given) -> Response:
    return Answer.stored(given.text).response(repeated=given.repeated)


def services_of(request: Request) -> ApiServices:
    """What the application reaches."""
    services: ApiServices = request.app.state.services
    return services


@dataclass(frozen=True)
class Known:
    """A request of somebody whose token is for the environment that it names; the database was not asked yet."""

    request: Request
    services: ApiServices
    realm: Realm
    token: Token
    asking: Asking

    def admitted(self, admission: Admission) -> Asked:
        """What the database says of it, which the response will tell; Forbidden unless the token is for the tenant."""
        if admission.decision is None:
            raise Forbidden(
                f"{self.token.subject} asks for {self.asking.named!r} with a token for {admission.tenant.slug}."
            )
        setattr(self.request.state, DECISION, admission.decision)
        found = (admission.tenant, admission.roles, self.asking.environment, admission.decision)
        return Asked(self.services, self.realm, self.token, *found)

    async def asked(self) -> Asked:
        """Ask the database, which counts the request; Forbidden, TenantUnknown."""
        return self.admitted(await self.realm.admissions.ask(self.asking))

    async def at_once(self, action: Action, claim: Claim, answer: Callable[[Tenant], Answer]) -> Response:
        """What `Asked.once` gives, where the answer is worked out in no time: those that come together share exchanges."""
        made: list[Answer] = []

        def permission(admission: Admission, is_answered: bool) -> Permission:
            asked = self.admitted(admission)
            found = asked.permission(action)
            if not is_answered or found.refusal is not None:
                asked.within_allowance()
            return found

        def text(tenant: Tenant) -> str:
            made.append(answer(tenant))
            return made[-1].text

        found = await self.realm.quick_answers.ask(QuickRequest(self.asking, claim, permission, text))
        if isinstance(found, Given):
            return made[-1].response() if made else _response(found)

        async def later() -> Answer:
            return answer(found.tenant)

        return await self.admitted(found).once(action, claim, later)


async def known(request: Request) -> Known:
    """Somebody who is known asks, for an environment that the token is for; Unauthenticated, RequestMalformed, Forbidden."""
    services = services_of(request)
    token = await services.tokens.verify(request.headers.get("Authorization"))
    wanted = named(request, with_key=request.method == "POST")
    if wanted.environment != token.environment or wanted.environment not in services.environments:
        raise Forbidden(f"{token.subject} asks for {wanted.environment} with a token for {token.environment}.")
    allowance = services.allowance
    asking = Asking(
        token.subject,
        token.tenant_id,
        wanted.tenant.lower(),
        wanted.environment,
        _PURPOSE,
        allowance.limit,
        allowance.window_seconds,
        allowance.burst,
    )
    return Known(request, services, services.realms(wanted.environment), token, asking)


async def asked(request: Request) -> Asked:
    """Somebody who is known asks, and it is counted; Forbidden unless the token is for this tenant and environment.

    Unauthenticated before anything else; RequestMalformed.
    """
    return await (await known(request)).asked()


async def _key(request: Request) -> str:
    return idempotency_key(request)


AskedNow = Annotated[Asked, Depends(asked)]
Key = Annotated[str, Depends(_key)]
