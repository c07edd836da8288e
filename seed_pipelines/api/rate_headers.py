"""Header fields that every response carries, whatever became of the request."""

import math
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seed_pipelines.api.services import Allowance
from seed_pipelines.domain.rate_limit import Decision

DECISION: Final = "rate_limit_decision"
"""Where the request's state has the answer of the rate limiter."""

_POLICY: Final = "api"
_NO_GUESSING: Final = {"X-Content-Type-Options": "nosniff"}


class CommonHeaders:
    """Puts the state of the caller's allowance, and what keeps browsers from guessing, on the responses of an application."""

    def __init__(self, app: ASGIApp, allowance: Allowance) -> None:
        self._app = app
        self._allowance = allowance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state: dict[str, Any] = scope.setdefault("state", {})

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = dict(message["headers"])
                fields = rate_headers(self._allowance, state.get(DECISION)) | _NO_GUESSING
                added = ((name.lower().encode(), value.encode()) for name, value in fields.items())
                message["headers"] = [*message["headers"], *(field for field in added if field[0] not in there)]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def rate_headers(allowance: Allowance, decision: Decision | None) -> dict[str, str]:
    """The fields of a response; a request that was not counted, as nobody is known to have sent it, finds all of it there.

    Seconds are rounded up. `RateLimit` and `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers-10.
    """
    seen = decision or Decision(allowed=True, remaining=allowance.burst, retry_after_seconds=0, reset_seconds=0)
    reset = math.ceil(seen.reset_seconds)
    return {
        "RateLimit-Limit": str(allowance.limit),
        "RateLimit-Remaining": str(seen.remaining),
        "RateLimit-Reset": str(reset),
        "RateLimit-Policy": f'"{_POLICY}";q={allowance.limit};w={allowance.window_seconds}',
        "RateLimit": f'"{_POLICY}";r={seen.remaining};t={reset}',
        "Retry-After": str(math.ceil(seen.retry_after_seconds)),
    }
