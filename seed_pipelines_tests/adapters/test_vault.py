"""Masking keys from a Transit that a test answers for."""

import base64
import hashlib
import hmac
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from seed_pipelines.adapters.vault import KEY_BYTES, TransitKeys
from seed_pipelines.errors import VaultUnavailable
from seed_pipelines_tests.adapters.http_answers import Answer, served

TOKEN = "s.a-token-nobody-may-see"  # noqa: S105 # opens nothing
MATERIAL = b"key material of the fake"


@dataclass
class FakeVault:
    """Answers as Transit does, or as `respond` says, and remembers what it was asked."""

    addr: str = ""
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """Path, token and body of each request."""
    respond: Callable[[int], Answer | None] = lambda _: None
    """Number of the request, from 1 -> status and body; None for the right answer."""

    def answer(self, path: str, token: str, body: dict[str, Any]) -> Answer:
        """Answer one request."""
        self.asked.append((path, token, body))
        special = self.respond(len(self.asked))
        if special is not None:
            return special
        if path.endswith("/sys/health"):
            return 200, {"sealed": False}
        digest = hmac.new(MATERIAL, base64.b64decode(body["input"]), hashlib.sha256).digest()
        return 200, {"data": {"hmac": "vault:v1:" + base64.b64encode(digest).decode()}}

    def keys(self, *, timeout: float = 2) -> TransitKeys:
        """Transit as a run reaches it."""
        return TransitKeys(self.addr, lambda: TOKEN, "seeds/{environment}/{tenant}", timeout=timeout)


@pytest.fixture
def vault() -> Iterator[FakeVault]:
    """A fake on a free loopback port."""
    fake = FakeVault()
    with served(fake.answer) as addr:
        fake.addr = addr
        yield fake


def ask(keys: TransitKeys, *fields: str) -> dict[str, bytes]:
    """Ask for the keys of fields, as staging of tenant-a."""
    return dict(keys.masking_keys("tenant-a", "staging", "v1", fields))


def test_a_key_is_the_hmac_of_its_field_name(vault: FakeVault) -> None:
    """Under version 1 of the key of the salt version, on the tenant's mount."""
    found = ask(vault.keys(), "email")
    assert found == {"email": hmac.new(MATERIAL, b"seed-pipelines/v1/email", hashlib.sha256).digest()}
    [(path, token, body)] = vault.asked
    assert path == "/v1/seeds/staging/tenant-a/hmac/pii-v1"
    assert token == TOKEN
    assert (body["key_version"], body["algorithm"]) == (1, "sha2-256")


def test_each_key_is_asked_for_once_in_a_process(vault: FakeVault) -> None:
    """By however many threads; another tenant, environment or salt version is another key."""
    keys = vault.keys()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(keys, "email", "phone"), range(16)))
    assert all(answer == answers[0] for answer in answers)
    assert len(vault.asked) == 2
    ask(keys, "phone", "full_name")
    assert len(vault.asked) == 3
    for tenant, environment, salt_version in (
        ("b", "staging", "v1"),
        ("tenant-a", "dev", "v1"),
        ("tenant-a", "staging", "v2"),
    ):
        keys.masking_keys(tenant, environment, salt_version, ["email"])
    assert len({path for path, _, _ in vault.asked}) == 4


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_passing_failure_is_asked_again(vault: FakeVault, status: int) -> None:
    """One failed answer does not stop a run."""
    vault.respond = lambda number: (status, {"errors": ["one moment"]}) if number == 1 else None
    assert len(ask(vault.keys(), "email")["email"]) == KEY_BYTES


@pytest.mark.parametrize(("status", "attempts"), [(500, 4), (503, 2), (403, 1), (404, 1), (400, 1)])
def test_a_lasting_failure_is_not_asked_for_long(vault: FakeVault, status: int, attempts: int) -> None:
    """A refusal is final at once, a seal soon, and no failure is remembered as an answer."""
    vault.respond = lambda _: (status, {"errors": ["no"]})
    keys = vault.keys()
    with pytest.raises(VaultUnavailable):
        ask(keys, "email")
    assert len(vault.asked) == attempts
    vault.respond = lambda _: None
    assert ask(keys, "email")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((503, {"errors": ["Vault is sealed"]}), "sealed"),
        ((403, {"errors": ["permission denied"]}), "policy must allow `update`"),
        ((404, {"errors": ["no handler for route"]}), "no mount seeds/staging/tenant-a"),
        ((400, {"errors": ["encryption key not found"]}), "encryption key not found"),
        ((500, {"errors": ["disk full"]}), "disk full"),
        ((200, b"<html>an intranet page</html>"), "did not answer as Transit"),
        ((200, {"data": {"hmac": "vault:v2:" + base64.b64encode(bytes(32)).decode()}}), "did not answer as Transit"),
        ((200, {"data": {"hmac": "vault:v1:" + base64.b64encode(bytes(20)).decode()}}), "did not answer as Transit"),
        ((200, {"data": {"hmac": "vault:v1:%%%"}}), "did not answer as Transit"),
        ((200, {"data": None}), "did not answer as Transit"),
        ((204, b""), "did not answer as Transit"),
    ],
)
def test_every_failure_says_what_it_is(vault: FakeVault, answer: Answer, reason: str) -> None:
    """One error, its cause in its message, and never the token or a key."""
    vault.respond = lambda _: answer
    keys = vault.keys()
    with pytest.raises(VaultUnavailable, match=reason) as failure:
        ask(keys, "email")
    assert TOKEN not in str(failure.value) + str(failure.value.problem()) + repr(keys)


def test_keys_are_not_in_the_representation(vault: FakeVault) -> None:
    """Neither as bytes nor as text."""
    keys = vault.keys()
    key = ask(keys, "email")["email"]
    assert repr(key)[2:-1] not in repr(keys)
    assert key.hex() not in repr(keys)


def test_a_silent_vault_is_given_up() -> None:
    """It listens and never answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        addr = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(VaultUnavailable, match=r"within 0\.05 s"):
            ask(TransitKeys(addr, lambda: TOKEN, "seeds", timeout=0.05), "email")


def test_an_absent_vault_is_named() -> None:
    """Nothing listens on the port."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        addr = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        with pytest.raises(VaultUnavailable, match="cannot be reached"):
            ask(TransitKeys(addr, lambda: TOKEN, "seeds"), "email")


@pytest.mark.parametrize("addr", ["", "nonsense", "ftp://vault", "http://"])
def test_an_address_that_is_none_is_named(addr: str) -> None:
    """Whatever was configured."""
    with pytest.raises(VaultUnavailable):
        ask(TransitKeys(addr, lambda: TOKEN, "seeds"), "email")


def test_a_mount_with_an_unknown_placeholder_is_refused(vault: FakeVault) -> None:
    """Before anything is asked."""
    with pytest.raises(VaultUnavailable, match="environment"):
        ask(TransitKeys(vault.addr, lambda: TOKEN, "seeds/{region}"), "email")
    assert vault.asked == []


def test_no_token_is_a_failure_of_its_own(vault: FakeVault) -> None:
    """An empty one, and a file that is not there."""

    def no_file() -> str:
        raise FileNotFoundError(2, "No such file or directory", "/run/vault-token")

    with pytest.raises(VaultUnavailable, match="No Vault token"):
        ask(TransitKeys(vault.addr, lambda: "", "seeds"), "email")
    with pytest.raises(VaultUnavailable, match="/run/vault-token"):
        ask(TransitKeys(vault.addr, no_file, "seeds"), "email")


@pytest.mark.parametrize("answer", [(503, {"sealed": True}), (501, b""), (200, {"sealed": True}), (200, {})])
def test_check_fails_unless_unsealed(vault: FakeVault, answer: Answer) -> None:
    """Sealed, never initialised, or not a Vault at all."""
    vault.keys().check()
    vault.respond = lambda _: answer
    with pytest.raises(VaultUnavailable):
        vault.keys().check()


def test_check_accepts_a_standby(vault: FakeVault) -> None:
    """It is unsealed, and forwards what it is asked."""
    vault.respond = lambda _: (429, {"sealed": False, "standby": True})
    vault.keys().check()
