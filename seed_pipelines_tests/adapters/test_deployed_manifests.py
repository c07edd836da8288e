"""Finding the deployed manifest of a tenant, environment and profile."""

import json
from pathlib import Path
from typing import Any

from seed_pipelines.adapters.manifest_files import deployed
from seed_pipelines.domain.manifest import Manifest, read_manifest
from seed_pipelines_tests.manifest_examples import CATALOGUE, GENERATED, changed, example, sealed


def wanted(document: dict[str, Any]) -> Manifest:
    return read_manifest(document, CATALOGUE, GENERATED)


def put(root: Path, name: str, document: dict[str, Any]) -> Path:
    path = root / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_it_is_found_by_its_name(tmp_path: Path) -> None:
    """Also if its content is another one."""
    other = sealed(changed(example(), "/volumetry/customers/cap", 99))
    path = put(tmp_path, "staging/tenant-a.json", other)
    found = deployed(tmp_path, wanted(example()), CATALOGUE, GENERATED)
    assert found is not None
    assert (found.path, found.document) == (path, other)


def test_a_profile_has_a_file_of_its_own(tmp_path: Path) -> None:
    smoke = sealed(changed(example(), "/metadata/profile", "smoke"))
    put(tmp_path, "staging/tenant-a.yaml", example())
    path = put(tmp_path, "staging/tenant-a.smoke.yaml", smoke)
    found = deployed(tmp_path, wanted(smoke), CATALOGUE, GENERATED)
    assert found is not None
    assert found.path == path


def test_what_is_broken_misplaced_or_of_somebody_else_is_not_deployed(tmp_path: Path) -> None:
    put(tmp_path, "staging/tenant-a.yaml", changed(example(), "/mode", "fast"))
    put(tmp_path, "dr/tenant-a.yaml", example())
    put(tmp_path, "staging/tenant-a.json", sealed(changed(example(), "/metadata/tenant", "tenant-b")))
    assert deployed(tmp_path, wanted(example()), CATALOGUE, GENERATED) is None
    assert deployed(tmp_path / "none", wanted(example()), CATALOGUE, GENERATED) is None
