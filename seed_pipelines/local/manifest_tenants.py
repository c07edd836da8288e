"""Which tenants the manifests name, so that the stack knows them."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_DNS, UUID, uuid5

import yaml

from seed_pipelines.domain.catalogue import ENVIRONMENTS

_LOG: Final = logging.getLogger(__name__)
_SUFFIXES: Final = (".yaml", ".yml", ".json")
_LARGEST: Final = 1_000_000
_TENANT: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_SALT_VERSION: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


@dataclass(frozen=True, order=True)
class NamedTenant:
    """A tenant as a manifest names it."""

    environment: str
    tenant: str
    salt_version: str

    @property
    def tenant_id(self) -> UUID:
        """Its identity in the local stack: UUID version 5 (RFC 9562, section 5.5) of its name."""
        return uuid5(NAMESPACE_DNS, f"{self.tenant}.seed-pipelines.example")


def named_tenants(manifests_dir: Path) -> tuple[NamedTenant, ...]:
    """Collect the tenants of the manifests below a folder; one that cannot be read is logged and left out."""
    found = set()
    for path in sorted(manifests_dir.rglob("*")):
        if path.suffix not in _SUFFIXES or not path.is_file():
            continue
        try:
            found.add(_named(path))
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            _LOG.warning("%s names no tenant: %s", path, reason)
    return tuple(sorted(found))


def _named(path: Path) -> NamedTenant:
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"it is larger than {_LARGEST} bytes")
    document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    metadata = document.get("metadata") if isinstance(document, Mapping) else None
    if not isinstance(metadata, Mapping):
        metadata = {}
    environment, tenant, salt_version = (metadata.get(name) for name in ("environment", "tenant", "salt_version"))
    if environment not in ENVIRONMENTS:
        raise ValueError(f"metadata.environment is none of {', '.join(ENVIRONMENTS)}")
    return NamedTenant(str(environment), _slug(tenant, _TENANT), _slug(salt_version, _SALT_VERSION))


def _slug(value: object, allowed: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not allowed.fullmatch(value):
        raise ValueError("metadata.tenant or metadata.salt_version is no slug")
    return value
