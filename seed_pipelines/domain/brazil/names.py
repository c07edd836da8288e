"""Brazilian names from fixed vocabularies, and e-mail addresses made from them.

Given names have one numbering: those of women first, then those of men, each sorted by code point.
"""

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
    same = _SURNAME_KINDS.take(first) == _SURNAME_KINDS.take(second)
    ended = np.where(same, len(_SURNAMES), second)
    return put_together((given_names(), given), (_spaced_surnames(), first), (_last_surnames(), ended))


def email_addresses(
    given: NDArray[np.integer], surname: NDArray[np.integer], numbers: pa.StringArray, domain: NDArray[np.integer]
) -> pa.StringArray:
    """Addresses like `ana.souza042@example.com`, in ASCII and without capitals.

    Names are positions as in `full_names`, domains those in EMAIL_DOMAINS. Raises IndexError for one out of range.
    """
    first, second, last = _address_words()
    return put_together((first, given), (second, surname), (numbers, np.arange(len(numbers))), (last, domain))


@cache
def _spaced_surnames() -> pa.StringArray:
    return pa.array([f" {row['name']}" for row in _SURNAMES], pa.string())


@cache
def _last_surnames() -> pa.StringArray:
    """The surnames with a space in front, and then nothing."""
    return pa.concat_arrays([_spaced_surnames(), pa.array([""], pa.string())])


@cache
def _address_words() -> tuple[pa.StringArray, pa.StringArray, pa.StringArray]:
    """What stands in addresses for given names, surnames and domains."""
    return (
        pa.array([row["slug"] for row in _GIVEN], pa.string()),
        pa.array([f".{row['slug']}" for row in _SURNAMES], pa.string()),
        pa.array([f"@{domain}" for domain in EMAIL_DOMAINS], pa.string()),
    )
