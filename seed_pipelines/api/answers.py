"""What is sent back: made once, stored as it was sent, repeated byte for byte."""

import json
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from starlette.responses import Response

from seed_pipelines.domain.stub_addresses import INTEGRATIONS_MEMBER
from seed_pipelines.errors import (
    DependencyUnavailable,
    ExternalCallsBlocked,
    Forbidden,
    IdempotencyInProgress,
    OutsideWindow,
    SeedError,
    TargetMismatch,
    TenantUnknown,
    Unauthenticated,
)

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"

_NOT_ALLOWED: Final = "This token does not allow it."
_AWAY_SECONDS: Final = 5
"""After which to try again what needs a server that is away."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    body: str
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """As it is stored."""
        return json.dumps(vars(self))

    @classmethod
    def stored(cls, text: str) -> "Answer":
        """The answer that was stored."""
        return cls(**json.loads(text))

    def response(self, *, repeated: bool = False) -> Response:
        """As it is sent; a header says whether it was sent before."""
        headers = {**self.headers, "Idempotency-Replayed": "true"} if repeated else dict(self.headers)
        headers.setdefault("Cache-Control", "no-store")
        return Response(self.body.encode(), self.status, headers, self.media_type)


def as_json(content: Mapping[str, Any]) -> str:
    """The text of a body."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=str)


def problem_answer(error: SeedError, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Answer:
    """The Problem Details (RFC 9457) of an error, without what only the operator of the API may know."""
    shown = _shown(error)
    headers = {}
    wait = _retry_after(error, now)
    if wait is not None:
        headers["Retry-After"] = str(wait)
    if isinstance(shown, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="seed_pipelines"' + _reason(error.extensions.get("error"))
    elif isinstance(shown, Forbidden):
        headers["WWW-Authenticate"] = 'Bearer realm="seed_pipelines"' + _reason("insufficient_scope")
    return Answer(shown.status, as_json(shown.problem()), PROBLEM, headers)


def _shown(error: SeedError) -> SeedError:
    """The error as callers see it: nothing of servers and logins, and one refusal for whatever a token does not allow."""
    if isinstance(error, Unauthenticated):
        return Unauthenticated(error.detail)
    if isinstance(error, Forbidden | TenantUnknown):
        logger.info("Refused: %s", error.detail)
        return Forbidden(_NOT_ALLOWED)
    if isinstance(error, DependencyUnavailable | TargetMismatch):
        logger.warning("%s: %s", error.code, error.detail)
        return type(error)(f"{error.title}. Ask again later.")
    if isinstance(error, ExternalCallsBlocked) and not error.extensions["endpoint"].startswith(INTEGRATIONS_MEMBER):
        logger.error("%s: %s", error.code, error.detail)
        return ExternalCallsBlocked(f"{error.title}: an address of this deployment is to be put right by its operator.")
    return error


def _reason(code: object) -> str:
    return f', error="{code}"' if code else ""


def _retry_after(error: SeedError, now: Callable[[], datetime]) -> int | None:
    """Whole seconds after which to ask again; None where the allowance says it."""
    if isinstance(error, DependencyUnavailable):
        return _AWAY_SECONDS
    if isinstance(error, IdempotencyInProgress):
        return max(1, int(error.extensions.get("expires_in_seconds") or 1))
    if isinstance(error, OutsideWindow):
        opens = datetime.fromisoformat(error.extensions["opens_at"])
        return max(1, math.ceil((opens - now()).total_seconds()))
    return None
