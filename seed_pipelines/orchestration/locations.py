"""The code locations of `workspace.yaml`, one per environment, so that each loads only its own manifests."""

import dagster as dg

from seed_pipelines.domain.catalogue import Environment
from seed_pipelines.orchestration.code_location import location_definitions
from seed_pipelines.orchestration.infrastructure import close_process
from seed_pipelines.orchestration.settings import Settings


def dev() -> dg.Definitions:
    """Manifests of environment dev."""
    return _location("dev")


def homolog() -> dg.Definitions:
    """Manifests of environment homolog."""
    return _location("homolog")


def staging() -> dg.Definitions:
    """Manifests of environment staging."""
    return _location("staging")


def perf() -> dg.Definitions:
    """Manifests of environment perf."""
    return _location("perf")


def dr() -> dg.Definitions:
    """Manifests of environment dr."""
    return _location("dr")


def _location(environment: Environment) -> dg.Definitions:
    close_process()
    return location_definitions(Settings(), environment)
