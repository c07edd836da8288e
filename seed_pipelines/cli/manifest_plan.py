"""The plan of the manifest that a command names."""

from pathlib import Path

from seed_pipelines.adapters.manifest_files import load_file
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.plan import Plan
from seed_pipelines.orchestration.settings import Settings


def plan_of(path: Path, settings: Settings) -> Plan:
    """The plan of the manifest in a file; whatever is wrong with it is raised."""
    loaded = load_file(path, settings.catalogue, ENTITIES)
    return Plan.of(loaded.manifest, settings.catalogue)
