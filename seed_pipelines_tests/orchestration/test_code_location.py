"""What a code location serves: a snapshot of its assets, checks and jobs, and the sign of a broken manifest."""

import json
from pathlib import Path

import dagster as dg
import pytest

from seed_pipelines.domain.manifest_seal import seal
from seed_pipelines.orchestration.code_location import BROKEN_GROUP
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines_tests.orchestration import definitions_snapshot
from seed_pipelines_tests.orchestration.definitions_snapshot import (
    SNAPSHOT,
    SOURCE,
    loaded,
    snapshot,
    write_small_folder,
)
from seed_pipelines_tests.worlds import GENERATED


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One good manifest in dev, one good and one broken in staging."""
    write_small_folder(tmp_path)
    return tmp_path


def test_the_definitions_of_a_small_folder_are_these(folder: Path) -> None:
    found = snapshot(loaded(folder))

    assert found == json.loads(SNAPSHOT.read_text(encoding="utf-8")), (
        f"If the change is meant: python -m {definitions_snapshot.__name__}"
    )


def test_a_location_shows_its_own_environment_only(folder: Path) -> None:
    def groups(environment: str | None) -> set[str]:
        nodes = loaded(folder, environment).resolve_asset_graph().asset_nodes
        return {str(node.group_name) for node in nodes}

    assert groups("staging") == {"staging__tenant_a", BROKEN_GROUP}
    assert groups("dev") == {"dev__tenant_a"}
    assert groups(None) == {"staging__tenant_a", "dev__tenant_a", BROKEN_GROUP}


def test_one_broken_manifest_among_a_hundred_is_shown_and_the_good_ones_load(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    staging.mkdir()
    catalogue = Settings().catalogue
    for number in range(100):
        text = SOURCE.replace("tenant: tenant-a", f"tenant: tenant-{number:03}").encode()
        (staging / f"tenant-{number:03}.yaml").write_bytes(seal(text, "yaml", catalogue, GENERATED).source)
    (staging / "broken.yaml").write_text("metadata: [", encoding="utf-8")

    definitions = loaded(tmp_path)

    assert len([job for job in definitions.jobs or () if job.name.startswith("seed__staging__")]) == 100
    (sign,) = [asset for asset in definitions.assets or () if isinstance(asset, dg.AssetSpec)]
    assert sign.group_name == BROKEN_GROUP
    assert sign.key.path == [BROKEN_GROUP, "staging", "broken"]
    assert "`staging/broken.yaml` is not valid" in str(sign.description)


def test_a_broken_manifest_in_no_environment_is_shown_once(tmp_path: Path) -> None:
    (tmp_path / "staging").mkdir()
    (tmp_path / "stray.yaml").write_text(SOURCE, encoding="utf-8")

    signs = [
        environment
        for environment in ("dev", "homolog", "staging", "perf", "dr")
        if any(isinstance(asset, dg.AssetSpec) for asset in loaded(tmp_path, environment).assets or ())
    ]

    assert signs == ["dev"]


def test_a_run_carries_four_tags_at_most(folder: Path) -> None:
    jobs = snapshot(loaded(folder))["jobs"]

    assert all(len(job["tags"]) <= 4 for job in jobs.values())
