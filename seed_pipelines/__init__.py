"""Deterministic, masked and proven synthetic banking data for pre-production environments."""

from importlib.metadata import version

__version__ = version("seed-pipelines")
