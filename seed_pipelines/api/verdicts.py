"""What has been found of manifests: the same bytes always have the same fingerprint, and the same document the same verdict."""

import hashlib
import threading
from collections import OrderedDict
from typing import Final
from uuid import UUID

from seed_pipelines.api.answers import Answer
from seed_pipelines.domain.manifest_document import Syntax

MOST: Final = 4_096
"""Manifests that are remembered: a few hundred bytes for each."""

OK: Final = 200

Subject = tuple[str, UUID, str, str]
"""The fingerprint of a manifest, and the id, the slug and the environment that it was validated for."""


class Verdicts:
    """The fingerprints and the answers of manifests that were found valid, by one catalogue; the oldest are forgotten."""

    def __init__(self) -> None:
        self._fingerprints: OrderedDict[tuple[Syntax, bytes], str] = OrderedDict()
        self._answers: OrderedDict[Subject, Answer] = OrderedDict()
        self._lock = threading.Lock()

    def fingerprint(self, content: bytes, syntax: Syntax) -> str | None:
        """That of these bytes; None if it is to be computed."""
        return self._fingerprints.get(_digest(content, syntax))

    def answer(self, subject: Subject) -> Answer | None:
        """The answer that was given to a valid manifest; None if it is to be computed."""
        return self._answers.get(subject)

    def remember(self, content: bytes, syntax: Syntax, subject: Subject, answer: Answer) -> None:
        """Keep what was found of a manifest, if it is valid."""
        if answer.status != OK:
            return
        with self._lock:
            self._fingerprints[_digest(content, syntax)] = subject[0]
            self._answers[subject] = answer
            for kept in (self._fingerprints, self._answers):
                while len(kept) > MOST:
                    kept.popitem(last=False)


def _digest(content: bytes, syntax: Syntax) -> tuple[Syntax, bytes]:
    return syntax, hashlib.sha256(content).digest()
