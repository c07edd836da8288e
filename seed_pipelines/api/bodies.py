"""The body of a request: a manifest in JSON or YAML, and what can be said of it before anybody asks for anything."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import rfc8785
from fastapi import Depends, Request

from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.api.admission import Asked, asked
from seed_pipelines.api.answers import JSON, PROBLEM
from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.issues import Issue
from seed_pipelines.domain.manifest import Manifest, fingerprint, inspect, manifest_hash, refusal, restored_manifest
from seed_pipelines.domain.manifest_document import LARGEST_SOURCE, Syntax, read_document
from seed_pipelines.errors import (
    ContentTooLarge,
    ManifestInvalid,
    MediaTypeUnsupported,
    NotAcceptable,
    TenantMismatch,
)

SYNTAXES: Final[Mapping[str, Syntax]] = {
    "application/json": "json",
    "application/yaml": "yaml",
    "application/x-yaml": "yaml",
    "text/yaml": "yaml",
}
"""Media type -> what the body is written in."""

_RANGES: Final = frozenset({"*/*", "application/*", JSON, PROBLEM})
"""What a caller may accept."""


@dataclass(frozen=True)
class Source:
    """The bytes of a manifest."""

    content: bytes
    syntax: Syntax


@dataclass(frozen=True)
class Submitted:
    """A manifest that was sent."""

    document: Mapping[str, Any] | None
    """None where the bytes are no document."""
    unreadable: tuple[Issue, ...]
    fingerprint: str
    """SHA-256, in hex: of the document with its hash, or of the body where it has no RFC 8785 bytes."""
    content_hash: str | None = None
    """The document's `manifest_hash`, where it has one."""

    @classmethod
    def of(cls, source: Source) -> "Submitted":
        """Read the bytes, strictly."""
        try:
            document = read_document(source.content, source.syntax)
        except ManifestInvalid as error:
            issues = tuple(Issue(**issue) for issue in error.extensions["issues"])
            return cls(None, issues, hashlib.sha256(source.content).hexdigest())
        try:
            content_hash = manifest_hash(document)
        except rfc8785.CanonicalizationError:
            return cls(document, (), hashlib.sha256(source.content).hexdigest())
        return cls(document, (), fingerprint(document, content_hash), content_hash)

    def manifest(self, tenant: Tenant, environment: str, catalogue: Catalogue) -> Manifest:
        """The manifest, if it is right and the tenant's; ManifestInvalid and its like, TenantMismatch, with every issue."""
        return restored_manifest(self.valid_document(tenant, environment, catalogue))

    def valid_document(self, tenant: Tenant, environment: str, catalogue: Catalogue) -> Mapping[str, Any]:
        """The document of `manifest`."""
        if self.document is None:
            raise refusal(self.unreadable)
        others = _of_somebody_else(self.document, tenant, environment)
        issues = inspect(self.document, catalogue, ENTITIES, self.content_hash)
        if issues:
            raise refusal((*issues, *others))
        if others:
            raise TenantMismatch(
                f"{others[0].message}; allowed: {others[0].allowed}", issues=[issue.as_dict() for issue in others]
            )
        return self.document


async def source_of(request: Request) -> Source:
    """The body, to be read once it is known who sends it; NotAcceptable, MediaTypeUnsupported, ContentTooLarge."""
    acceptable(request)
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type not in SYNTAXES or "Content-Encoding" in request.headers:
        raise MediaTypeUnsupported(f"Send the manifest as it is, with the Content-Type {' or '.join(SYNTAXES)}.")
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > LARGEST_SOURCE:
            raise ContentTooLarge(f"A manifest has at most {LARGEST_SOURCE:,} bytes.")
    return Source(bytes(content), SYNTAXES[media_type])


def acceptable(request: Request) -> None:
    """The caller takes JSON; NotAcceptable."""
    ranges = [part.strip().lower().split(";") for part in request.headers.get("Accept", "*/*").split(",")]
    for media_range, *parameters in ranges:
        refused = any(parameter.strip() in ("q=0", "q=0.0", "q=0.00", "q=0.000") for parameter in parameters)
        if media_range.strip() in _RANGES and not refused:
            return
    raise NotAcceptable(f"Answers come as {JSON}, and problems as {PROBLEM}.")


async def _source(request: Request, _: Annotated[Asked, Depends(asked)]) -> Source:
    return await source_of(request)


Body = Annotated[Source, Depends(_source)]


def _of_somebody_else(document: Mapping[str, Any], tenant: Tenant, environment: str) -> tuple[Issue, ...]:
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        return ()
    wanted = (("tenant", "X-Tenant-ID", tenant.slug), ("environment", "X-Environment", environment))
    return tuple(
        Issue(f"/metadata/{name}", "tenant_mismatch", f"it is not what {header} says", allowed)
        for name, header, allowed in wanted
        if isinstance(metadata.get(name), str) and metadata[name] != allowed
    )
