"""The vocabularies as one."""

from seed_pipelines.domain.brazil.vocabularies import VOCABULARY_VERSION, entries
from seed_pipelines.domain.dataset import GENERATOR_VERSION


def test_rows_have_the_columns_of_the_header_and_no_comment() -> None:
    """A header after the comments names the columns."""
    assert {tuple(row) for row in entries("given_names.v1.tsv")} == {("gender", "name", "slug")}
    assert not any(row["name"].startswith("#") for row in entries("streets.v1.tsv"))


def test_the_version_is_a_digest_of_all_content_and_part_of_the_generators() -> None:
    """A change of it changes every generated dataset, so it is written here to be noticed."""
    assert VOCABULARY_VERSION[:12] == "44001a8b44a8"
    assert GENERATOR_VERSION.endswith(f"+{VOCABULARY_VERSION[:12]}")
