"""Validating manifests before anything runs."""

from collections.abc import Callable
from typing import Final, TypeVar

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from seed_pipelines.api.admission import Asked
from seed_pipelines.api.admission import asked as asked_by
from seed_pipelines.api.answers import Answer, as_json, problem_answer
from seed_pipelines.api.bodies import Source, Submitted, source_of
from seed_pipelines.api.header_fields import described, idempotency_key
from seed_pipelines.errors import ValidationFailure

router: Final = APIRouter(tags=["seed profiles"])

_QUICK_BYTES: Final = 4_096
"""JSON up to which a manifest is read and validated at once: sooner than a thread would have begun with it."""

Found = TypeVar("Found")


@router.post("/seed-profiles/validate", openapi_extra=described(with_key=True))
async def validate_seed_profile(request: Request) -> Response:
    """Whether a manifest is right and the tenant's; whoever asks again under the key gets the same answer."""
    # FastAPI takes longer to solve dependencies than all of this takes.
    asked = await asked_by(request)
    key, source = idempotency_key(request), await source_of(request)
    verdicts = asked.services.verdicts
    known = verdicts.fingerprint(source.content, source.syntax)
    submitted = await _worked_out(source, lambda: Submitted.of(source)) if known is None else None
    fingerprint = known if submitted is None else submitted.fingerprint
    subject = (str(fingerprint), asked.tenant.tenant_id, asked.tenant.slug, asked.environment)

    async def answer() -> Answer:
        found = await _worked_out(source, lambda: _validated(asked, submitted or Submitted.of(source)))
        verdicts.remember(source.content, source.syntax, subject, found)
        return found

    claim = asked.claim("validate", key, subject[0], "")
    return await asked.once("read", claim, answer, verdicts.answer(subject))


async def _worked_out(source: Source, work: Callable[[], Found]) -> Found:
    """What comes of work on a manifest, which holds up no other request for long."""
    if source.syntax == "json" and len(source.content) <= _QUICK_BYTES:
        return work()
    return await to_thread.run_sync(work)


def _validated(asked: Asked, submitted: Submitted) -> Answer:
    try:
        document = submitted.valid_document(asked.tenant, asked.environment, asked.services.catalogue)
    except ValidationFailure as refusal:
        return problem_answer(refusal, asked.services.clock)
    content = {
        "valid": True,
        "issues": [],
        "manifest_hash": document["integrity"]["manifest_hash"],
        "normalized_version": document["metadata"]["version"].partition("+")[0],
        "schema_version": document["metadata"]["schema_version"],
    }
    return Answer(200, as_json(content))
