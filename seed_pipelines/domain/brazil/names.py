"""Brazilian names from fixed vocabularies, and e-mail addresses made from them.

Given names have one numbering: those of women first, then those of men, each sorted by code point.
"""

from collections.abc import Sized
from functools import cache
from typing import Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seed_pipelines.domain.brazil.vocabularies import entries
from seed_pipelines.domain.brazil.words import put_together

Gender = Literal["F", "M"]

EMAIL_DOMAINS: Final = (
    "example.com",
    "example.net",
    "example.org",
    "mail.example.com",
    "webmail.example.net",
)
"""Domains that no mail reaches: reserved by RFC 2606, section 3, and names below them."""


_GIVEN: Final = entries("given_names.v1.tsv")
_SURNAMES: Final = entries("surnames.v1.tsv")
_PAIRS: Final = len(_GIVEN) * len(_SURNAMES)
"""Given names with a surname; what may follow one stands behind them in a list of words."""
_SURNAME_KINDS: Final = np.unique([row["slug"] for row in _SURNAMES], return_inverse=True)[1].astype(np.uint16)
"""A number for each surname, the same for surnames that differ in a particle."""


@cache
def given_names(gender: Gender | None = None) -> pa.StringArray:
    """The given names of women ("F"), of men ("M"), or of women and then men, sorted by code point."""
    return pa.array([row["name"] for row in _GIVEN if gender in (None, row["gender"])], pa.string())


@cache
def surnames() -> pa.StringArray:
    """The surnames, sorted by code point; some begin with a particle, as in "dos Santos"."""
    return pa.array([row["name"] for row in _SURNAMES], pa.string())


def full_names(given: NDArray[np.integer], first: NDArray[np.integer], second: NDArray[np.integer]) -> pa.StringArray:
    """Full names of a given name and two surnames, or one where the two differ in a particle at most.

    All are positions: in `given_names()` and in `surnames()`. Raises IndexError for one out of range.
    """
    begun = _pair(given, first)
    same = _SURNAME_KINDS.take(first) == _SURNAME_KINDS.take(_checked(second, _SURNAMES))
    ended = np.where(same, 0, second + 1).astype(np.int64)
    return put_together(_name_words(), np.column_stack([begun, ended + _PAIRS]))


def email_addresses(
    given: NDArray[np.integer], surname: NDArray[np.integer], numbers: pa.StringArray, domain: NDArray[np.integer]
) -> pa.StringArray:
    """Addresses like `ana.souza042@example.com`, in ASCII and without capitals.

    Names are positions as in `full_names`, domains those in EMAIL_DOMAINS. Raises IndexError for one out of range.
    """
    words = _address_words()
    own = np.arange(len(words), len(words) + len(numbers))
    ended = _checked(domain, EMAIL_DOMAINS).astype(np.int64) + _PAIRS
    positions = np.column_stack([_pair(given, surname), own, ended])
    return put_together(pa.concat_arrays([words, numbers]), positions)


@cache
def _name_words() -> pa.StringArray:
    """Every given name with every surname, given name by given name: some 50,000, about 1 MiB; then what may follow."""
    pairs = [f"{given['name']} {surname['name']}" for given in _GIVEN for surname in _SURNAMES]
    return pa.array([*pairs, "", *(f" {surname['name']}" for surname in _SURNAMES)], pa.string())


@cache
def _address_words() -> pa.StringArray:
    """The same of what addresses begin with, then the domains."""
    pairs = [f"{given['slug']}.{surname['slug']}" for given in _GIVEN for surname in _SURNAMES]
    return pa.array([*pairs, *(f"@{domain}" for domain in EMAIL_DOMAINS)], pa.string())


def _pair(given: NDArray[np.integer], surname: NDArray[np.integer]) -> NDArray[np.int64]:
    return _checked(given, _GIVEN).astype(np.int64) * len(_SURNAMES) + _checked(surname, _SURNAMES).astype(np.int64)


def _checked(positions: NDArray[np.integer], words: Sized) -> NDArray[np.integer]:
    if len(positions) and not 0 <= int(positions.min()) <= int(positions.max()) < len(words):
        raise IndexError(f"a position is not one of {len(words)}")
    return positions
