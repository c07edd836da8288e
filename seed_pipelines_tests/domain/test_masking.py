"""Masking."""

import numpy as np
import pytest

from seed_pipelines.domain.children import one_each
from seed_pipelines.domain.entities import ENTITIES, Entity
from seed_pipelines.domain.masking import (
    FINGERPRINT_FIELD,
    Days,
    Digits,
    Masker,
    MaskingKeys,
    Redrawn,
    Vocabulary,
    fields_of,
    unmasked_batch,
)
from seed_pipelines.domain.plan import Plan
from seed_pipelines_tests.fakes import FakeKeys
from seed_pipelines_tests.worlds import catalogue, manifest_of_every_entity

NAMES = ("tenant-a", "staging", "v1")
ROWS = one_each(0, 5000)


def keys(material: bytes = b"one") -> MaskingKeys:
    return MaskingKeys(*NAMES, FakeKeys(material).masking_keys(*NAMES, fields_of(ENTITIES)))


def test_digits_are_permuted_and_forbidden_numbers_never_given() -> None:
    forbidden = tuple(range(0, 1_000_000, 7))
    allowed = np.setdiff1d(np.arange(1_000_000, dtype=np.uint64), np.asarray(forbidden, dtype=np.uint64))
    masked = Digits(6, forbidden).mask(b"k" * 32, b"t")(allowed, ROWS)
    assert np.array_equal(np.sort(masked), allowed)


def test_every_word_of_a_section_gets_another_one_of_the_same_section() -> None:
    codes = np.arange(300)
    masked = Vocabulary((100, 200)).mask(b"k" * 32, b"t")(codes, ROWS)
    assert sorted(masked[:100]) == list(range(100))
    assert sorted(masked[100:]) == list(range(100, 300))
    assert not np.any(masked == codes)


def test_days_move_within_their_span_and_never_stay() -> None:
    days = np.zeros(5000, dtype=np.int64)
    shifts = Days(10).mask(b"k" * 32, b"t")(days, ROWS)
    assert set(shifts.tolist()) == set(range(-10, 11)) - {0}


def test_redrawn_numbers_are_any_others_and_apart() -> None:
    old = np.full(50_000, 97)
    new = Redrawn(100, apart=5).mask(b"k" * 32, b"t")(old, one_each(0, 50_000))
    assert set(new.tolist()) == {*range(2, 93)}
    assert np.bincount(new)[2:93].min() > 0.8 * 50_000 / 91


def test_the_smallest_distance_on_the_circle_is_possible() -> None:
    old = np.arange(3)
    masked = Redrawn(3).mask(b"k" * 32, b"t")(old, one_each(0, 3))
    assert not np.any(masked == old)
    assert set(masked.tolist()) <= {0, 1, 2}


@pytest.mark.parametrize("pii", [Digits(8), Vocabulary((400,)), Days(182), Redrawn(1000)])
def test_another_key_or_another_place_masks_differently(pii: Digits | Vocabulary | Days | Redrawn) -> None:
    codes = np.arange(200, dtype=np.uint64)
    one = pii.mask(b"k" * 32, b"tenant-a")(codes, one_each(0, 200))
    assert not np.array_equal(one, pii.mask(b"l" * 32, b"tenant-a")(codes, one_each(0, 200)))
    assert not np.array_equal(one, pii.mask(b"k" * 32, b"tenant-b")(codes, one_each(0, 200)))


def test_keys_of_a_wrong_length_are_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match=r"customers\.phone") as refusal:
        MaskingKeys(*NAMES, {"customers.phone": b"secret"})
    assert "secret" not in str(refusal.value)


def test_keys_are_not_in_a_repr() -> None:
    material = keys()
    assert all(
        key.hex() not in repr(material) and repr(key) not in repr(material) for key in material.by_field.values()
    )


def test_the_fingerprint_tells_keys_apart_and_does_not_depend_on_the_entities() -> None:
    only = MaskingKeys(*NAMES, {FINGERPRINT_FIELD: keys().by_field[FINGERPRINT_FIELD]})
    assert only.fingerprint == keys().fingerprint != keys(b"other").fingerprint
    assert keys().by_field[FINGERPRINT_FIELD].hex() not in keys().fingerprint


def test_fields_name_every_pii_code_once() -> None:
    fields = fields_of(ENTITIES)
    assert len(fields) == len(set(fields)) == 1 + sum(len(entity.pii) for entity in ENTITIES)


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_no_kind_of_pii_is_left_as_it_was_drawn(entity: Entity) -> None:
    limits = catalogue()
    plan = Plan.of(manifest_of_every_entity(5000, in_catalogue=limits), limits)
    wanted = next(found for found in plan.entities if found.name == entity.name)
    rows = plan.entity_rows(wanted, 0, 5000)
    masked, drawn = (
        Masker(keys()).batch(wanted, plan.portfolio, rows).records,
        unmasked_batch(wanted, plan.portfolio, rows),
    )
    kinds: dict[str, np.ndarray[tuple[int], np.dtype[np.bool_]]] = {}
    for column in wanted.columns:
        pairs = zip(masked.column(column.name).to_pylist(), drawn.column(column.name).to_pylist(), strict=True)
        alike = np.asarray([one == other for one, other in pairs])
        if column.pii:
            kinds[column.pii] = kinds.get(column.pii, np.ones(len(alike), dtype=bool)) & alike
        elif not column.name.endswith("check_digit"):
            assert alike.all(), f"{column.name} is no PII and changed"
    assert {kind: int(alike.sum()) for kind, alike in kinds.items()} == dict.fromkeys(kinds, 0)
