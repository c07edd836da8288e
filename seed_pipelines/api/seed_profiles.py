"""Validating manifests before anything runs."""

from typing import Final

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from seed_pipelines.api.admission import Asked
from seed_pipelines.api.admission import asked as asked_by
from seed_pipelines.api.answers import Answer, as_json, problem_answer
from seed_pipelines.api.bodies import Submitted, source_of
from seed_pipelines.api.header_fields import described, idempotency_key
from seed_pipelines.errors import ValidationFailure

router: Final = APIRouter(tags=["seed profiles"])

_QUICK_BYTES: Final = 4_096
"""JSON up to which a manifest is read and validated at once: sooner than a thread would have begun with it."""


@router.post("/seed-profiles/validate", openapi_extra=described(with_key=True))
async def validate_seed_profile(request: Request) -> Response:
    """Whether a manifest is right and the tenant's; whoever asks again under the key gets the same answer."""
    # FastAPI takes longer to solve dependencies than all of this takes.
    asked = await asked_by(request)
    key, source = idempotency_key(request), await source_of(request)
    verdicts = asked.services.verdicts
    quick = source.syntax == "json" and len(source.content) <= _QUICK_BYTES
    fingerprint = verdicts.fingerprint(source.content, source.syntax)
    submitted = None
    if fingerprint is None:
        submitted = Submitted.of(source) if quick else await to_thread.run_sync(Submitted.of, source)
        fingerprint = submitted.fingerprint
    subject = (fingerprint, asked.tenant.tenant_id, asked.tenant.slug, asked.environment)

    verdict = verdicts.answer(subject)

    def remembered(found: Answer) -> Answer:
        verdicts.remember(source.content, source.syntax, subject, found)
        return found

    def validated() -> Answer:
        return _validated(asked, submitted or Submitted.of(source))

    async def validated_in_thread() -> Answer:
        return remembered(await to_thread.run_sync(validated))

    claim = asked.claim("validate", key, fingerprint, "")
    if quick or verdict is not None:
        return await asked.at_once("read", claim, lambda: verdict or remembered(validated()))
    return await asked.once("read", claim, validated_in_thread)


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
