"""The rows of a report against the database: the first that differs is named, with both sides."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from seed_pipelines.adapters.postgres.reports import Report
from seed_pipelines.domain.digest import BLOCK
from seed_pipelines.seeding.verification.envelopes import Trust
from seed_pipelines.seeding.verification.run import verify_envelope
from seed_pipelines_tests.fakes.keys import FakeKeys
from seed_pipelines_tests.fakes.reports import COMPOSED
from seed_pipelines_tests.seeding.verification.sealed_runs import SealedWorld, failed, results, sealed_world
from seed_pipelines_tests.worlds import TENANT, catalogue, manifest, manifest_of_every_entity

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture
def run(world: SealedWorld) -> Report:
    return world.run("run-1", manifest(in_catalogue=world.catalogue))


def test_rows_as_they_were_loaded_verify(world: SealedWorld, run: Report) -> None:
    found = world.verified(run, rows=True)
    assert not found.failures
    assert {what for what in results(found) if what.startswith("rows of ")} == {
        "rows of customers",
        "rows of bank_accounts",
    }
    assert found.difference is None


def test_every_entity_verifies(world: SealedWorld) -> None:
    """Those of the tenant too."""
    report = world.run("run-1", manifest_of_every_entity(100, in_catalogue=world.catalogue))
    found = world.verified(report, rows=True)
    assert not found.failures
    assert sum(what.startswith("rows of ") for what in results(found)) == 12
    user = world.rows["tenant_users"][0]
    user["email"] = "x" + user["email"][1:]
    changed = world.verified(report, rows=True)
    assert changed.difference is not None
    assert (changed.difference.entity, changed.difference.columns) == ("tenant_users", ("email",))


def test_one_letter_of_one_row_is_found(world: SealedWorld, run: Report) -> None:
    """Table, id and column are named, both values are shown, and the problem holds neither."""
    row = world.rows["customers"][57]
    before = row["email"]
    row["email"] = "z" + before[1:]
    found = world.verified(run, rows=True)
    assert set(failed(found)) == {"rows of customers"}
    assert found.difference is not None
    assert found.difference.row_id == str(UUID(bytes=row["id"]))
    assert found.difference.table == "banking.customer"
    assert found.difference.columns == ("email",)
    assert found.difference.made is not None
    assert found.difference.stored is not None
    assert (found.difference.made["email"], found.difference.stored["email"]) == (before, row["email"])
    (failure,) = found.failures
    assert failure.where["columns"] == ["email"]
    assert before not in str(failure.as_dict())
    assert row["email"] not in str(failure.as_dict())


def lost_row(rows: Rows) -> bytes:
    return bytes(rows["bank_accounts"].pop(3)["id"])


def surplus_row(rows: Rows) -> bytes:
    last = rows["bank_accounts"][-1]
    beyond = bytes(last["id"][:-1]) + bytes([last["id"][-1] ^ 1])
    rows["bank_accounts"] = sorted([*rows["bank_accounts"], last | {"id": beyond}], key=lambda row: bytes(row["id"]))
    return beyond


def first_of_several(rows: Rows) -> bytes:
    for number in (80, 40, 60):
        rows["bank_accounts"][number]["account_number"] = "0"
    return bytes(rows["bank_accounts"][40]["id"])


@pytest.mark.parametrize("fault", [lost_row, surplus_row, first_of_several])
def test_the_first_row_that_differs_is_named(world: SealedWorld, run: Report, fault: Callable[[Rows], bytes]) -> None:
    rows = world.rows
    wrong = fault(rows)
    world.tables.rows |= {(TENANT.tenant_id, name): there for name, there in rows.items()}
    found = world.verified(run, rows=True)
    assert set(failed(found)) == {"rows of bank_accounts"}
    assert found.difference is not None
    assert found.difference.row_id == str(UUID(bytes=wrong))
    assert (found.difference.stored is None) == (fault is lost_row)
    assert (found.difference.made is None) == (fault is surplus_row)


def test_the_leaf_is_found_in_a_dataset_of_many(tmp_path: Path) -> None:
    """In several shards; the rows of the chunk that differs are made a second time, and no others."""
    world = sealed_world(tmp_path)
    world.catalogue = catalogue(rows_per_shard=2 * BLOCK)
    report = world.run("run-1", manifest(3 * BLOCK, 3 * BLOCK, in_catalogue=world.catalogue))
    row = world.rows["customers"][2 * BLOCK + 5]
    row["phone"] = row["phone"][:-1] + ("0" if row["phone"][-1] != "0" else "1")
    found = world.verified(report, rows=True)
    assert found.difference is not None
    assert (found.difference.leaf, found.difference.columns) == (2, ("phone",))
    assert found.difference.row_id == str(UUID(bytes=row["id"]))


def test_another_shard_size_changes_nothing(tmp_path: Path) -> None:
    """The catalogue in force may cut the dataset in other pieces than it was loaded in."""
    world = sealed_world(tmp_path)
    world.catalogue = catalogue(rows_per_shard=2 * BLOCK)
    report = world.run("run-1", manifest(3 * BLOCK, 3 * BLOCK, in_catalogue=world.catalogue))
    world.catalogue = catalogue(rows_per_shard=100 * BLOCK)
    assert not world.verified(report, rows=True).failures


def test_a_dataset_that_was_replaced_is_not_called_tampering(world: SealedWorld, run: Report) -> None:
    """The run that replaced it verifies, and its report is what shows that it did."""
    newer = world.run("run-2", manifest(50, 60, in_catalogue=world.catalogue))
    assert not world.verified(newer, rows=True).failures
    found = world.verified(run, rows=True)
    assert not found.failures
    assert results(found)["dataset"] == "not_applicable"
    world.forget(newer)
    assert "dataset" in failed(world.verified(run, rows=True))


def test_a_purged_dataset_is_not_called_tampering(world: SealedWorld, run: Report) -> None:
    """If its removal is on record, since the run."""
    world.tables.known.clear()
    world.tables.rows.clear()
    assert failed(world.verified(run, rows=True))["dataset"].endswith("on record.")
    world.control.removed_at = COMPOSED - timedelta(days=1)
    assert "dataset" in failed(world.verified(run, rows=True))
    world.control.removed_at = COMPOSED + timedelta(days=1)
    found = world.verified(run, rows=True)
    assert not found.failures
    assert results(found)["dataset"] == "not_applicable"


def test_another_masking_key_is_told_from_other_rows(world: SealedWorld, run: Report) -> None:
    world.keys = FakeKeys(b"another key, of which the rows know nothing")
    found = world.verified(run, rows=True)
    assert set(failed(found)) == {"rows of customers", "rows of bank_accounts"}
    assert all("another masking key" in says for says in failed(found).values())
    assert found.difference is None


def test_an_offline_verification_needs_nothing_of_the_world(world: SealedWorld, run: Report) -> None:
    pems = tuple(key.pem for key in world.signer.public_keys())
    world.bucket.away = world.control.away = world.tables.away = world.signer.sealed = world.keys.sealed = True
    assert not verify_envelope(run.envelope, Trust(pems=pems)).failures
