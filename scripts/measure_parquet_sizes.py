"""Write how large Parquet files of each entity are: `python scripts/measure_parquet_sizes.py`.

A file's size is taken as a constant (schema, footer, page headers, dictionaries) and so much for each row: the line through
the files of a small and of a large dataset with every entity in the proportions of the catalogue.
"""

import json
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from seed_pipelines.adapters.row_files import RowFileStore
from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.manifest import read_manifest
from seed_pipelines.domain.manifest_baseline import minimal_baseline
from seed_pipelines.domain.masking import Masker
from seed_pipelines.domain.masking_keys import masking_keys
from seed_pipelines.domain.plan import Plan
from seed_pipelines.factories.vault_stub import VaultStub
from seed_pipelines.seeding.generation import generate

OUTPUT = Path(__file__).parent.parent / "seed_pipelines" / "domain" / "data" / "parquet-sizes.v1.json"
SMALL, LARGE = 40, 4_000
REFERENCE = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _Made:
    plan: Plan
    masker: Masker
    row_files: RowFileStore


def sizes(customers: int) -> dict[str, tuple[int, int]]:
    """Entity -> rows and bytes of its file."""
    packaged = Catalogue.packaged()
    caps = {e.name: max(1, packaged.entities[e.name].base * customers // 100) for e in ENTITIES}
    larger = {name: {"base": cap, "load": cap} for name, cap in caps.items()}
    document = packaged.model_dump(mode="json") | {"entities": larger, "rows_per_shard": 10_000_000}
    catalogue = Catalogue.model_validate(document)
    described = minimal_baseline("tenant-a", "dev", reference_datetime=REFERENCE, catalogue=catalogue, caps=caps)
    plan = Plan.of(read_manifest(described, catalogue, ENTITIES), catalogue)
    masker = Masker(masking_keys(VaultStub.of("sizes"), plan))
    with tempfile.TemporaryDirectory() as directory:
        generation = _Made(plan, masker, RowFileStore(directory))
        files = {e.name: generate(generation, e, plan.shards[0]) for e in plan.entities}
    return {name: (file.rows, file.size_bytes) for name, file in files.items()}


def main() -> None:
    """Write the file."""
    small, large = sizes(SMALL), sizes(LARGE)
    lines = {}
    for name, (rows, size) in large.items():
        few, least = small[name]
        per_row = (size - least) / (rows - few)
        lines[name] = {"file": max(0, round(least - few * per_row)), "thousand_rows": round(1000 * per_row)}
    OUTPUT.write_text(json.dumps(lines, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
