"""Seed runs: put into Dagster's queue, looked at, cancelled."""

import base64
import hashlib
from typing import Annotated, Any, Final
from uuid import UUID

from anyio import to_thread
from fastapi import APIRouter, Header, Path, Query, Request
from starlette.responses import Response

from seed_pipelines.adapters.postgres.idempotency import Claim, Replay
from seed_pipelines.api.admission import Asked, AskedNow, Key
from seed_pipelines.api.answers import Answer, as_json, problem_answer
from seed_pipelines.api.bodies import Body, Submitted, acceptable
from seed_pipelines.api.header_fields import described
from seed_pipelines.api.run_representation import OVER, body_of, entity_tag, names_tag, shown
from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.errors import (
    IdempotencyConflict,
    ManifestHashMismatch,
    PreconditionFailed,
    PreconditionRequired,
    RequestInvalid,
    SeedRunEnded,
    SeedRunUnknown,
    ValidationFailure,
)
from seed_pipelines.orchestration.run_queue import QueuedRun
from seed_pipelines.seeding import guards

router: Final = APIRouter(tags=["seed runs"])

_LONGEST_PAGE: Final = 100
_CURSOR: Final = "^[A-Za-z0-9_-]{22}$"
"""The sixteen bytes of a run's id in base64url (RFC 4648, section 5), unpadded."""
_PLACE: Final = "/api/v1/seed-runs"

RunId = Annotated[UUID, Path(alias="id")]


@router.post("/seed-runs", openapi_extra=described(with_key=True))
async def create_seed_run(asked: AskedNow, key: Key, source: Body) -> Response:
    """Put a run of a deployed manifest into the queue, once for a key, if it may begin now and what it needs answers."""
    submitted = await to_thread.run_sync(Submitted.of, source)
    claim = asked.claim("seed_run_request", key, submitted.fingerprint, "")
    return await asked.once("seed", claim, lambda: to_thread.run_sync(_created, asked, claim, submitted))


@router.get("/seed-runs", openapi_extra=described(with_key=False))
def list_seed_runs(
    request: Request,
    asked: AskedNow,
    limit: Annotated[int, Query(ge=1, le=_LONGEST_PAGE)] = 20,
    cursor: Annotated[str | None, Query(pattern=_CURSOR)] = None,
) -> Response:
    """The runs of a tenant and environment, the newest first, page by page."""
    acceptable(request)
    asked.within_allowance()
    asked.authorize("read")
    after = None if cursor is None else _visible(asked, _run_id_of(cursor)).run_id
    page = asked.services.runs.page(asked.tenant.slug, asked.environment, after, limit + 1)
    more = _cursor(page[limit - 1].run_id) if len(page) > limit else None
    items = shown(page[:limit], asked.realm.control, asked.tenant)
    links = {} if more is None else {"Link": f'<{_PLACE}?limit={limit}&cursor={more}>; rel="next"'}
    return Answer(200, as_json({"items": items, "next_cursor": more}), headers=links).response()


@router.get("/seed-runs/{id}", openapi_extra=described(with_key=False))
def read_seed_run(
    request: Request,
    asked: AskedNow,
    run_id: RunId,
    if_none_match: Annotated[str | None, Header(alias="If-None-Match")] = None,
) -> Response:
    """A run as it is now; nothing but its entity tag where the caller knows that state."""
    acceptable(request)
    asked.within_allowance()
    asked.authorize("read")
    answer = _represented(asked, _visible(asked, str(run_id)), 200)
    if if_none_match is not None and names_tag(if_none_match, answer.headers["ETag"], weakly=True):
        return Response(status_code=304, headers=dict(answer.headers))
    return answer.response()


@router.post("/seed-runs/{id}/cancel", openapi_extra=described(with_key=True))
async def cancel_seed_run(
    request: Request,
    asked: AskedNow,
    key: Key,
    run_id: RunId,
    if_match: Annotated[str | None, Header(alias="If-Match")] = None,
) -> Response:
    """Take a run out of the queue, or have it end: what it has committed stays."""
    acceptable(request)
    content_hash = hashlib.sha256(str(run_id).encode()).hexdigest()
    claim = asked.claim("seed_run_cancel", key, content_hash, "")
    return await asked.once("seed", claim, lambda: to_thread.run_sync(_cancelled, asked, str(run_id), if_match))


def _created(asked: Asked, claim: Claim, submitted: Submitted) -> Answer:
    services = asked.services
    try:
        manifest = submitted.manifest(asked.tenant, asked.environment, services.catalogue)
        guards.in_canary(manifest)
        loaded = services.deployed(manifest)
        if loaded is None:
            raise RequestInvalid(
                "No deployed manifest is of this tenant, environment and profile: deploy it, and order it under a new key."
            )
        if loaded.manifest.integrity.manifest_hash != manifest.integrity.manifest_hash:
            raise ManifestHashMismatch(
                "The deployed manifest has other content: deploy this one, and order it under a new key.", issues=[]
            )
    except ValidationFailure as refusal:
        return problem_answer(refusal, services.clock)
    _refuse_used_key(asked, manifest, claim.key)
    guards.inside_window(manifest, services.clock(), None)
    guards.outbound_allowed(manifest, services.stubs)
    services.servers.ask(services.stubs.endpoints(manifest).values())
    run_id = str(asked.realm.answers.reserved(claim))
    services.runs.submit(manifest, loaded.path, run_id, claim.key)
    return _represented(asked, _visible(asked, run_id), 201)


def _refuse_used_key(asked: Asked, manifest: Manifest, key: str) -> None:
    """No run that was asked for elsewhere has the key; IdempotencyConflict, IdempotencyInProgress."""
    metadata, manifest_hash = manifest.metadata, manifest.integrity.manifest_hash
    claim = asked.claim("seed_run", key, manifest_hash, metadata.profile)
    found = asked.realm.control.answered(claim, None, lambda _holder: False)
    if isinstance(found, Replay):
        raise IdempotencyConflict(
            f"The key {key!r} was answered by seed run {found.seed_run_id}, which was started by other means: use a new key.",
            key=key,
            seed_run_id=str(found.seed_run_id),
        )


def _cancelled(asked: Asked, run_id: str, if_match: str | None) -> Answer:
    seen = _seen(asked, _visible(asked, run_id))
    if if_match is None:
        raise PreconditionRequired("Say in If-Match which state of the run you have seen: its ETag.")
    if not names_tag(if_match, entity_tag(body_of(seen)), weakly=False):
        raise PreconditionFailed("The run is no longer in that state: look at it again.")
    if seen["status"] in OVER:  # its last process may still be on its way out
        raise SeedRunEnded(f"The run is over: {seen['status']}.", run_status=seen["status"])
    asked.services.runs.cancel(run_id)
    return _represented(asked, _visible(asked, run_id), 202)


def _visible(asked: Asked, run_id: str) -> QueuedRun:
    """A run of the tenant and environment; SeedRunUnknown for any other, be it there or not."""
    run = asked.services.runs.find(run_id)
    if run is None or (run.tenant, run.environment) != (asked.tenant.slug, asked.environment):
        raise SeedRunUnknown(f"There is no run {run_id} of this tenant and environment.")
    return run


def _seen(asked: Asked, run: QueuedRun) -> dict[str, Any]:
    (seen,) = shown([run], asked.realm.control, asked.tenant)
    return seen


def _represented(asked: Asked, run: QueuedRun, status: int) -> Answer:
    body = body_of(_seen(asked, run))
    headers = {"ETag": entity_tag(body), "Cache-Control": "private, no-cache"}
    return Answer(status, body, headers=headers | ({"Location": f"{_PLACE}/{run.run_id}"} if status == 201 else {}))


def _cursor(run_id: str) -> str:
    return base64.urlsafe_b64encode(UUID(run_id).bytes).decode().rstrip("=")


def _run_id_of(cursor: str) -> str:
    return str(UUID(bytes=base64.urlsafe_b64decode(cursor + "==")))
