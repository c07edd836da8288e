"""Chains of reports: whatever is removed, rewritten, reordered or doubled shows, with its number."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.evidence.chain import START, ChainHead, Link, verify_chain
from seed_pipelines.errors import EvidenceInvalid


def chain(length: int, after: ChainHead = START) -> list[Link]:
    """Links that follow a head."""
    links: list[Link] = []
    for sequence in range(after.sequence + 1, after.sequence + 1 + length):
        previous = links[-1].sha256 if links else after.sha256
        sha256 = hashlib.sha256(f"envelope {sequence}".encode()).hexdigest()
        links.append(Link("tenant-id", "staging", sequence, previous, sha256))
    return links


def broken(links: list[Link], **known: ChainHead) -> EvidenceInvalid:
    with pytest.raises(EvidenceInvalid) as refusal:
        verify_chain(links, **known)
    return refusal.value


def test_a_whole_chain_ends_in_its_head() -> None:
    """From its start, or from any report that is known."""
    links = chain(5)
    assert verify_chain(links) == links[-1].head
    assert verify_chain(links[2:], after=links[1].head, head=links[4].head) == links[4].head
    assert verify_chain([]) == START


@given(st.integers(2, 9), st.data())
def test_a_removed_report_is_named(length: int, data: st.DataObject) -> None:
    """The last ones only where the head is known."""
    links = chain(length)
    gone = data.draw(st.integers(0, length - 1))
    left = links[:gone] + links[gone + 1 :]
    if gone == length - 1:
        assert verify_chain(left) == left[-1].head
        assert broken(left, head=links[-1].head).extensions["sequence"] == length
    else:
        refusal = broken(left)
        assert refusal.extensions["sequence"] == gone + 1
        assert "is missing" in refusal.detail


@given(st.integers(2, 9), st.data())
def test_a_rewritten_report_shows_in_the_next(length: int, data: st.DataObject) -> None:
    """Whose previous hash is no longer that of the envelope before it; the last in the head."""
    links = chain(length)
    place = data.draw(st.integers(0, length - 1))
    head = links[-1].head
    links[place] = replace(links[place], sha256=hashlib.sha256(b"rewritten").hexdigest())
    assert broken(links, head=head).extensions["sequence"] == min(place + 2, length)


@given(st.integers(2, 9), st.data())
def test_reports_out_of_order_are_named(length: int, data: st.DataObject) -> None:
    """Two that changed places."""
    links = chain(length)
    one, other = sorted(data.draw(st.lists(st.integers(0, length - 1), min_size=2, max_size=2, unique=True)))
    links[one], links[other] = links[other], links[one]
    assert broken(links).extensions["sequence"] == one + 1


@given(st.integers(1, 9), st.data())
def test_a_doubled_report_is_named(length: int, data: st.DataObject) -> None:
    """Right behind itself, or anywhere later."""
    links = chain(length)
    place = data.draw(st.integers(0, length - 1))
    again = data.draw(st.integers(place + 1, length))
    refusal = broken([*links[:again], links[place], *links[again:]])
    assert refusal.extensions["sequence"] == place + 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tenant_id": "another"}, "belongs to staging of tenant another"),
        ({"environment": "dev"}, "belongs to dev"),
        ({"previous_sha256": "0" * 64}, "number 2 is"),
    ],
)
def test_a_report_of_something_else_is_named(changes: dict[str, object], reason: str) -> None:
    """Another tenant or environment, another past."""
    links = chain(4)
    links[2] = replace(links[2], **changes)  # type: ignore[arg-type]  # the table's values fit their fields
    refusal = broken(links)
    assert reason in refusal.detail
    assert refusal.extensions["sequence"] == 3


def test_the_first_report_follows_nothing() -> None:
    """64 zeros."""
    [first] = chain(1)
    assert first.previous_sha256 == "0" * 64
    assert broken([replace(first, previous_sha256="1" * 64)]).extensions["sequence"] == 1
