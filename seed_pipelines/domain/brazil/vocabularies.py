"""The vocabularies: tables of tab-separated values in the package, each with its origin in comments and a number in its name."""

import csv
import hashlib
from collections.abc import Iterator
from importlib import resources
from typing import Final

_FOLDER: Final = resources.files(__package__).joinpath("data")
_SUFFIX: Final = ".tsv"


def entries(name: str) -> tuple[dict[str, str], ...]:
    """The rows of a vocabulary, by column."""
    return tuple(csv.DictReader(_content(name), delimiter="\t"))


def _content(name: str) -> Iterator[str]:
    text = _FOLDER.joinpath(name).read_text(encoding="utf-8")
    return (line for line in text.splitlines() if not line.startswith("#"))


def _version() -> str:
    digest = hashlib.sha256()
    for name in sorted(file.name for file in _FOLDER.iterdir() if file.name.endswith(_SUFFIX)):
        digest.update("\n".join((name, *_content(name), "")).encode())
    return digest.hexdigest()


VOCABULARY_VERSION: Final = _version()
"""SHA-256 of the names and contents of all vocabularies, without the comments in their files."""
