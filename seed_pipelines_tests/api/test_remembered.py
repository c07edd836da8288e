"""What the API remembers: tokens for a minute, and verdicts on manifests that were right, both in bounds."""

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from seed_pipelines.api import tokens, verdicts
from seed_pipelines.api.answers import Answer
from seed_pipelines.api.tokens import RememberedTokens, Token
from seed_pipelines.api.verdicts import Verdicts
from seed_pipelines.errors import Unauthenticated

TENANT_ID = UUID(int=1)
RIGHT = Answer(200, "{}")


@dataclass
class Verifier:
    """Believes every token but one, and counts how often it was asked."""

    holds_until: float
    asked: list[str | None] = field(default_factory=list)

    def verify(self, authorization: str | None) -> Token:
        """As the real one."""
        self.asked.append(authorization)
        if authorization == "Bearer false":
            raise Unauthenticated("No.")
        return Token(f"token:{authorization}", TENANT_ID, "staging", (), self.holds_until)


@dataclass
class Clock:
    """Stands still until it is told to go on."""

    now: float = 1_000.0

    def __call__(self) -> float:
        """Seconds since 1970."""
        return self.now


def remembered(verifier: Verifier, clock: Clock) -> RememberedTokens:
    """With a verifier that counts."""
    return RememberedTokens(verifier, clock)  # type: ignore[arg-type]  # verifies as the real one does


def test_a_token_is_verified_once_a_minute() -> None:
    """Not once a request; and each token by itself."""
    verifier, clock = Verifier(holds_until=5_000), Clock()
    believed = remembered(verifier, clock)

    async def ask() -> None:
        for wait, number in ((0.0, 1), (59.9, 1), (0.1, 2), (60.0, 3)):
            clock.now += wait
            assert (await believed.verify("Bearer a")).subject == "token:Bearer a"
            assert verifier.asked == ["Bearer a"] * number
        await believed.verify("Bearer b")
        assert verifier.asked[-1] == "Bearer b"

    asyncio.run(ask())


def test_a_token_that_has_expired_is_verified_anew() -> None:
    """However short ago it was believed."""
    verifier, clock = Verifier(holds_until=1_010), Clock()
    believed = remembered(verifier, clock)

    async def ask() -> None:
        await believed.verify("Bearer a")
        clock.now = 1_009.9
        await believed.verify("Bearer a")
        assert len(verifier.asked) == 1
        clock.now = 1_010.0
        await believed.verify("Bearer a")
        assert len(verifier.asked) == 2

    asyncio.run(ask())


def test_a_refusal_is_not_remembered() -> None:
    """It is found out each time, and nothing is kept of it."""
    verifier = Verifier(holds_until=5_000)
    believed = remembered(verifier, Clock())

    async def ask() -> None:
        for _ in range(2):
            with pytest.raises(Unauthenticated):
                await believed.verify("Bearer false")
        assert len(verifier.asked) == 2

    asyncio.run(ask())


def test_the_oldest_token_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers with many tokens cannot fill the memory."""
    monkeypatch.setattr(tokens, "_MOST_REMEMBERED", 2)
    verifier = Verifier(holds_until=5_000)
    believed = remembered(verifier, Clock())

    async def ask() -> None:
        for name in ("a", "b", "c", "b", "c", "a"):
            await believed.verify(name)
        assert verifier.asked == ["a", "b", "c", "a"]

    asyncio.run(ask())


def test_the_oldest_verdicts_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both what the bytes are and what was found of them; only of manifests that were right."""
    monkeypatch.setattr(verdicts, "MOST", 2)
    kept = Verdicts()
    subjects = [(str(number), TENANT_ID, "tenant-a", "staging") for number in range(4)]
    for number, subject in enumerate(subjects):
        kept.remember(b"%d" % number, "json", subject, RIGHT if number else Answer(422, "{}"))
    assert [kept.fingerprint(b"%d" % number, "json") for number in range(4)] == [None, None, "2", "3"]
    assert [kept.answer(subject) for subject in subjects] == [None, None, RIGHT, RIGHT]


def test_the_same_bytes_are_another_manifest_in_another_syntax() -> None:
    """JSON is read more strictly than YAML."""
    kept = Verdicts()
    kept.remember(b"{}", "json", ("f", TENANT_ID, "tenant-a", "staging"), RIGHT)
    assert (kept.fingerprint(b"{}", "json"), kept.fingerprint(b"{}", "yaml")) == ("f", None)


def test_a_verdict_is_for_one_tenant_and_environment() -> None:
    """Another is asked about anew, also after a rename."""
    kept = Verdicts()
    kept.remember(b"{}", "json", ("f", TENANT_ID, "tenant-a", "staging"), RIGHT)
    others = [
        ("f", UUID(int=2), "tenant-a", "staging"),
        ("f", TENANT_ID, "renamed", "staging"),
        ("f", TENANT_ID, "tenant-a", "dev"),
    ]
    assert [kept.answer(other) for other in others] == [None] * 3
