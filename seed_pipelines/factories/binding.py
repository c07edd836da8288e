"""Which dataset the factories draw from: the one that is in use where they are called."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Final

from seed_pipelines.adapters.manifest_files import load_file
from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.manifest import Manifest, read_manifest
from seed_pipelines.domain.manifest_baseline import minimal_baseline
from seed_pipelines.domain.masking import Masker
from seed_pipelines.domain.masking_keys import MaskingKeySource, masking_keys
from seed_pipelines.domain.plan import Plan
from seed_pipelines.errors import RequestInvalid
from seed_pipelines.factories.factory_rows import FactoryRows

_REFERENCE: Final = datetime(2025, 1, 1, tzinfo=UTC)
_IN_USE: Final[ContextVar[FactoryRows | None]] = ContextVar("seed_pipelines.factories", default=None)


def baseline_manifest(
    tenant: str = "tenant-a",
    environment: str = "staging",
    *,
    reference_datetime: datetime = _REFERENCE,
    catalogue: Catalogue | None = None,
) -> Manifest:
    """A manifest made in memory: mode baseline, with every entity at its cap. Raises ManifestInvalid for bad names."""
    catalogue = catalogue or Catalogue.packaged()
    document = minimal_baseline(
        tenant,
        environment,
        reference_datetime=reference_datetime,
        catalogue=catalogue,
        caps={entity.name: catalogue.cap(entity.name, "baseline", environment) for entity in ENTITIES},
    )
    return read_manifest(document, catalogue, ENTITIES)


@contextmanager
def use_dataset(
    manifest: Manifest | str | PathLike[str] | None = None,
    *,
    keys: MaskingKeySource,
    catalogue: Catalogue | None = None,
) -> Iterator[FactoryRows]:
    """Let the factories draw a dataset from its first row on; afterwards they draw what they did before, where they were.

    The manifest is one, or the path of its file; by default `baseline_manifest()`. Raises VaultUnavailable where `keys` does,
    and what is wrong with the manifest.
    """
    catalogue = catalogue or Catalogue.packaged()
    if manifest is None:
        manifest = baseline_manifest(catalogue=catalogue)
    elif not isinstance(manifest, Manifest):
        manifest = load_file(Path(manifest), catalogue, ENTITIES).manifest
    plan = Plan.of(manifest, catalogue)
    token = _IN_USE.set(FactoryRows(plan, Masker(masking_keys(keys, plan))))
    try:
        yield rows_in_use()
    finally:
        _IN_USE.reset(token)


def rows_in_use() -> FactoryRows:
    """The rows that the factories draw; RequestInvalid where no dataset is in use."""
    rows = _IN_USE.get()
    if rows is None:
        raise RequestInvalid(
            "No dataset is in use: ask for the fixture vault_stub, or call the factory inside `with use_dataset(keys=...)`."
        )
    return rows
