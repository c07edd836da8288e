"""Who asks, for which tenant and environment, and how often: what every request passes, in this order."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final
from uuid import uuid4

from anyio import to_thread
from fastapi import Depends, Request
from starlette.responses import Response

from seed_pipelines.adapters.postgres.access_decisions import Action
from seed_pipelines.adapters.postgres.admissions import Asking
from seed_pipelines.adapters.postgres.idempotency import Claim, Operation
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
        """Whether the subject of the token may do it."""
        caller = Caller(str(uuid4()), self.token.subject, self.token.roles)
        return permission_of(self.token.subject, self.roles, self.tenant, self.environment, action, caller)

    def authorize(self, action: Action) -> None:
        """The subject of the token may do it, and the answer is on record; Forbidden. Waits for the database."""
        permission = self.permission(action)
        self.realm.control.record_decision(permission.decision)
        if permission.refusal is not None:
            raise Forbidden(permission.refusal.detail) from permission.refusal

    def claim(self, operation: Operation, key: str, content_hash: str, profile: str) -> Claim:
        """What is asked for under a key."""
        return Claim(self.tenant.tenant_id, self.environment, operation, key, content_hash, profile)

    async def once(self, action: Action, claim: Claim, answer: Callable[[], Awaitable[Answer]]) -> Response:
        """The answer that was given under the key, whatever is left of the allowance, or a new one within it."""
        permission = await self._permitted(action, claim)

        async def text() -> str:
            return (await answer()).text

        return _response(await self.realm.answers.once(claim, permission.decision, text))

    async def at_once(self, action: Action, claim: Claim, answer: Callable[[], Answer]) -> Response:
        """The same, where the answer is worked out in no time."""
        permission = await self._permitted(action, claim)
        return _response(await self.realm.answers.at_once(claim, permission.decision, lambda: answer().text))

    async def _permitted(self, action: Action, claim: Claim) -> Permission:
        """There is an answer or an allowance for one, and the subject of the token may have it; RateLimited, Forbidden."""
        if not self.decision.allowed and await self.realm.answers.find(claim) is None:
            self.within_allowance()
        permission = self.permission(action)
        if permission.refusal is not None:
            await to_thread.run_sync(self.authorize, action)
        return permission


def _response(given: Given) -> Response:
    return Answer.stored(given.text).response(repeated=given.repeated)


def services_of(request: Request) -> ApiServices:
    """What the application reaches."""
    services: ApiServices = request.app.state.services
    return services


async def asked(request: Request) -> Asked:
    """Somebody who is known asks, and it is counted; Forbidden unless the token is for this tenant and environment.

    Unauthenticated before anything else; RequestMalformed.
    """
    services = services_of(request)
    token = await services.tokens.verify(request.headers.get("Authorization"))
    wanted = named(request, with_key=request.method == "POST")
    if wanted.environment != token.environment or wanted.environment not in services.environments:
        raise Forbidden(f"{token.subject} asks for {wanted.environment} with a token for {token.environment}.")
    realm, allowance = services.realms(wanted.environment), services.allowance
    asking = Asking(token.subject, token.tenant_id, wanted.tenant.lower(), wanted.environment, _PURPOSE)
    found = await realm.admissions.ask(asking, allowance.limit, allowance.window_seconds, allowance.burst)
    if found.decision is None:
        raise Forbidden(f"{token.subject} asks for {wanted.tenant!r} with a token for {found.tenant.slug}.")
    setattr(request.state, DECISION, found.decision)
    return Asked(services, realm, token, found.tenant, found.roles, wanted.environment, found.decision)


async def _key(request: Request) -> str:
    return idempotency_key(request)


AskedNow = Annotated[Asked, Depends(asked)]
Key = Annotated[str, Depends(_key)]
