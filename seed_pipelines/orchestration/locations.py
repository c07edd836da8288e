"""The code locations of `workspace.yaml`, one per environment, so that each loads only its own manifests."""

import dagster as dg

from seed_pipelines.orchestration.code_location import location_definitions
from seed_pipelines.orchestration.settings import Settings


def dev() -> dg.Definitions:
    """Manifests of environment dev."""
    return location_definitions(Settings(), "dev")


def homolog() -> dg.Definitions:
    """Manifests of environment homolog."""
    return location_definitions(Settings(), "homolog")


def staging() -> dg.Definitions:
    """Manifests of environment staging."""
    return location_definitions(Settings(), "staging")


def perf() -> dg.Definitions:
    """Manifests of environment perf."""
    return location_definitions(Settings(), "perf")


def dr() -> dg.Definitions:
    """Manifests of environment dr."""
    return location_definitions(Settings(), "dr")
