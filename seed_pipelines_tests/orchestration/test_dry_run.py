"""The job `seed_dry_run`."""

from pathlib import Path

import dagster as dg
import pytest

from seed_pipelines.orchestration.code_location import build_definitions
from seed_pipelines.orchestration.dry_run import JOB_NAME
from seed_pipelines_tests.orchestration.dagster_worlds import FakeSeeding, problem_of
from seed_pipelines_tests.worlds import World, manifest

PATH = Path("manifests/staging/tenant-a.yaml")


def rehearse(world: World, output: Path) -> dg.ExecuteInProcessResult:
    seeding = FakeSeeding(world)
    seeding.files[PATH] = manifest(in_catalogue=world.catalogue)
    config = {"ops": {"rehearse_manifest": {"config": {"manifest_path": str(PATH), "output": str(output)}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_definitions([], seeding).resolve_job_def(JOB_NAME)
        return job.execute_in_process(
            instance=instance,
            run_config=config | {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )


def test_it_writes_its_own_directory_and_no_asset_looks_fresh(world: World, tmp_path: Path) -> None:
    result = rehearse(world, tmp_path / "out")
    assert result.success
    assert not [event for event in result.all_events if event.is_step_materialization]
    assert len(list((tmp_path / "out").rglob("*.parquet"))) == 2
    assert world.tables.rows == {}


@pytest.mark.parametrize("sealed", [True])
def test_a_refusal_has_its_problem(world: World, tmp_path: Path, sealed: bool) -> None:
    world.keys.sealed = sealed
    assert problem_of(rehearse(world, tmp_path))["code"] == "vault_unavailable"
