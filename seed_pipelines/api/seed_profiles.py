"""Validating manifests before anything runs."""

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from seed_pipelines.api.admission import Asked, AskedNow, Key
from seed_pipelines.api.answers import Answer, as_json, problem_answer
from seed_pipelines.api.bodies import Body, Submitted
from seed_pipelines.errors import ValidationFailure

router: Final = APIRouter(tags=["seed profiles"])


@router.post("/seed-profiles/validate")
def validate_seed_profile(asked: AskedNow, key: Key, source: Body) -> Response:
    """Whether a manifest is right and the tenant's; whoever asks again under the key gets the same answer."""
    submitted = Submitted.of(source)
    claim = asked.claim("validate", key, submitted.fingerprint, "")
    if not asked.decision.allowed:
        found = asked.realm.answers.find(claim)
        if found is None:
            asked.within_allowance()
        else:
            asked.authorize("read")
            return Answer.stored(found).response(repeated=True)
    asked.authorize("read")
    given = asked.realm.answers.once(claim, lambda: _validated(asked, submitted).text)
    return Answer.stored(given.text).response(repeated=given.repeated)


def _validated(asked: Asked, submitted: Submitted) -> Answer:
    try:
        manifest = submitted.manifest(asked.tenant, asked.environment, asked.services.catalogue)
    except ValidationFailure as refusal:
        return problem_answer(refusal, asked.services.clock)
    content = {
        "valid": True,
        "issues": [],
        "manifest_hash": manifest.integrity.manifest_hash,
        "normalized_version": manifest.metadata.version.partition("+")[0],
        "schema_version": manifest.metadata.schema_version,
    }
    return Answer(200, as_json(content))
