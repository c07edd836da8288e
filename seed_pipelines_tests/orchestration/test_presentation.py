"""What people see of each step in the Dagster UI."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import dagster as dg
import pyarrow.parquet as pq
import pytest

from seed_pipelines.adapters.manifest_files import BrokenManifest
from seed_pipelines.domain.entities import ENTITIES, Entity
from seed_pipelines.domain.issues import Issue
from seed_pipelines.orchestration import metadata_tables, presentation
from seed_pipelines_tests.orchestration.dagster_worlds import execute, job_of
from seed_pipelines_tests.worlds import World, catalogue, manifest


def records(value: Any) -> list[dict[str, Any]]:
    assert isinstance(value, dg.TableMetadataValue)
    return [dict(record.data) for record in value.records]


def materialized(world: World, **counts: int) -> dict[str, dict[str, Any]]:
    """The metadata of each asset of a run, by the asset's name, for its last shard."""
    wanted = manifest(in_catalogue=world.catalogue, **counts)
    result = execute(world, job_of(world, wanted))
    assert result.success
    return {
        event.asset_key.path[-1]: dict(event.materialization.metadata)
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }


def test_each_step_says_what_it_did(world: World) -> None:
    seen = materialized(world)

    assert records(seen["validated_manifest"]["rows planned"]) == [
        {"entity": "customers", "rows": 100},
        {"entity": "bank_accounts", "rows": 120},
    ]
    assert seen["customers"]["dagster/row_count"].value == 100
    assert seen["bank_accounts"]["dagster/row_count"].value == 120
    assert seen["database"]["dagster/row_count"].value == 220
    assert seen["integrity_report"]["verdict"].value == "passed"
    assert {record["result"] for record in records(seen["integrity_report"]["checks"])} == {"passed"}


def test_the_fencing_token_is_that_of_the_lease(world: World) -> None:
    seen = materialized(world)

    assert seen["validated_manifest"]["fencing token"].value == seen["database"]["fencing token"].value > 0


def test_the_first_rows_are_shown_masked_as_they_were_written(world: World) -> None:
    customers = materialized(world)["customers"]
    shown = records(customers["first rows, masked columns"])

    written = pq.read_table(next(world.directory.rglob("customers/**/*.parquet"))).slice(0, len(shown)).to_pylist()
    assert [row["document_number"] for row in shown] == [row["document_number"] for row in written]
    text = customers["first rows, all columns"].value
    assert all(row["email"] in text and str(UUID(bytes=row["id"])) in text for row in written)


def test_distributions_cover_every_row_of_a_small_shard(world: World) -> None:
    seen = materialized(world)

    for entity, label, rows in (
        ("customers", "status", 100),
        ("customers", "monthly_income (BRL)", 100),
        ("bank_accounts", "balance (BRL)", 120),
    ):
        assert sum(record["rows"] for record in records(seen[entity][label])) == rows


def test_a_shard_among_many_does_not_pass_for_the_row_count_of_the_asset(world: World) -> None:
    world.catalogue = catalogue(rows_per_shard=9_000)
    job = job_of(world, manifest(5_000, 6_000, in_catalogue=world.catalogue))
    assert len(job.plan.shards) == 2
    result = execute(world, job, {"dagster/partition": "0001"})

    (rows,) = result.asset_materializations_for_node(job.step_name("customers"))
    assert rows.metadata["dagster/partition_row_count"].value == 5_000 - 4_096
    assert "dagster/row_count" not in rows.metadata


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_columns_are_described_with_their_constraints_and_masking(entity: Entity) -> None:
    schema = presentation.entity_definition(entity)["dagster/column_schema"]

    for column, shown in zip(entity.columns, schema.columns, strict=True):
        assert shown.description == column.description
        assert shown.constraints.nullable == column.nullable
        assert bool(shown.tags) == bool(column.pii)
    assert schema.columns[0].type == "uuid"
    assert schema.columns[0].constraints.unique


def outcome(shard: str, facts: dict[str, Any], *, passed: bool = True) -> dict[str, Any]:
    return {"name": "any", "shard": shard, "passed": passed, "facts": facts}


def test_counts_that_differ_name_their_shards() -> None:
    outcomes = [
        outcome("0000", {"planned": {"customers": 10}, "landed": {"customers": 10}}),
        outcome("0001", {"planned": {"customers": 10}, "landed": {"customers": 7}}, passed=False),
    ]
    found = presentation.checked(outcomes)

    assert presentation.verdict(outcomes) == "FAILED in 1 of 2 shards: 0001."
    assert (found["shards checked"], found["shards failed"]) == (2, 1)
    assert records(found["found"]) == [
        {"entity": "customers", "planned": 20, "landed": 17, "differs in shards": "0001"}
    ]


def test_row_counts_of_the_tenant_are_those_of_the_shard_that_has_them() -> None:
    first = {"consultants": 10, "customers": 10}
    found = metadata_tables.check_findings(
        [
            outcome("0001", {"planned": {"customers": 5}, "landed": {"customers": 5}}),
            outcome("0000", {"planned": first, "landed": first}),
        ]
    )

    assert sorted((record["entity"], record["planned"], record["landed"]) for record in records(found)) == [
        ("consultants", 10, 10),
        ("customers", 15, 15),
    ]


def test_offending_rows_are_added_up_by_rule() -> None:
    rule = "customers: CPF with wrong check digits"
    found = metadata_tables.check_findings(
        [outcome("0000", {"offending_rows": {rule: 2}}), outcome("0001", {"offending_rows": {rule: 1}})]
    )

    assert records(found) == [
        {"entity": "customers", "rule": "CPF with wrong check digits", "offending rows": 3, "in shards": "0000, 0001"}
    ]


def test_digests_that_differ_come_first() -> None:
    same = {"customers": {"plan": "a" * 64, "parquet": "a" * 64, "database": "a" * 64}}
    other = {"customers": {"plan": "a" * 64, "parquet": "a" * 64, "database": "b" * 64}}
    found = records(metadata_tables.check_findings([outcome("0000", same), outcome("0001", other, passed=False)]))

    assert [(record["shard"], record["database"][:1]) for record in found] == [("0001", "b"), ("0000", "a")]


def test_holes_in_row_level_security_are_named() -> None:
    sound = {"login": "seed_app", "tables": ["banking.customer"], "trials": ["insert for another tenant"]}
    holes = {"holes": ["banking.customer does not force row level security"]}

    assert records(metadata_tables.check_findings([outcome("0000", sound)]))[0] == {
        "what": "login",
        "found": "seed_app",
    }
    assert records(metadata_tables.check_findings([outcome("0000", sound), outcome("0001", holes, passed=False)])) == [
        {"hole": "banking.customer does not force row level security"}
    ]


def test_what_the_doctor_found_is_shown_once_with_its_cure() -> None:
    found = {
        "relation": "banking.seen",
        "attack": "read rows",
        "finding": "rows came back",
        "cure": "DROP VIEW banking.seen",
    }
    holes = {"holes": ["banking.seen: read rows: rows came back"], "findings": [found]}

    assert records(metadata_tables.check_findings([outcome(key, holes, passed=False) for key in ("0000", "0001")])) == [
        found
    ]


def test_a_long_table_says_how_many_lines_it_leaves_out() -> None:
    shown = records(metadata_tables.table({"shard": f"{number:04}", "rows": number} for number in range(1_060)))

    assert len(shown) == 51
    assert shown[-1]["shard"] == "and 1,010 more"


def test_a_table_of_nothing_is_empty() -> None:
    assert records(metadata_tables.table([])) == []
    assert records(metadata_tables.check_findings([])) == []


def test_a_broken_manifest_says_where_and_what_is_allowed(world: World) -> None:
    issue = Issue("/volumetry/customers/cap", "minimum", "it is -1", "a whole number from 1")
    broken = BrokenManifest(world.directory / "staging" / "tenant-a.yaml", (issue,))

    description = presentation.broken_description(broken)

    assert "`staging/tenant-a.yaml` is not valid" in description
    assert "- `/volumetry/customers/cap`: it is -1. Allowed: a whole number from 1." in description
    assert presentation.broken_manifest(broken)["issues"] == 1


def test_a_job_says_what_it_seeds_and_when(world: World) -> None:
    job = job_of(world, manifest(reference_datetime=datetime(2025, 1, 1, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")))

    assert presentation.job_description(job).startswith(
        "Seed tenant-a in staging (profile default, mode baseline): 220 rows in 1 shard,"
    )
    shown = presentation.job_definition(job)
    assert (shown["rows of customers"], shown["rows of bank_accounts"], shown["shards"]) == (100, 120, 1)
    assert shown["window (UTC)"] == "00:00 to 06:00"
