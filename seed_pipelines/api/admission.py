"""Who asks, for which tenant and environment, and how often: what every request passes, in this order."""

from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID, uuid4

from fastapi import Depends, Header, Request

from seed_pipelines.adapters.postgres.access_decisions import AccessDecision, Action
from seed_pipelines.adapters.postgres.idempotency import Claim, Operation
from seed_pipelines.adapters.postgres.rate_limits import RateLimitKey
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.api.rate_headers import DECISION
from seed_pipelines.api.services import ApiServices, Realm
from seed_pipelines.api.tokens import Token
from seed_pipelines.domain.catalogue import Environment
from seed_pipelines.domain.rate_limit import Decision
from seed_pipelines.errors import Forbidden, RateLimited, RequestInvalid, RequestMalformed
from seed_pipelines.seeding import guards
from seed_pipelines.seeding.authorization import Caller, authorize
from seed_pipelines.seeding.services import ControlDatabase

_PURPOSE: Final = "api"


@dataclass(frozen=True)
class TokenSubject:
    """The subject of a token, whose grants the control database has."""

    name: str
    control: ControlDatabase

    def subject(self) -> str:
        """Its name in the grants."""
        return self.name

    def roles(self, tenant_id: UUID, environment: str) -> frozenset[str]:
        """The roles granted to it."""
        return self.control.roles_of(self.name, tenant_id, environment)

    def record_decision(self, decision: AccessDecision) -> None:
        """Add a decision to the record."""
        self.control.record_decision(decision)


@dataclass(frozen=True)
class Asked:
    """A request of somebody who is known, for a tenant and environment that the token is for."""

    services: ApiServices
    realm: Realm
    token: Token
    tenant: Tenant
    environment: str
    decision: Decision

    def within_allowance(self) -> None:
        """The rate limiter admitted the request; RateLimited."""
        if not self.decision.allowed:
            raise RateLimited("The allowance is used up: Retry-After says when the next request is taken.")

    def authorize(self, action: Action) -> None:
        """The subject of the token may do it, and the answer is on record; Forbidden."""
        subject = TokenSubject(self.token.subject, self.realm.control)
        caller = Caller(str(uuid4()), self.token.subject, self.token.roles)
        try:
            authorize(subject, self.tenant, self.environment, action, caller)
        except RequestInvalid as error:
            raise Forbidden(error.detail) from error

    def claim(self, operation: Operation, key: str, content_hash: str, profile: str) -> Claim:
        """What is asked for under a key."""
        return Claim(self.tenant.tenant_id, self.environment, operation, key, content_hash, profile)


def services_of(request: Request) -> ApiServices:
    """What the application reaches."""
    services: ApiServices = request.app.state.services
    return services


def token_of(request: Request) -> Token:
    """The bearer token; Unauthenticated."""
    return services_of(request).tokens.verify(request.headers.get("Authorization"))


def asked(
    request: Request,
    token: Annotated[Token, Depends(token_of)],
    tenant: Annotated[str, Header(alias="X-Tenant-ID", min_length=1, max_length=255)],
    environment: Annotated[Environment, Header(alias="X-Environment")],
) -> Asked:
    """Somebody who is known asks, and it is counted; Forbidden unless the token is for this tenant and environment."""
    services = services_of(request)
    if environment != token.environment or environment not in services.environments:
        raise Forbidden(f"{token.subject} asks for {environment} with a token for {token.environment}.")
    realm = services.realms(environment)
    known = realm.control.tenant(token.tenant_id)
    if tenant.lower() not in (str(known.tenant_id), known.slug):
        raise Forbidden(f"{token.subject} asks for {tenant!r} with a token for {known.slug}.")
    allowance = services.allowance
    key = RateLimitKey(known.tenant_id, environment, _PURPOSE)
    decision = realm.limits.take(key, allowance.limit, allowance.window_seconds, allowance.burst)
    setattr(request.state, DECISION, decision)
    return Asked(services, realm, token, known, environment, decision)


def idempotency_key(
    key: Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=guards.LONGEST_KEY)],
) -> str:
    """The key of a request that changes something; RequestMalformed."""
    try:
        guards.usable_key(key)
    except RequestInvalid as error:
        invalid = {"in": "header", "name": "Idempotency-Key", "message": error.detail}
        raise RequestMalformed(error.detail, invalid=[invalid]) from error
    return key


AskedNow = Annotated[Asked, Depends(asked)]
Key = Annotated[str, Depends(idempotency_key)]
