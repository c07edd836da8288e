"""What `dagster -m seed_pipelines.definitions` loads: the manifests of every environment."""

from seed_pipelines.orchestration.code_location import location_definitions
from seed_pipelines.orchestration.settings import Settings

defs = location_definitions(Settings())
