"""Mounts, keys, policy and token of the local stack's OpenBao; doing it again changes nothing."""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import hvac  # type: ignore[import-untyped]  # ships no type information
import requests
from hvac.exceptions import (  # type: ignore[import-untyped]  # ships no type information
    Forbidden,
    InvalidPath,
    InvalidRequest,
    VaultError,
)

from seed_pipelines.errors import MaskingKeyChanged, StackUnavailable
from seed_pipelines.local.manifest_tenants import NamedTenant
from seed_pipelines.local.paths import StackPaths, write_private
from seed_pipelines.local.transit_import import import_key
from seed_pipelines.local.vault_server import EVIDENCE_KEY, EVIDENCE_MOUNT_TEMPLATE, MOUNT_TEMPLATE

_POLICY_NAME: Final = "seed-pipelines"
_POLICY: Final = f"""\
path "seeds/+/+/hmac/pii-*" {{
  capabilities = ["update"]
}}
path "evidence/+/sign/{EVIDENCE_KEY}" {{
  capabilities = ["update"]
}}
path "evidence/+/keys/{EVIDENCE_KEY}" {{
  capabilities = ["read"]
}}
"""
_TOKEN_PERIOD: Final = "768h"  # noqa: S105  # a duration
_PROBE: Final = b"seed-pipelines/v1/same-key"
_SMALLEST_MATERIAL: Final = 32
_LARGEST_MATERIAL: Final = 512


def provision(client: hvac.Client, paths: StackPaths, tenants: Iterable[NamedTenant], material: bytes | None) -> None:
    """Bring mounts, PII keys, the keys that reports are signed with, policy and token up to date.

    New PII keys are random, or are made of `material` (32 to 512 bytes) where it is given. Raises MaskingKeyChanged,
    before anything is imported, where a key exists that is not made of it.
    """
    named = tuple(tenants)
    try:
        _mount(client, named)
        wanted = {(_mount_of(tenant), f"pii-{tenant.salt_version}") for tenant in named}
        missing = sorted(place for place in wanted if not _exists(client, *place))
        if material is not None:
            _refuse_other_keys(client, sorted(wanted.difference(missing)), material)
        for mount, key in missing:
            if material is None:
                client.write_data(f"{mount}/keys/{key}", data={"type": "hmac", "key_size": 32})
            else:
                import_key(client, mount, key, material)
        for mount in sorted({_evidence_mount_of(tenant) for tenant in named}):
            if not _exists(client, mount, EVIDENCE_KEY):
                client.write_data(f"{mount}/keys/{EVIDENCE_KEY}", data={"type": "ecdsa-p256"})
        client.sys.create_or_update_policy(_POLICY_NAME, _POLICY)
        _keep_token(client, paths.vault_token)
    except (VaultError, requests.RequestException) as error:
        raise StackUnavailable(f"OpenBao cannot be provisioned: {type(error).__name__}: {error}") from error


def read_material(file: Path) -> bytes:
    """Read key material from a file of 32 to 512 raw bytes; StackUnavailable if it holds another number."""
    try:
        material = file.read_bytes()
    except OSError as error:
        raise StackUnavailable(f"The key file cannot be read: {error.strerror} ({error.filename}).") from error
    if not _SMALLEST_MATERIAL <= len(material) <= _LARGEST_MATERIAL:
        raise StackUnavailable(
            f"{file} holds {len(material)} bytes; a PII key takes {_SMALLEST_MATERIAL} to {_LARGEST_MATERIAL} raw bytes,"
            f" for instance `openssl rand -out {file} 32`."
        )
    return material


def _mount_of(tenant: NamedTenant) -> str:
    return MOUNT_TEMPLATE.format(environment=tenant.environment, tenant=tenant.tenant)


def _evidence_mount_of(tenant: NamedTenant) -> str:
    return EVIDENCE_MOUNT_TEMPLATE.format(environment=tenant.environment)


def _mount(client: hvac.Client, tenants: Iterable[NamedTenant]) -> None:
    mounted = client.sys.list_mounted_secrets_engines()["data"]
    for mount in sorted({place(tenant) for tenant in tenants for place in (_mount_of, _evidence_mount_of)}):
        if f"{mount}/" not in mounted:
            client.sys.enable_secrets_engine("transit", path=mount)


def _exists(client: hvac.Client, mount: str, key: str) -> bool:
    try:
        return client.read(f"{mount}/keys/{key}") is not None
    except InvalidPath:
        return False


def _refuse_other_keys(client: hvac.Client, places: Iterable[tuple[str, str]], material: bytes) -> None:
    expected = base64.b64encode(hmac.new(material, _PROBE, hashlib.sha256).digest()).decode()
    for mount, key in places:
        answer = client.secrets.transit.generate_hmac(
            name=key,
            hash_input=base64.b64encode(_PROBE).decode(),
            key_version=1,
            algorithm="sha2-256",
            mount_point=mount,
        )
        if answer["data"]["hmac"].rpartition(":")[2] != expected:
            raise MaskingKeyChanged(
                f"{mount}/{key} exists already and is another key. Datasets were masked with it, so it is not"
                " replaced. Use another salt_version, or remove the stack with `seed-data down --delete`."
            )


def _keep_token(client: hvac.Client, file: Path) -> None:
    """Renew the token of the runs, or write a new one where there is none that is valid."""
    try:
        token = file.read_text(encoding="utf-8").strip()
        found: dict[str, Any] = client.auth.token.lookup(token)["data"]
        if found["policies"] == [_POLICY_NAME] and found["orphan"]:
            client.auth.token.renew(token)
            return
    except (FileNotFoundError, Forbidden, InvalidPath, InvalidRequest):
        pass
    made = client.auth.token.create_orphan(
        policies=[_POLICY_NAME], no_default_policy=True, period=_TOKEN_PERIOD, display_name="seed-pipelines"
    )
    write_private(file, made["auth"]["client_token"] + "\n")
