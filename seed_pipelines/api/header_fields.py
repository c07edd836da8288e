"""Header fields that requests must have."""

from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request

from seed_pipelines.domain.catalogue import ENVIRONMENTS
from seed_pipelines.errors import RequestInvalid, RequestMalformed
from seed_pipelines.seeding import guards

_LONGEST: Final = 255

Invalid = dict[str, str]


def described(*, with_key: bool) -> dict[str, Any]:
    """What `named` and `idempotency_key` read, for the description of an operation (OpenAPI 3.1)."""
    bounds: dict[str, dict[str, Any]] = {
        "X-Tenant-ID": {"type": "string", "minLength": 1, "maxLength": _LONGEST},
        "X-Environment": {"type": "string", "enum": list(ENVIRONMENTS)},
    }
    if with_key:
        bounds["Idempotency-Key"] = {"type": "string", "minLength": 1, "maxLength": guards.LONGEST_KEY}
    return {
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": schema} for name, schema in bounds.items()
        ]
    }


@dataclass(frozen=True)
class Named:
    """Whom a request is for, as it says."""

    tenant: str
    environment: str


def named(request: Request, *, with_key: bool) -> Named:
    """X-Tenant-ID and X-Environment; RequestMalformed, with what is wrong with them and, if wanted, with Idempotency-Key."""
    tenant, environment = request.headers.get("X-Tenant-ID"), request.headers.get("X-Environment")
    invalid = [_invalid("X-Tenant-ID", _text_fault(tenant, _LONGEST))]
    fault = f"it is none of {', '.join(ENVIRONMENTS)}" if environment not in ENVIRONMENTS else None
    invalid.append(_invalid("X-Environment", "it is missing" if environment is None else fault))
    if any(invalid) or tenant is None or environment is None:
        key = [_invalid("Idempotency-Key", _key_fault(request))] if with_key else []
        raise _malformed([found for found in (*invalid, *key) if found is not None])
    return Named(tenant, environment)


def idempotency_key(request: Request) -> str:
    """The key of a request that changes something; RequestMalformed."""
    fault = _invalid("Idempotency-Key", _key_fault(request))
    if fault is not None:
        raise _malformed([fault])
    return request.headers["Idempotency-Key"]


def _key_fault(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return "it is missing"
    try:
        guards.usable_key(key)
    except RequestInvalid as error:
        return error.detail
    return None


def _text_fault(text: str | None, longest: int) -> str | None:
    if text is None:
        return "it is missing"
    return None if 1 <= len(text) <= longest else f"it has not 1 to {longest} characters"


def _invalid(name: str, fault: str | None) -> Invalid | None:
    return None if fault is None else {"in": "header", "name": name, "message": fault}


def _malformed(invalid: list[Invalid]) -> RequestMalformed:
    names = ", ".join(f"{part['name']}: {part['message'].rstrip('.')}" for part in invalid)
    return RequestMalformed(f"{names}.", invalid=invalid)
