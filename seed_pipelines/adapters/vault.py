"""Masking keys from Vault Transit (OpenBao or HashiCorp Vault): derived there, once per process."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from threading import Lock
from types import MappingProxyType
from typing import Any, Final

import hvac  # type: ignore[import-untyped]  # ships no type information
import requests
from hvac import exceptions as answers
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from seed_pipelines.errors import VaultUnavailable

KEY_BYTES: Final = 32

_INPUT_PREFIX: Final = "seed-pipelines/v1/"
_ANSWER_PREFIX: Final = "vault:v1:"
_ATTEMPTS: Final = 4
_ATTEMPTS_WHILE_SEALED: Final = 2
_PASSING = (
    requests.ConnectionError,
    requests.Timeout,
    answers.InternalServerError,
    answers.BadGateway,
    answers.VaultDown,
    answers.RateLimitExceeded,
)


class TransitKeys:
    """The keys that Transit derives for one process; holds them, and shows none of them."""

    def __init__(
        self, addr: str, token_provider: Callable[[], str], mount_template: str, *, timeout: float = 5
    ) -> None:
        """Ask at `addr`, with what `token_provider` returns at each use.

        `mount_template` may hold `{environment}` and `{tenant}`. `timeout` is in seconds, for one request; at most
        four are made for one answer.
        """
        self._addr = addr
        self._token_provider = token_provider
        self._mount_template = mount_template
        self._timeout = timeout
        self._lock = Lock()
        self._known: dict[tuple[str, str, str], dict[str, bytes]] = {}

    def __repr__(self) -> str:
        return f"TransitKeys({self._addr!r}, mount={self._mount_template!r})"

    def masking_keys(
        self, tenant: str, environment: str, salt_version: str, fields: Sequence[str]
    ) -> Mapping[str, bytes]:
        """Give 32 bytes for each field: HMAC-SHA256 (RFC 2104) under version 1 of the key `pii-<salt_version>`.

        Raises VaultUnavailable when Vault is sealed, away, refuses, or answers anything else.
        """
        place = _Place(self._addr, self._mount(tenant, environment), f"pii-{salt_version}")
        with self._lock:
            keys = self._known.setdefault((tenant, environment, salt_version), {})
            missing = [name for name in fields if name not in keys]
            if missing:
                client = self._client()
                keys |= {name: self._asked(place, partial(_hmac, client, place, name)) for name in missing}
            return MappingProxyType({name: keys[name] for name in fields})

    def check(self) -> None:
        """VaultUnavailable unless Vault answers and is unsealed."""
        place = _Place(self._addr, "sys/health", "")
        health = self._asked(place, lambda: _health(self._client()))
        if health.get("sealed") is not False:
            raise VaultUnavailable(f"Vault at {self._addr} is sealed. {_UNSEAL}", addr=self._addr)

    def _mount(self, tenant: str, environment: str) -> str:
        try:
            return self._mount_template.format(environment=environment, tenant=tenant)
        except (KeyError, IndexError, ValueError) as error:
            raise VaultUnavailable(
                f"The mount {self._mount_template!r} is no template: it may hold only {{environment}} and {{tenant}}."
            ) from error

    def _client(self) -> hvac.Client:
        try:
            token = self._token_provider()
        except OSError as error:
            raise VaultUnavailable(
                f"The Vault token cannot be read: {error.strerror} ({error.filename}). Write it there, or set"
                " SEED_VAULT_TOKEN_FILE; for the local stack run `seed-data up`."
            ) from error
        if not token:
            raise VaultUnavailable("No Vault token was given. Set SEED_VAULT_TOKEN_FILE or SEED_VAULT_TOKEN.")
        return hvac.Client(url=self._addr, token=token, timeout=self._timeout)

    def _asked(self, place: "_Place", question: Callable[[], Any]) -> Any:
        retrying = Retrying(
            retry=retry_if_exception_type(_PASSING),
            stop=_stop,
            wait=wait_exponential(multiplier=0.1, max=1),
            reraise=True,
        )
        try:
            return retrying(question)
        except (answers.VaultError, requests.RequestException, ValueError) as error:
            raise VaultUnavailable(_meaning(error, place, self._timeout), addr=self._addr) from error


@dataclass(frozen=True)
class _Place:
    addr: str
    mount: str
    key: str


_UNSEAL: Final = "Unseal it; for the local stack run `seed-data up`."


def _stop(state: RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    attempts = _ATTEMPTS_WHILE_SEALED if isinstance(error, answers.VaultDown) else _ATTEMPTS
    return stop_after_attempt(attempts)(state)


def _hmac(client: hvac.Client, place: _Place, field: str) -> bytes:
    answer = client.secrets.transit.generate_hmac(
        name=place.key,
        hash_input=base64.b64encode((_INPUT_PREFIX + field).encode()).decode(),
        key_version=1,
        algorithm="sha2-256",
        mount_point=place.mount,
    )
    return _key_of(answer)


def _key_of(answer: Any) -> bytes:
    data = answer.get("data") if isinstance(answer, dict) else None
    written = data.get("hmac") if isinstance(data, dict) else None
    if not isinstance(written, str) or not written.startswith(_ANSWER_PREFIX):
        raise _BadAnswerError
    try:
        key = base64.b64decode(written.removeprefix(_ANSWER_PREFIX), validate=True)
    except binascii.Error:
        raise _BadAnswerError from None
    if len(key) != KEY_BYTES:
        raise _BadAnswerError
    return key


def _health(client: hvac.Client) -> dict[str, Any]:
    answer = client.sys.read_health_status(method="GET")
    if isinstance(answer, requests.Response):
        if answer.status_code in (HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.SERVICE_UNAVAILABLE):
            return {"sealed": True}
        answer = answer.json() if answer.content else {"sealed": False}
    if not isinstance(answer, dict):
        raise _BadAnswerError
    return answer


class _BadAnswerError(ValueError):
    """Not what Transit answers to an HMAC request."""


def _meaning(error: Exception, place: _Place, timeout: float) -> str:
    where = f"Vault at {place.addr}"
    if isinstance(error, answers.VaultDown):
        return f"{where} is sealed or in standby. {_UNSEAL}"
    if isinstance(error, answers.Forbidden | answers.Unauthorized):
        return (
            f"{where} refuses the token for {place.mount}/hmac/{place.key}. Its policy must allow `update`"
            " there, and the token must not have expired."
        )
    if isinstance(error, answers.InvalidPath):
        return f"{where} has no mount {place.mount}. Enable Transit there, or set SEED_VAULT_MOUNT."
    if isinstance(error, answers.InvalidRequest):
        return (
            f"{where} cannot use {place.mount}/{place.key}: {_reason(error)}. Create a Transit key of that"
            " name, of type hmac, in version 1."
        )
    if isinstance(error, answers.VaultError):
        return f"{where} failed: {_reason(error)}. See its log."
    if isinstance(error, requests.Timeout):
        return f"{where} did not answer within {timeout:g} s. See its log and the network between."
    if isinstance(error, requests.ConnectionError):
        return f"{where} cannot be reached. Start it (`seed-data up` for the local stack), or set SEED_VAULT_ADDR."
    if isinstance(error, _BadAnswerError | json.JSONDecodeError):
        return f"{where} did not answer as Transit does. Is something else listening there?"
    return f"{where} cannot be asked: {type(error).__name__}. Check SEED_VAULT_ADDR."


def _reason(error: answers.VaultError) -> str:
    reasons = error.errors if isinstance(error.errors, list) else [error.errors or ""]
    said = "; ".join(" ".join(str(reason).split()) for reason in reasons)
    return said or type(error).__name__
