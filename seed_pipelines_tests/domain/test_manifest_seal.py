"""Sealing: the hash goes in, and nothing else changes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.manifest import read_manifest
from seed_pipelines.domain.manifest_document import read_document
from seed_pipelines.domain.manifest_seal import Sealed, seal
from seed_pipelines.errors import CapExceeded, ManifestInvalid
from seed_pipelines_tests.manifest_examples import CATALOGUE, GENERATED, UNSEALED, example

DIGEST = example()["integrity"]["manifest_hash"]
PLACE = '"<preenchido pelo pipeline>"'


def seal_yaml(text: str) -> Sealed:
    """A YAML manifest, sealed."""
    return seal(text.encode(), "yaml", CATALOGUE, GENERATED)


@pytest.mark.parametrize(
    "written",
    [PLACE, "", "''", "null", "x  # to be filled in", f'"{"0" * 64}"', "0123", ">\n    folded\n    text"],
)
def test_whatever_stands_there_gives_way_to_the_hash(written: str) -> None:
    """Quoted, plain, folded or empty: the rest of the text stays as it was."""
    text = "# kept\n" + UNSEALED.replace(PLACE, written) + "# the end\n"
    result = seal_yaml(text)
    assert result.manifest_hash == DIGEST
    edited = result.source.decode()
    assert read_manifest(read_document(result.source, "yaml"), CATALOGUE, GENERATED)
    before, after = text.split("manifest_hash:")
    assert edited.startswith(f'{before}manifest_hash: "{DIGEST}"')
    assert edited.endswith("# the end\n")
    assert ("# to be filled in" in edited) == ("# to be filled in" in after)


def test_a_sealed_manifest_stays_as_it_is() -> None:
    """Byte for byte, its hash plain or quoted."""
    once = seal_yaml(UNSEALED)
    assert seal_yaml(once.source.decode()) == once
    plain = once.source.decode().replace(f'"{DIGEST}"', DIGEST)
    assert seal_yaml(plain).source.decode() == plain


def test_line_breaks_are_kept() -> None:
    """A file from Windows stays one."""
    source = seal_yaml(UNSEALED.replace("\n", "\r\n")).source
    assert source.count(b"\r\n") == source.count(b"\n") == UNSEALED.count("\n")


def test_an_absent_integrity_is_added() -> None:
    """At the end, in the file's own line breaks."""
    text = UNSEALED[: UNSEALED.index("integrity:")]
    assert seal_yaml(text).source.decode() == f'{text}integrity:\n  manifest_hash: "{DIGEST}"\n'
    assert seal_yaml(text.replace("\n", "\r\n")).source.endswith(b'"\r\n')


@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("recorded", ["", None, 'a "quoted" one', "0" * 64])
def test_json_keeps_its_layout(indent: int | str | None, recorded: str | None) -> None:
    """Only the member's value changes."""
    document = {**example(), "integrity": {"manifest_hash": recorded}}
    text = json.dumps(document, indent=indent)
    result = seal(text.encode(), "json", CATALOGUE, GENERATED)
    assert result.source.decode() == text.replace(json.dumps(recorded), f'"{DIGEST}"')


@pytest.mark.parametrize("integrity", ["{}", "[]", "{manifest_hash: {}}", "{manifest_hash: [1]}"])
def test_a_manifest_without_a_place_for_the_hash_is_refused(integrity: str) -> None:
    """And told what to write."""
    text = UNSEALED[: UNSEALED.index("integrity:")]
    with pytest.raises(ManifestInvalid, match="no place for the hash"):
        seal_yaml(f"{text}integrity: {integrity}\n")
    with pytest.raises(ManifestInvalid, match="no place for the hash"):
        seal(json.dumps({**example(), "integrity": {}}).encode(), "json", CATALOGUE, GENERATED)


def test_a_flow_mapping_without_integrity_is_refused() -> None:
    """Lines after its closing brace would be no YAML."""
    document = example()
    del document["integrity"]
    with pytest.raises(ManifestInvalid, match="no place for the hash"):
        seal_yaml(json.dumps(document))


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("cap: 100", "cap: 0", ManifestInvalid),
        ("cap: 100", "cap: 501", CapExceeded),
        ("mode: baseline", "mode: baseline\nmode: dr", ManifestInvalid),
    ],
)
def test_what_is_wrong_otherwise_is_not_sealed(old: str, new: str, error: type[Exception]) -> None:
    """A hash vouches for a manifest that is right."""
    with pytest.raises(error):
        seal_yaml(UNSEALED.replace(old, new))


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn", "Co", "Zl", "Zp")), max_size=20))
def test_comments_survive(comment: str) -> None:
    """Of any script, before and behind the hash."""
    text = f"# {comment}\n{UNSEALED.rstrip()} # {comment}\n# {comment}\n"
    assert seal_yaml(text).source.decode() == text.replace(PLACE, f'"{DIGEST}"')
