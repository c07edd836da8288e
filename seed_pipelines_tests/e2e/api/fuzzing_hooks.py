"""What schemathesis loads: in a chain of requests the first creates a run, so that there is something to look at and to cancel.

Keys and manifests are drawn elsewhere, where the same key comes again and again, and no manifest is the deployed one.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import schemathesis
from schemathesis.generation import GenerationMode

MANIFEST_FILE: Final = "manifest.json"
"""In the working directory: the manifest that is deployed."""

_FIELD: Final = "Idempotency-Key"


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: dict[str, object]) -> None:
    """Give a well-formed request of a chain a key of its own and, if it creates a run, the deployed manifest."""
    meta = case.meta
    if meta is None or meta.phase.name.value != "stateful" or meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if case.headers and _FIELD in case.headers:
        case.headers[_FIELD] = f"fuzz-{uuid4()}"
    if (case.method, case.path) == ("POST", "/api/v1/seed-runs"):
        case.body = deployed()


@cache
def deployed() -> dict[str, Any]:
    """The manifest."""
    return dict(json.loads(Path(MANIFEST_FILE).read_bytes()))
