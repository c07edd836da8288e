"""What would change between two states of a dataset."""

from typing import Any

import pyarrow as pa
import pytest

from seed_pipelines.domain.differences import Difference, between
from seed_pipelines.domain.plan import Plan
from seed_pipelines_tests.worlds import catalogue, manifest

LIMITS = catalogue()


def plan(customers: int = 5_000, bank_accounts: int = 6_000, **changes: Any) -> Plan:
    return Plan.of(manifest(customers, bank_accounts, in_catalogue=LIMITS, **changes), LIMITS)


def counts(changes: Difference) -> tuple[int, int, int, int]:
    return changes.added, changes.changed, changes.removed, changes.unchanged


def test_a_plan_does_not_differ_from_itself() -> None:
    changes = between(plan(), plan())
    assert {name: counts(change) for name, change in changes.items()} == {
        "customers": (0, 0, 0, 5_000),
        "bank_accounts": (0, 0, 0, 6_000),
    }
    assert all(change.is_empty for change in changes.values())


def test_caps_raised_in_proportion_only_add_and_lowered_only_remove() -> None:
    grown, shrunk = between(plan(), plan(10_000, 12_000)), between(plan(10_000, 12_000), plan())
    assert counts(grown["customers"]) == (5_000, 0, 0, 5_000)
    assert counts(grown["bank_accounts"]) == (6_000, 0, 0, 6_000)
    assert counts(shrunk["bank_accounts"]) == (0, 0, 6_000, 6_000)


def test_another_anchor_changes_dates_and_keeps_ids() -> None:
    later = between(plan(), plan(reference_datetime="2025-06-01T00:00:00Z"))
    assert counts(later["customers"]) == (0, 5_000, 0, 0)


def test_an_entity_that_is_no_longer_named_goes() -> None:
    only = plan(volumetry={"customers": {"cap": 5_000}})
    assert counts(between(plan(), only)["bank_accounts"]) == (0, 0, 6_000, 0)


def test_rows_of_the_tenant_are_compared_by_their_number_whatever_the_customers_are() -> None:
    few, many = (
        plan(volumetry={"customers": {"cap": customers}, "suppliers": {"cap": suppliers}})
        for customers, suppliers in ((5_000, 6_000), (20, 9_000))
    )
    assert counts(between(few, many)["suppliers"]) == (3_000, 0, 0, 6_000)
    assert counts(between(many, few)["suppliers"]) == (0, 0, 3_000, 6_000)
    assert counts(between(few, plan())["suppliers"]) == (0, 0, 6_000, 0)


@pytest.mark.parametrize("other", [{"profile": "smoke"}, {"salt_version": "v2"}])
def test_another_dataset_shares_no_row(other: dict[str, str]) -> None:
    metadata = manifest().metadata.model_dump() | other
    changes = between(plan(), plan(metadata=metadata))
    assert counts(changes["customers"]) == (5_000, 0, 5_000, 0)


def test_ids_name_the_rows_and_are_bounded() -> None:
    change = between(plan(), plan(10_000, 12_000))["customers"]
    assert len(change.added_ids) == 1_000
    assert len(set(change.added_ids)) == 1_000
    assert change.changed_ids == []
    assert change.added_ids[0].count("-") == 4


def test_empty_states_have_no_difference() -> None:
    schema = pa.schema([pa.field("id", pa.binary(16), nullable=False)])
    change = Difference()
    change.add(schema.empty_table(), schema.empty_table())
    assert change.is_empty


@pytest.mark.parametrize("number", [0, 1, 4_095, 4_096, 5_999])
def test_a_numbered_row_is_that_of_the_whole(number: int) -> None:
    found = plan()
    for entity in found.entities:
        whole = found.entity_rows(entity, 0, 5_000)
        if number < len(whole):
            alone = found.numbered_row(entity, number)
            assert (alone.customers[0], alone.ordinals[0]) == (whole.customers[number], whole.ordinals[number])
