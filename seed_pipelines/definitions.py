"""What `dagster -m seed_pipelines.definitions` loads: the manifests of every environment."""

from seed_pipelines.orchestration.code_location import location_definitions
from seed_pipelines.orchestration.infrastructure import close_process
from seed_pipelines.orchestration.settings import Settings

close_process()
defs = location_definitions(Settings())
