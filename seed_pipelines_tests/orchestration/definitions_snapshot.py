"""The snapshot of a small folder's definitions; run this module to write it anew after a change that is meant.

python -m seed_pipelines_tests.orchestration.definitions_snapshot
"""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import dagster as dg

from seed_pipelines.orchestration.code_location import location_definitions
from seed_pipelines.orchestration.settings import Settings

PROJECT_DIR: Final = Path(__file__).parents[2]
SNAPSHOT: Final = Path(__file__).with_name("definitions.snapshot.json")
SOURCE: Final = (PROJECT_DIR / "manifests" / "staging" / "tenant-a.yaml").read_text(encoding="utf-8")


def write_small_folder(folder: Path) -> None:
    """A good manifest in dev, and one good and one broken in staging."""
    shutil.copytree(PROJECT_DIR / "manifests" / "dev", folder / "dev", ignore=shutil.ignore_patterns("tenant-b*"))
    staging = folder / "staging"
    staging.mkdir()
    (staging / "tenant-a.yaml").write_text(SOURCE, encoding="utf-8")
    (staging / "tenant-z.yaml").write_text(SOURCE.replace("cap: 100", "cap: -1"), encoding="utf-8")


def loaded(folder: Path, environment: str | None = "staging") -> dg.Definitions:
    """The definitions of one location of a folder of manifests."""
    return location_definitions(Settings(manifests_dir=folder), environment)


def snapshot(definitions: dg.Definitions) -> dict[str, Any]:
    """What a person or a program sees of the definitions, without what comes from where the test runs."""
    graph = definitions.resolve_asset_graph()
    return {
        "assets": {
            node.key.to_user_string(): {
                "group": node.group_name,
                "kinds": sorted(node.kinds),
                "owners": sorted(node.owners),
                "tags": {name: value for name, value in sorted(node.tags.items()) if name.startswith("seed/")},
                "pools": sorted(node.pools or ()),
                "parents": sorted(parent.to_user_string() for parent in node.parent_keys),
                "partitions": list(node.partitions_def.get_partition_keys()) if node.partitions_def else None,
                "code_version": node.code_version,
                "executable": node.is_executable,
                "description": node.description,
            }
            for node in sorted(graph.asset_nodes, key=lambda node: node.key)
        },
        "checks": {
            f"{key.asset_key.to_user_string()}:{key.name}": graph.get_check_spec(key).blocking
            for key in sorted(graph.asset_check_keys, key=lambda key: key.name)
        },
        "jobs": {
            job.name: {
                "description": job.description,
                "tags": dict(sorted(job.tags.items())),
                "steps": sorted(node.name for node in job.nodes),
            }
            for job in sorted(definitions.resolve_all_job_defs(), key=lambda job: job.name)
            if not job.name.startswith("__")
        },
        "schedules": {
            found.name: {
                "cron": found.cron_schedule,
                "timezone": found.execution_timezone,
                "job": found.job_name,
                "default_status": found.default_status.value,
                "description": found.description,
            }
            for found in sorted(definitions.schedules or (), key=lambda found: found.name)
            if isinstance(found, dg.ScheduleDefinition)
        },
        "sensors": {
            found.name: {"default_status": found.default_status.value, "description": found.description}
            for found in sorted(definitions.sensors or (), key=lambda found: found.name)
        },
        "resources": {
            name: type(resource).__name__ for name, resource in sorted((definitions.resources or {}).items())
        },
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        write_small_folder(Path(directory))
        SNAPSHOT.write_text(json.dumps(snapshot(loaded(Path(directory))), indent=2) + "\n", encoding="utf-8")
