"""Canonical JSON, and everything that only looks like it."""

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.evidence.canonical import canonical_object
from seed_pipelines.errors import EvidenceInvalid

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda parts: st.lists(parts) | st.dictionaries(st.text(), parts),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), values))
def test_what_was_written_is_read(document: dict[str, Any]) -> None:
    """Every object has one form, which is accepted."""
    assert canonical_object(rfc8785.dumps(document), "thing") == document


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"\xff{}", "not UTF-8 at byte 0"),
        (b"{", "not JSON at character 1"),
        (b'{"a":1}x', "not JSON at character 7"),
        (b"[]", "no JSON object"),
        (b'{"a":1,"a":1}', "'a' is there twice"),
        (b'{"a":{"b":1,"b":2}}', "'b' is there twice"),
        (b'{"a":NaN}', "NaN is no number"),
        (b'{"a":-Infinity}', "-Infinity is no number"),
        (b"[" * 100_000, "trusted"),
        (b'{"a":9007199254740992}', "no canonical form"),
        (b'{"a":"\\ud800"}', "no canonical form"),
        (b'{"a": 1}', "differs at byte 5"),
        (b'{"b":1,"a":2}', "differs at byte 2"),
        (b'{"a":1}\n', "differs at byte 7"),
        (b'{"a":1.0}', "differs at byte 6"),
        (b'{"a":"\\u0061"}', "differs at byte 6"),
        (b"\xef\xbb\xbf{}", "not JSON at character 0"),
    ],
)
def test_anything_else_is_refused(data: bytes, reason: str) -> None:
    """With what it was to be, what is wrong, and where."""
    with pytest.raises(EvidenceInvalid, match=reason) as refusal:
        canonical_object(data, "thing")
    assert "The thing" in refusal.value.detail
