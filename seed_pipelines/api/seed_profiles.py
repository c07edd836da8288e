"""Validating manifests before anything runs."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, cast

from anyio import to_thread
from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from seed_pipelines.adapters.postgres.idempotency import Claim
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.api.admission import Asked
from seed_pipelines.api.admission import known as known_by
from seed_pipelines.api.answers import Answer, as_json, problem_answer
from seed_pipelines.api.bodies import Source, Submitted, source_of
from seed_pipelines.api.header_fields import described, idempotency_key
from seed_pipelines.api.services import ApiServices
from seed_pipelines.errors import SeedError, ValidationFailure

_QUICK_BYTES: Final = 4_096
"""JSON up to which a manifest is read and validated at once: sooner than a thread would have begun with it."""


class _ReadsRequest(APIRoute):
    """Hands its function the request: FastAPI takes longer to find no dependencies than a manifest takes to be read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return cast(Callable[[Request], Coroutine[Any, Any, Response]], self.endpoint)


def route(prefix: str) -> APIRoute:
    """The route, for the application itself: what a router holds is found later."""
    path, described_by = f"{prefix}/seed-profiles/validate", described(with_key=True)
    return _ReadsRequest(
        path, validate_seed_profile, methods=["POST"], tags=["seed profiles"], openapi_extra=described_by
    )


async def validate_seed_profile(request: Request) -> Response:
    """Whether a manifest is right and the tenant's; whoever asks again under the key gets the same answer."""
    known = await known_by(request)
    if not _is_short(request):
        asked = await known.asked()
        return await _in_a_thread(asked, idempotency_key(request), await source_of(request))
    try:
        key, source = idempotency_key(request), await source_of(request)
    except SeedError:
        await known.asked()  # whoever may not ask at all is told so first
        raise
    if source.syntax != "json" and known.services.verdicts.fingerprint(source.content, source.syntax) is None:
        return await _in_a_thread(await known.asked(), key, source)
    manifest = _Manifest.of(source, known.services)
    claim = Claim(known.token.tenant_id, known.asking.environment, "validate", key, manifest.fingerprint, "")
    return await known.at_once("read", claim, lambda tenant: manifest.answer(tenant, known.asking.environment))


async def _in_a_thread(asked: Asked, key: str, source: Source) -> Response:
    manifest = await to_thread.run_sync(_Manifest.of, source, asked.services)

    async def answer() -> Answer:
        return await to_thread.run_sync(manifest.answer, asked.tenant, asked.environment)

    return await asked.once("read", asked.claim("validate", key, manifest.fingerprint, ""), answer)


def _is_short(request: Request) -> bool:
    """Whether the body is surely so short that it may be read before it is known who may send it."""
    length = request.headers.get("Content-Length", "")
    is_counted = length.isascii() and length.isdigit() and "Transfer-Encoding" not in request.headers
    return is_counted and int(length) <= _QUICK_BYTES


@dataclass(frozen=True)
class _Manifest:
    """A manifest that was sent, which may have been validated before."""

    services: ApiServices
    source: Source
    submitted: Submitted | None
    """None where the same bytes were read before."""
    fingerprint: str

    @classmethod
    def of(cls, source: Source, services: ApiServices) -> "_Manifest":
        fingerprint = services.verdicts.fingerprint(source.content, source.syntax)
        if fingerprint is not None:
            return cls(services, source, None, fingerprint)
        submitted = Submitted.of(source)
        return cls(services, source, submitted, submitted.fingerprint)

    def answer(self, tenant: Tenant, environment: str) -> Answer:
        subject = (self.fingerprint, tenant.tenant_id, tenant.slug, environment)
        verdicts = self.services.verdicts
        verdict = verdicts.answer(subject)
        if verdict is None:
            verdict = self._validated(tenant, environment)
            verdicts.remember(self.source.content, self.source.syntax, subject, verdict)
        return verdict

    def _validated(self, tenant: Tenant, environment: str) -> Answer:
        submitted = self.submitted or Submitted.of(self.source)
        try:
            document = submitted.valid_document(tenant, environment, self.services.catalogue)
        except ValidationFailure as refusal:
            return problem_answer(refusal, self.services.clock)
        content = {
            "valid": True,
            "issues": [],
            "manifest_hash": document["integrity"]["manifest_hash"],
            "normalized_version": document["metadata"]["version"].partition("+")[0],
            "schema_version": document["metadata"]["schema_version"],
        }
        return Answer(200, as_json(content))
