"""Row ids."""

from uuid import UUID

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.ids import customer_indices, dataset_tag, end_of_dataset, lowest_id, row_ids, uuid_texts
from seed_pipelines.domain.streams import Stream

TAGS = st.integers(0, 2**24 - 1)
CUSTOMERS = st.integers(0, 2**36 - 1)
ORDINALS = st.integers(0, 2**22 - 1)


def ids_of(tag: int, pairs: list[tuple[int, int]]) -> list[bytes]:
    customers, ordinals = (np.asarray(part, dtype=np.uint64) for part in zip(*pairs, strict=True))
    ids: list[bytes] = row_ids(tag, customers, ordinals, Stream(99)).to_pylist()
    return ids


@given(TAGS, st.lists(st.tuples(CUSTOMERS, ORDINALS), min_size=1, max_size=30, unique=True))
def test_ids_are_uuid_8_and_sort_like_their_rows(tag: int, pairs: list[tuple[int, int]]) -> None:
    ids = ids_of(tag, sorted(pairs))
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    for value in ids:
        assert UUID(bytes=value).version == 8
        assert UUID(bytes=value).variant == "specified in RFC 4122"


@given(TAGS, st.lists(st.tuples(CUSTOMERS, ORDINALS), min_size=3, max_size=10))
def test_the_customer_can_be_read_from_an_id_even_of_a_slice(tag: int, pairs: list[tuple[int, int]]) -> None:
    customers, ordinals = (np.asarray(part, dtype=np.uint64) for part in zip(*pairs, strict=True))
    ids = row_ids(tag, customers, ordinals, Stream(1))
    assert customer_indices(ids).tolist() == customers.tolist()
    assert customer_indices(ids.slice(1, 2)).tolist() == customers[1:3].tolist()


@given(TAGS, CUSTOMERS, ORDINALS)
def test_the_rows_of_a_customer_lie_from_its_lowest_id_to_the_next_ones(tag: int, customer: int, ordinal: int) -> None:
    (value,) = ids_of(tag, [(customer, ordinal)])
    assert lowest_id(tag, customer) <= value
    if customer + 1 < 2**36:
        assert value < lowest_id(tag, customer + 1)
    end = end_of_dataset(tag)
    assert end is None or value < end


def test_the_last_tag_has_no_end() -> None:
    assert end_of_dataset(2**24 - 1) is None


def test_the_tag_tells_datasets_apart() -> None:
    tags = {dataset_tag(t, e, p) for t in ("a", "b") for e in ("dev", "perf") for p in ("default", "load")}
    assert len(tags) == 8


@given(st.lists(st.none() | st.binary(min_size=16, max_size=16), max_size=20), st.integers(0, 3))
def test_ids_as_text_are_those_of_the_standard_library_even_of_a_slice(values: list[bytes | None], start: int) -> None:
    ids = pa.array(values, pa.binary(16)).slice(start)
    assert uuid_texts(ids).to_pylist() == [
        None if value is None else str(UUID(bytes=value)) for value in values[start:]
    ]
