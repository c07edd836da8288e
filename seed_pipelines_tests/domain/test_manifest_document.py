"""Strict YAML and JSON: what a manifest's bytes may be."""

import json
from itertools import pairwise
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.manifest_document import (
    DEEPEST_NESTING,
    LARGEST_SOURCE,
    MOST_ISSUES,
    Syntax,
    read_document,
)
from seed_pipelines.errors import ManifestInvalid

BILLION_LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{after}: &{after} [*{before}, *{before}]\n" for before, after in pairwise("abcdefghi")
)


def refused(source: bytes, syntax: Syntax) -> list[dict[str, str]]:
    """The issues that a source is refused with."""
    with pytest.raises(ManifestInvalid) as caught:
        read_document(source, syntax)
    issues: list[dict[str, str]] = caught.value.extensions["issues"]
    assert all(issue["message"] and issue["allowed"] for issue in issues)
    json.dumps(caught.value.problem()).encode()
    return issues


@pytest.mark.parametrize("syntax", ["yaml", "json"])
@pytest.mark.parametrize(
    ("source", "code"),
    [
        (b"", "empty"),
        (b" \n\t\n", "empty"),
        (b"\x00\x01\x02", "binary"),
        (b"\x89PNG\r\n\x1a\n\x00", "binary"),
        (b"a: \xff", "not_utf8"),
        (b"\xef\xbb\xbf{}", "byte_order_mark"),
        ("{}".encode("utf-16"), "byte_order_mark"),
        (b"x" * (LARGEST_SOURCE + 1), "too_large"),
        (b"[1]", "not_a_mapping"),
        (b'"text"', "not_a_mapping"),
        (b"{", "syntax"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 100_000, "too_deep"),
        (b'{"a": [' + b"1," * 30_000 + b"1]}", "too_many_nodes"),
        (b'{"a": 1, "a": 2}', "duplicate_key"),
        (b'{"a": {"b": 1, "b": 1}}', "duplicate_key"),
        (b'{"' + b"x" * 201 + b'": 1}', "key_too_long"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "not_a_number"),
        (b'{"a": ' + b"9" * 41 + b".5}", "not_a_number"),
    ],
)
def test_what_no_syntax_allows(source: bytes, syntax: Syntax, code: str) -> None:
    """The answer is an issue, never a traceback."""
    assert [issue["code"] for issue in refused(source, syntax)] == [code]


@pytest.mark.parametrize(
    ("source", "codes"),
    [
        ("# only a comment\n", {"empty"}),
        ("---\n...\n", {"empty"}),
        ("a: 1\nb: 2\na: 3\n", {"duplicate_key"}),
        ("a: &x 1\nb: *x\n", {"anchor", "alias"}),
        (BILLION_LAUGHS, {"anchor", "alias"}),
        ("a: &a [*a]\n", {"anchor", "alias"}),
        ("a: !!python/object/apply:os.system [id]\n", {"tag"}),
        ("a: !!str 1\n", {"tag"}),
        ("!!map {a: 1}\n", {"tag"}),
        ("a: 1\n---\nb: 2\n", {"several_documents"}),
        ("<<: {a: 1}\n", {"merge_key"}),
        ("? [a]\n: 1\n", {"key_not_text"}),
        ("a: [1, 2\n", {"syntax"}),
        ("a: b: c\n", {"syntax"}),
        ("\ta: 1\n", {"syntax"}),
        ("a: \x07\n", {"syntax"}),
        ('a: "\\ud800"\n', {"syntax"}),
        ("- " * 1_000, {"too_deep"}),
        ("? " * 100_000, {"too_deep"}),
        ("{? " * 100_000, {"too_deep"}),
    ],
)
def test_what_yaml_does_not_allow(source: str, codes: set[str]) -> None:
    """Everything that makes a YAML file say something else than it shows."""
    assert {issue["code"] for issue in refused(source.encode(), "yaml")} == codes


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ('{"a": NaN}', "not_a_number"),
        ('{"a": -Infinity}', "not_a_number"),
        ('{"a": 1e999}', "not_a_number"),
        ('{"a": "\\ud800"}', "not_unicode"),
        ('{"\\udfff": 1}', "not_unicode"),
        ("{'a': 1}", "syntax"),
        ('{"a": 1,}', "syntax"),
        ('{"a": 1} {}', "syntax"),
        ('"' + '\\"' * 200_000, "syntax"),
    ],
)
def test_what_json_does_not_allow(source: str, code: str) -> None:
    """Python's reader is laxer than RFC 8259."""
    assert [issue["code"] for issue in refused(source.encode(), "json")] == [code]


def test_places_are_told() -> None:
    """Line and column in YAML, and the pointer of a duplicate in both."""
    (issue,) = refused(b"a:\n  b: 1\n  b: 2\n", "yaml")
    assert (issue["pointer"], issue["message"]) == ("/a/b", "the key stands twice at line 3, column 3")
    (issue,) = refused(b'{"a": [{"b": 1, "b": 2}]}', "json")
    assert issue["pointer"] == "/a/0/b"
    (issue,) = refused(b'{\n  "a" 1}', "json")
    assert "line 2, column 7" in issue["message"]


def test_a_flood_of_issues_ends() -> None:
    """A document of duplicates is given up, not listed."""
    assert len(refused(b"a: 1\n" * 5_000, "yaml")) == MOST_ISSUES


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("100", 100),
        ("-1", -1),
        ("1.5", 1.5),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("06:00", "06:00"),
        ("2025-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        ("2025-01-01", "2025-01-01"),
        ("yes", "yes"),
        ("off", "off"),
        ("True", "True"),
        ("1e3", "1e3"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("007", "007"),
        ("+1", "+1"),
        (".5", ".5"),
        (".inf", ".inf"),
        ("=", "="),
        ('"100"', "100"),
        ("'null'", "null"),
        ("|\n  1\n", "1\n"),
    ],
)
def test_plain_yaml_means_what_it_shows(written: str, value: object) -> None:
    """Decimal numbers, true, false and null are typed; everything else stays as it was written."""
    document = read_document(f"a: {written}".encode(), "yaml")
    assert document == {"a": value}
    assert type(document["a"]) is type(value)


def test_yaml_keys_are_text() -> None:
    """A key is what it shows, whatever YAML 1.1 makes of it."""
    assert read_document(b"1: a\ntrue: b\n06:00: c\n", "yaml") == {"1": "a", "true": "b", "06:00": "c"}


def test_json_keeps_fractions_apart_from_integers() -> None:
    """So that 1e3 and 1.0 can be refused as caps."""
    document = read_document(b'{"a": 1e3, "b": 1.0, "c": 1}', "json")
    assert [type(document[key]) for key in "abc"] == [float, float, int]


def test_nesting_up_to_the_limit_is_read() -> None:
    """The limit itself is allowed."""
    source = b'{"a":' * DEEPEST_NESTING + b"1" + b"}" * DEEPEST_NESTING
    assert read_document(source, "json") == read_document(source, "yaml")


_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn", "Co")), max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc é:#-", max_size=4), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from("abcd"), _VALUES, min_size=1))
def test_documents_survive_being_written(document: dict[str, Any]) -> None:
    """What YAML and JSON writers put down is read back the same."""
    assert read_document(json.dumps(document).encode(), "json") == document
    assert read_document(yaml.safe_dump(document, allow_unicode=True).encode(), "yaml") == document


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode), st.sampled_from(["yaml", "json"]))
def test_any_bytes_are_read_or_refused(source: bytes, syntax: Syntax) -> None:
    """No input ends in another exception."""
    try:
        assert isinstance(read_document(source, syntax), dict)
    except ManifestInvalid:
        assert refused(source, syntax)
