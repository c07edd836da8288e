"""Deterministic, masked and proven synthetic banking data for pre-production environments."""


def __getattr__(name: str) -> str:
    """`__version__`, looked up when it is asked for."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 # takes longer than all that a light command does

        return version("seed-pipelines")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
