"""The vocabularies of names, and what is composed of them."""

import re
import unicodedata

import numpy as np
import pytest
from numpy.typing import NDArray

from seed_pipelines.domain.brazil import names
from seed_pipelines.domain.brazil.digits import decimal_strings

NAME = re.compile(r"[^\W\d_]+(?: [^\W\d_]+)*")
GIVEN = names.given_names().to_pylist()
SURNAMES = names.surnames().to_pylist()


@pytest.mark.parametrize(("vocabulary", "least"), [(GIVEN[:140], 100), (GIVEN[140:], 100), (SURNAMES, 150)])
def test_vocabularies_are_sorted_distinct_names(vocabulary: list[str], least: int) -> None:
    """Letters and single spaces, composed accents, no titles."""
    assert len(vocabulary) >= least
    assert vocabulary == sorted(set(vocabulary))
    assert all(NAME.fullmatch(name) and unicodedata.is_normalized("NFC", name) for name in vocabulary)
    assert not {word.lower() for name in vocabulary for word in name.split()} & {
        "dr",
        "dra",
        "sr",
        "sra",
        "dom",
    }


def test_given_names_of_women_come_before_those_of_men() -> None:
    """The combined numbering is what the two lists are, one after the other, and they share no name."""
    women, men = names.given_names("F").to_pylist(), names.given_names("M").to_pylist()
    assert women + men == GIVEN
    assert not set(women) & set(men)
    assert {"Ana", "Letícia"} <= set(women)
    assert {"João", "Pedro"} <= set(men)


def test_full_names_have_both_surnames_in_order() -> None:
    """Positions are looked up and joined by single spaces."""
    given = np.array([GIVEN.index("João Pedro"), GIVEN.index("Ana")])
    first = np.array([SURNAMES.index("da Conceição"), 0])
    second = np.array([SURNAMES.index("dos Santos"), SURNAMES.index("Araújo")])
    full = names.full_names(given, first, second).to_pylist()
    assert full == ["João Pedro da Conceição dos Santos", f"Ana {SURNAMES[0]} Araújo"]


def test_a_surname_is_not_doubled() -> None:
    """Neither Silva Silva nor Silva da Silva, but Silva."""
    silva, da_silva = SURNAMES.index("Silva"), SURNAMES.index("da Silva")
    given = np.zeros(2, dtype=np.uint64)
    full = names.full_names(given, np.array([silva, silva]), np.array([silva, da_silva])).to_pylist()
    assert full == [f"{GIVEN[0]} Silva"] * 2


def addresses(given: NDArray[np.integer], surname: NDArray[np.integer], domain: int = 0) -> list[str]:
    """Compose addresses with the numbers 0, 1 and so on."""
    numbers = decimal_strings(np.arange(len(given), dtype=np.uint64), 9)
    found: list[str] = names.email_addresses(given, surname, numbers, np.full(len(given), domain)).to_pylist()
    return found


def test_addresses_are_plain_ascii_of_the_same_names() -> None:
    """Accents, spaces and particles are gone; everything else is the name, then the number and the domain."""
    given = np.arange(len(GIVEN)).repeat(len(SURNAMES))
    surname = np.tile(np.arange(len(SURNAMES)), len(GIVEN))
    found = addresses(given, surname, domain=3)
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+[0-9]{9}@mail\.example\.com", address) for address in found)
    number = GIVEN.index("Ana Cecília") * len(SURNAMES) + SURNAMES.index("de Araújo")
    assert found[number] == f"anacecilia.araujo{number:09}@mail.example.com"


def test_composed_names_fit_the_positions_that_streams_draw() -> None:
    """Unsigned positions compose the same names as signed ones."""
    unsigned, signed = (np.array([3, 170, 280], dtype=kind) for kind in (np.uint64, np.int64))
    surname = np.array([5, 6, 7], dtype=np.uint64)
    one = names.full_names(unsigned, surname, surname[::-1])
    assert one.equals(names.full_names(signed, surname.astype(np.int64), surname[::-1].astype(np.int64)))


@pytest.mark.parametrize("surname", [len(SURNAMES), -1])
def test_positions_out_of_range_are_refused(surname: int) -> None:
    """A surname out of range would silently be another given name's."""
    last = len(GIVEN) - 1
    with pytest.raises(IndexError):
        addresses(np.array([last]), np.array([surname]))
    with pytest.raises(IndexError):
        names.full_names(np.array([last]), np.array([surname]), np.array([0]))
    with pytest.raises(IndexError):
        names.full_names(np.array([0]), np.array([0]), np.array([surname]))


@pytest.mark.parametrize("given", [len(GIVEN), -1])
def test_given_names_and_domains_out_of_range_are_refused(given: int) -> None:
    """They would silently be a word of another kind."""
    with pytest.raises(IndexError):
        addresses(np.array([given]), np.array([0]))
    with pytest.raises(IndexError):
        names.full_names(np.array([given]), np.array([0]), np.array([0]))
    with pytest.raises(IndexError):
        addresses(np.array([0]), np.array([0]), domain=len(names.EMAIL_DOMAINS))


def test_mail_domains_are_reserved() -> None:
    """RFC 2606, section 3."""
    assert all(re.fullmatch(r"(?:[a-z]+\.)?example\.(?:com|net|org)", domain) for domain in names.EMAIL_DOMAINS)
