"""Merkle proofs: against the test vectors of Certificate Transparency, and for every small tree."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.digest import merkle_root
from seed_pipelines.domain.evidence.merkle_proofs import (
    consistency_proof,
    growing_roots,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from seed_pipelines.errors import EvidenceInvalid

ENTRIES: Final = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
LEAVES: Final = tuple(leaf_hash(bytes.fromhex(entry)) for entry in ENTRIES)
ROOTS: Final = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""Of the first 0, 1, ... 8 entries."""
OTHER: Final = leaf_hash(b"another")

sizes = st.integers(1, 70)


def leaves_of(size: int) -> list[str]:
    return [leaf_hash(b"%d" % number) for number in range(size)]


@pytest.mark.parametrize("size", range(9))
def test_the_roots_are_the_known_ones(size: int) -> None:
    """For each number of entries."""
    assert merkle_root(LEAVES[:size]) == ROOTS[size]


def test_the_proofs_are_the_known_ones() -> None:
    """Of the sixth entry among eight, and from six entries to eight."""
    last_two = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
    assert inclusion_proof(5, LEAVES) == (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        last_two,
        ROOTS[4],
    )
    assert consistency_proof(6, LEAVES) == (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        last_two,
        ROOTS[4],
    )


@given(sizes, st.data())
def test_every_entry_is_proven_and_nothing_else(size: int, data: st.DataObject) -> None:
    """Not another entry, place, size, root or path."""
    leaves = leaves_of(size)
    index = data.draw(st.integers(0, size - 1))
    root, proof = merkle_root(leaves), inclusion_proof(index, leaves)
    verify_inclusion(leaves[index], index, size, root, proof)
    wrong: list[tuple[str, int, int, str, tuple[str, ...]]] = [
        (OTHER, index, size, root, proof),
        (leaves[index], index, size, OTHER, proof),
        (leaves[index], size, size, root, proof),
        (leaves[index], -1, size, root, proof),
        (leaves[index], index, size, root, (*proof, OTHER)),
        *((leaves[index], place, size, root, proof) for place in range(size) if place != index),
        *((leaves[index], index, size, root, (*proof[:n], *proof[n + 1 :])) for n in range(len(proof))),
        *((leaves[index], index, size, root, (*proof[:n], OTHER, *proof[n + 1 :])) for n in range(len(proof))),
    ]
    for attempt in wrong:
        with pytest.raises(EvidenceInvalid):
            verify_inclusion(*attempt)


@given(sizes, st.data())
def test_growth_is_proven_and_nothing_else(size: int, data: st.DataObject) -> None:
    """A changed, removed or inserted older entry breaks it, and so does any change of the proof."""
    leaves = leaves_of(size)
    first = data.draw(st.integers(1, size))
    before, after, proof = merkle_root(leaves[:first]), merkle_root(leaves), consistency_proof(first, leaves)
    verify_consistency(first, before, size, after, proof)
    place = data.draw(st.integers(0, first - 1))
    rewritten = [*leaves[:place], OTHER, *leaves[place + 1 :]]
    wrong = [
        (first, OTHER, size, after, proof),
        (first, before, size, OTHER, proof),
        (first, before, first - 1, after, proof),
        (first, before, size, after, (*proof, OTHER)),
        (first, before, size, merkle_root(rewritten), consistency_proof(first, rewritten)),
        *((first, before, size, after, (*proof[:n], *proof[n + 1 :])) for n in range(len(proof))),
        *((first, before, size, after, (*proof[:n], OTHER, *proof[n + 1 :])) for n in range(len(proof))),
    ]
    for attempt in wrong:
        with pytest.raises(EvidenceInvalid):
            verify_consistency(*attempt)


def test_every_log_begins_with_the_empty_one() -> None:
    """Which has one root, and needs no proof."""
    verify_consistency(0, ROOTS[0], 8, ROOTS[8], ())
    verify_consistency(0, ROOTS[0], 0, ROOTS[0], ())
    for attempt in (
        (0, ROOTS[1], 8, ROOTS[8], ()),
        (0, ROOTS[0], 0, ROOTS[1], ()),
        (0, ROOTS[0], 8, ROOTS[8], (OTHER,)),
    ):
        with pytest.raises(EvidenceInvalid):
            verify_consistency(*attempt)


@pytest.mark.parametrize("text", ["", "00", "g" * 64, "A" * 64, ROOTS[8] + "\n"])
def test_what_is_no_hash_is_named(text: str) -> None:
    """Wherever it stands."""
    with pytest.raises(EvidenceInvalid, match="no SHA-256"):
        verify_inclusion(LEAVES[5], 5, 8, ROOTS[8], (text,))
    with pytest.raises(EvidenceInvalid, match="no SHA-256"):
        verify_consistency(6, text, 8, ROOTS[8], consistency_proof(6, LEAVES))


def test_proofs_of_what_is_not_there_are_not_made() -> None:
    """An index or a size beyond the log."""
    for index in (-1, 8):
        with pytest.raises(IndexError):
            inclusion_proof(index, LEAVES)
    for size in (0, 9):
        with pytest.raises(IndexError):
            consistency_proof(size, LEAVES)


def test_growing_roots_are_those_of_every_size() -> None:
    """Each is the root of the entries so far."""
    leaves = [leaf_hash(bytes([number])) for number in range(40)]
    assert list(growing_roots(leaves)) == [merkle_root(leaves[:size]) for size in range(1, 41)]
