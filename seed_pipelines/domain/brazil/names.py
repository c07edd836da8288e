"""Brazilian names from fixed vocabularies, and the local parts of e-mail addresses made from them.

Given names have one numbering: those of women first, then those of men, each sorted by code point.
"""

from functools import cache
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seed_pipelines.domain.brazil.vocabularies import entries

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
    begun = _given_with_surname(" ", "name").take(_pair(given, first))
    same = _SURNAME_KINDS.take(first) == _SURNAME_KINDS.take(_checked(second))
    ended = _second_surnames().take(np.where(same, 0, second + 1))
    return pc.binary_join_element_wise(begun, ended, "")


def email_local_parts(given: NDArray[np.integer], surname: NDArray[np.integer]) -> pa.StringArray:
    """Local parts like `ana.souza`, in lowercase ASCII letters, from positions as in `full_names`."""
    return _given_with_surname(".", "slug").take(_pair(given, surname))


@cache
def _given_with_surname(separator: str, column: str) -> pa.StringArray:
    """Every given name with every surname, given name by given name: some 50,000, about 1 MiB."""
    pairs = [given[column] + separator + surname[column] for given in _GIVEN for surname in _SURNAMES]
    return pa.array(pairs, pa.string())


@cache
def _second_surnames() -> pa.StringArray:
    """An empty string, then every surname with a space in front."""
    return pa.array(["", *(f" {row['name']}" for row in _SURNAMES)], pa.string())


def _pair(given: NDArray[np.integer], surname: NDArray[np.integer]) -> NDArray[np.int64]:
    return given.astype(np.int64) * len(_SURNAMES) + _checked(surname).astype(np.int64)


def _checked(surname: NDArray[np.integer]) -> NDArray[np.integer]:
    if len(surname) and not 0 <= int(surname.min()) <= int(surname.max()) < len(_SURNAMES):
        raise IndexError(f"a surname is not one of {len(_SURNAMES)}")
    return surname
