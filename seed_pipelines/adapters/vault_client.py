"""Questions to Vault (OpenBao or HashiCorp Vault): asked again while that helps, and every failure in words that help."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import hvac  # type: ignore[import-untyped]  # ships no type information
import requests
from hvac import exceptions as answers
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from seed_pipelines.errors import VaultUnavailable

T = TypeVar("T")

UNSEAL: Final = "Unseal it; for the local stack run `seed-data up`."

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


class BadAnswerError(ValueError):
    """Not what Transit answers to such a request."""


@dataclass(frozen=True)
class Question:
    """What Vault is asked for, in the words of its policies and of our settings."""

    mount: str
    mount_setting: str
    """The variable that names the mount."""
    operation: str
    """The part of the path behind the mount, such as `hmac`."""
    key: str
    capability: str
    """What the policy must allow on the path."""
    cure: str
    """What to do about a key that cannot be used so."""

    @property
    def path(self) -> str:
        """The path that is asked, below `/v1/`."""
        return f"{self.mount}/{self.operation}/{self.key}"


@dataclass(frozen=True)
class VaultClient:
    """One Vault, asked with the token of the moment."""

    addr: str
    token_provider: Callable[[], str]
    timeout: float
    """In seconds, for one request; at most four are made for one answer."""

    def connected(self) -> hvac.Client:
        """A client with the token there is now; VaultUnavailable if there is none."""
        try:
            token = self.token_provider()
        except OSError as error:
            raise VaultUnavailable(
                f"The Vault token cannot be read: {error.strerror} ({error.filename}). Write it there, or set"
                " SEED_VAULT_TOKEN_FILE; for the local stack run `seed-data up`."
            ) from error
        if not token:
            raise VaultUnavailable("No Vault token was given. Set SEED_VAULT_TOKEN_FILE or SEED_VAULT_TOKEN.")
        return hvac.Client(url=self.addr, token=token, timeout=self.timeout)

    def anonymous(self) -> hvac.Client:
        """A client without a token, for what Vault says to anybody."""
        return hvac.Client(url=self.addr, token="", timeout=self.timeout)

    def asked(self, question: Question, request: Callable[[], T]) -> T:
        """The answer to a request; VaultUnavailable, with what it means for the question, where there is none."""
        retrying = Retrying(
            retry=retry_if_exception_type(_PASSING),
            stop=_stop,
            wait=wait_exponential(multiplier=0.1, max=1),
            reraise=True,
        )
        try:
            return retrying(request)
        except (answers.VaultError, requests.RequestException, ValueError) as error:
            raise VaultUnavailable(self._meaning(error, question), addr=self.addr) from error

    def _meaning(self, error: Exception, question: Question) -> str:
        where = f"Vault at {self.addr}"
        if isinstance(error, answers.VaultError):
            return _refusal(error, question, where)
        if isinstance(error, requests.Timeout):
            return f"{where} did not answer within {self.timeout:g} s. See its log and the network between."
        if isinstance(error, requests.ConnectionError):
            return f"{where} cannot be reached. Start it (`seed-data up` for the local stack), or set SEED_VAULT_ADDR."
        if isinstance(error, BadAnswerError | json.JSONDecodeError):
            return f"{where} did not answer as Transit does. Is something else listening there?"
        return f"{where} cannot be asked: {type(error).__name__}. Check SEED_VAULT_ADDR."


def in_mount(template: str, **names: str) -> str:
    """The mount that a template names; VaultUnavailable if it holds another placeholder than these."""
    try:
        return template.format(**names)
    except (KeyError, IndexError, ValueError) as error:
        allowed = " and ".join(f"{{{name}}}" for name in names)
        raise VaultUnavailable(f"The mount {template!r} is no template: it may hold only {allowed}.") from error


def answered_data(answer: Any) -> dict[str, Any]:
    """The `data` of an answer; BadAnswerError if it has none."""
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict):
        raise BadAnswerError
    return data


def _refusal(error: answers.VaultError, question: Question, where: str) -> str:
    if isinstance(error, answers.VaultDown):
        return f"{where} is sealed or in standby. {UNSEAL}"
    if isinstance(error, answers.Forbidden | answers.Unauthorized):
        return (
            f"{where} refuses the token for {question.path}. Its policy must allow `{question.capability}`"
            " there, and the token must not have expired."
        )
    if isinstance(error, answers.InvalidPath):
        if not error.errors:
            return f"{where} has no key {question.mount}/{question.key}. {question.cure}"
        return f"{where} has no mount {question.mount}. Enable Transit there, or set {question.mount_setting}."
    if isinstance(error, answers.InvalidRequest):
        return f"{where} cannot use {question.mount}/{question.key}: {_reason(error)}. {question.cure}"
    return f"{where} failed: {_reason(error)}. See its log."


def _stop(state: RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    attempts = _ATTEMPTS_WHILE_SEALED if isinstance(error, answers.VaultDown) else _ATTEMPTS
    return stop_after_attempt(attempts)(state)


def _reason(error: answers.VaultError) -> str:
    reasons = error.errors if isinstance(error.errors, list) else [error.errors or ""]
    said = "; ".join(" ".join(str(reason).split()) for reason in reasons)
    return said or type(error).__name__
