"""Masking keys from Vault Transit (OpenBao or HashiCorp Vault): derived there, once per process."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from threading import Lock
from types import MappingProxyType
from typing import Any, Final

import hvac  # type: ignore[import-untyped]  # ships no type information
import requests

from seed_pipelines.adapters.vault_client import (
    UNSEAL,
    BadAnswerError,
    Question,
    VaultClient,
    answered_data,
    in_mount,
)
from seed_pipelines.errors import VaultUnavailable

KEY_BYTES: Final = 32

_INPUT_PREFIX: Final = "seed-pipelines/v1/"
_ANSWER_PREFIX: Final = "vault:v1:"
_MOUNT_SETTING: Final = "SEED_VAULT_MOUNT"


class TransitKeys:
    """The keys that Transit derives for one process; holds them, and shows none of them."""

    def __init__(
        self, addr: str, token_provider: Callable[[], str], mount_template: str, *, timeout: float = 5
    ) -> None:
        """Ask at `addr`, with what `token_provider` returns at each use.

        `mount_template` may hold `{environment}` and `{tenant}`. `timeout` is in seconds, for one request; at most
        four are made for one answer.
        """
        self._vault = VaultClient(addr, token_provider, timeout)
        self._mount_template = mount_template
        self._lock = Lock()
        self._known: dict[tuple[str, str, str], dict[str, bytes]] = {}

    def __repr__(self) -> str:
        return f"TransitKeys({self._vault.addr!r}, mount={self._mount_template!r})"

    def masking_keys(
        self, tenant: str, environment: str, salt_version: str, fields: Sequence[str]
    ) -> Mapping[str, bytes]:
        """Give 32 bytes for each field: HMAC-SHA256 (RFC 2104) under version 1 of the key `pii-<salt_version>`.

        Raises VaultUnavailable when Vault is sealed, away, refuses, or answers anything else.
        """
        question = Question(
            in_mount(self._mount_template, environment=environment, tenant=tenant),
            _MOUNT_SETTING,
            "hmac",
            f"pii-{salt_version}",
            capability="update",
            cure="Create a Transit key of that name, of type hmac, in version 1.",
        )
        with self._lock:
            keys = self._known.setdefault((tenant, environment, salt_version), {})
            missing = [name for name in fields if name not in keys]
            if missing:
                client = self._vault.connected()
                keys |= {name: self._vault.asked(question, partial(_hmac, client, question, name)) for name in missing}
            return MappingProxyType({name: keys[name] for name in fields})

    def check(self) -> None:
        """VaultUnavailable unless Vault answers and is unsealed; that needs no token."""
        question = Question("sys", _MOUNT_SETTING, "health", "", capability="read", cure="")
        health = self._vault.asked(question, lambda: _health(self._vault.anonymous()))
        if health.get("sealed") is not False:
            raise VaultUnavailable(f"Vault at {self._vault.addr} is sealed. {UNSEAL}", addr=self._vault.addr)


def _hmac(client: hvac.Client, question: Question, field: str) -> bytes:
    answer = client.secrets.transit.generate_hmac(
        name=question.key,
        hash_input=base64.b64encode((_INPUT_PREFIX + field).encode()).decode(),
        key_version=1,
        algorithm="sha2-256",
        mount_point=question.mount,
    )
    return _key_of(answer)


def _key_of(answer: Any) -> bytes:
    written = answered_data(answer).get("hmac")
    if not isinstance(written, str) or not written.startswith(_ANSWER_PREFIX):
        raise BadAnswerError
    try:
        key = base64.b64decode(written.removeprefix(_ANSWER_PREFIX), validate=True)
    except binascii.Error:
        raise BadAnswerError from None
    if len(key) != KEY_BYTES:
        raise BadAnswerError
    return key


def _health(client: hvac.Client) -> dict[str, Any]:
    answer = client.sys.read_health_status(method="GET")
    if isinstance(answer, requests.Response):
        if answer.status_code in (HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.SERVICE_UNAVAILABLE):
            return {"sealed": True}
        answer = answer.json() if answer.content else {"sealed": False}
    if not isinstance(answer, dict):
        raise BadAnswerError
    return answer
