"""Folders of manifests: one broken file hides no other."""

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from seed_pipelines.adapters import manifest_files
from seed_pipelines.adapters.manifest_files import (
    ManifestFolder,
    inspect_file,
    load_file,
    load_folder,
    read_source,
    replace_source,
)
from seed_pipelines.domain.manifest_document import LARGEST_SOURCE
from seed_pipelines.errors import ManifestHashMismatch, ManifestInvalid
from seed_pipelines_tests.manifest_examples import CATALOGUE, GENERATED, changed, example, sealed


def write(path: Path, **members: str) -> Path:
    """A sealed manifest in a file, with other metadata or mode."""
    document: dict[str, Any] = example()
    for key, value in members.items():
        document = changed(document, f"/metadata/{key}" if key in document["metadata"] else f"/{key}", value)
    if document["mode"] == "dr":
        document |= {"budget": {"cost_cap_brl": 1, "error_budget_pct": 1}, "ttl": {"dr_days": 1}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(sealed(document)))
    return path


def load(root: Path) -> ManifestFolder:
    """The folder under the packaged catalogue."""
    return load_folder(root, CATALOGUE, GENERATED)


def broken_codes(root: Path) -> dict[str, list[str]]:
    """Relative path -> codes of its issues, for every broken file."""
    broken = load(root).broken
    return {str(one.path.relative_to(root)): [issue.code for issue in one.issues] for one in broken}


def test_one_broken_manifest_among_a_hundred_is_alone(tmp_path: Path) -> None:
    """The good ones load, the broken one tells why."""
    for number in range(100):
        write(tmp_path / "staging" / f"tenant-{number}.yaml", tenant=f"tenant-{number}")
    (tmp_path / "staging" / "tenant-x.yaml").write_text("a: &a [*a]")
    folder = load(tmp_path)
    assert len(folder.manifests) == 100
    (broken,) = folder.broken
    assert broken.path.name == "tenant-x.yaml"
    assert isinstance(broken.error, ManifestInvalid)


def test_what_is_loaded_is_told(tmp_path: Path) -> None:
    """Path, digest of the bytes, model and document."""
    path = write(tmp_path / "staging" / "tenant-a.yml")
    (loaded,) = load(tmp_path).manifests
    assert loaded == load_file(path, CATALOGUE, GENERATED)
    assert loaded.document == example()
    assert loaded.manifest.identity == ("tenant-a", "staging", "default")
    assert len(loaded.source_sha256) == 64


@pytest.mark.parametrize(
    ("place", "members"),
    [
        ("staging/tenant-a.yaml", {}),
        ("staging/tenant-a.default.json", {}),
        ("baseline/tenant-a.yml", {}),
        ("staging/tenant-a.smoke.YAML", {"profile": "smoke"}),
        ("dr/tenant-a.yaml", {"environment": "perf", "mode": "dr"}),
        ("dr/tenant-a.yaml", {"environment": "perf", "mode": "dr", "profile": "dr"}),
        ("perf/tenant-a.yaml", {"environment": "perf", "mode": "dr"}),
    ],
)
def test_places_that_say_what_is_in_the_file(tmp_path: Path, place: str, members: dict[str, str]) -> None:
    """The folder is environment or mode; a profile `default` or of the folder's name may be left out."""
    write(tmp_path / place, **members)
    assert broken_codes(tmp_path) == {}
    assert len(load(tmp_path).manifests) == 1


@pytest.mark.parametrize(
    ("place", "members", "codes"),
    [
        ("dev/tenant-a.yaml", {}, ["misplaced"]),
        ("staging/tenant-b.yaml", {}, ["misnamed"]),
        ("staging/tenant-a.yaml", {"profile": "smoke"}, ["misnamed"]),
        ("staging/tenant-a.smoke.yaml", {}, ["misnamed"]),
        ("qa/tenant-b.yaml", {}, ["misplaced", "misnamed"]),
        ("tenant-a.yaml", {}, ["misplaced"]),
    ],
)
def test_places_that_contradict_the_file(tmp_path: Path, place: str, members: dict[str, str], codes: list[str]) -> None:
    """The identity is in the content; a misleading place is an error."""
    write(tmp_path / place, **members)
    assert broken_codes(tmp_path) == {place: codes}
    assert load(tmp_path).manifests == ()


def test_two_manifests_with_one_identity_are_both_broken(tmp_path: Path) -> None:
    """Neither wins; each names the other; the rest is not touched."""
    write(tmp_path / "staging" / "tenant-a.yaml")
    write(tmp_path / "staging" / "tenant-a.json")
    write(tmp_path / "staging" / "tenant-b.yaml", tenant="tenant-b")
    folder = load(tmp_path)
    assert [one.path.name for one in folder.manifests] == ["tenant-b.yaml"]
    assert [one.path.name for one in folder.broken] == ["tenant-a.json", "tenant-a.yaml"]
    assert "tenant-a.yaml" in folder.broken[0].issues[0].message
    assert "tenant-a.json" in folder.broken[1].issues[0].message
    assert {issue.code for one in folder.broken for issue in one.issues} == {"duplicate_identity"}


def test_a_misplaced_copy_does_not_break_the_original(tmp_path: Path) -> None:
    """Somebody's copy of a manifest is that file's problem alone."""
    write(tmp_path / "staging" / "tenant-a.yaml")
    write(tmp_path / "dev" / "tenant-a.yaml")
    assert broken_codes(tmp_path) == {"dev/tenant-a.yaml": ["misplaced"]}


def test_a_tenant_and_environment_have_one_salt_version(tmp_path: Path) -> None:
    """Unique values of two profiles could meet otherwise; other tenants are free."""
    write(tmp_path / "staging" / "tenant-a.yaml")
    write(tmp_path / "staging" / "tenant-a.smoke.yaml", profile="smoke", salt_version="v2")
    write(tmp_path / "staging" / "tenant-b.yaml", tenant="tenant-b", salt_version="v3")
    assert broken_codes(tmp_path) == {
        "staging/tenant-a.yaml": ["salt_version_differs"],
        "staging/tenant-a.smoke.yaml": ["salt_version_differs"],
    }


def test_profiles_whose_ids_would_meet_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two profiles of a tenant and environment with one dataset tag."""
    monkeypatch.setattr(manifest_files, "dataset_tag", lambda *_: 7)
    write(tmp_path / "staging" / "tenant-a.yaml")
    write(tmp_path / "staging" / "tenant-a.smoke.yaml", profile="smoke")
    write(tmp_path / "staging" / "tenant-b.yaml", tenant="tenant-b")
    assert set(broken_codes(tmp_path)) == {"staging/tenant-a.yaml", "staging/tenant-a.smoke.yaml"}


def test_what_is_no_file_is_told_apart(tmp_path: Path) -> None:
    """Links in a circle, dangling links, folders, pipes and sockets: an issue each, and no waiting."""
    folder = tmp_path / "staging"
    (folder / "folder.yaml").mkdir(parents=True)
    (folder / "deeper").mkdir()
    (folder / "loop.yaml").symlink_to("loop.yaml")
    (folder / "dangling.yaml").symlink_to("nowhere.yaml")
    os.mkfifo(folder / "pipe.yaml")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(folder)
        try:
            listener.bind("socket.yaml")
        finally:
            os.chdir(here)
    assert broken_codes(tmp_path) == {
        "staging/folder.yaml": ["not_a_file"],
        "staging/deeper": ["misplaced"],
        "staging/loop.yaml": ["unreadable"],
        "staging/dangling.yaml": ["file_missing"],
        "staging/pipe.yaml": ["not_a_file"],
        "staging/socket.yaml": ["unreadable"],
    }


def test_other_files_are_none_of_its_business(tmp_path: Path) -> None:
    """Hidden files, such as a mounted volume's data folder, and files with other suffixes."""
    write(tmp_path / "..data" / "tenant-a.yaml")
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "tenant-a.yaml").symlink_to("../..data/tenant-a.yaml")
    (tmp_path / "staging" / "README.md").write_text("# Manifests")
    (tmp_path / "README.md").write_text("# Manifests")
    (tmp_path / "staging" / ".tenant-b.yaml.swp").write_text("x")
    folder = load(tmp_path)
    assert len(folder.manifests) == 1
    assert folder.broken == ()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """So that a wrong path is no empty success."""
    (broken,) = load(tmp_path / "absent").broken
    assert broken.issues[0].code == "unreadable"


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    """Fifty megabytes of nothing, refused by the first."""
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    with pytest.raises(ManifestInvalid, match="50,000,000 bytes"):
        read_source(path)
    path.write_bytes(b" " * LARGEST_SOURCE)
    assert len(read_source(path)) == LARGEST_SOURCE


def test_one_file_anywhere(tmp_path: Path) -> None:
    """No folder rules for a file that somebody names."""
    path = write(tmp_path / "mine.json")
    assert load_file(path, CATALOGUE, GENERATED).manifest.mode == "baseline"
    path.write_text(path.read_text().replace('"cap": 100', '"cap": 99'))
    with pytest.raises(ManifestHashMismatch):
        load_file(path, CATALOGUE, GENERATED)
    with pytest.raises(ManifestInvalid, match="suffix"):
        load_file(path.rename(tmp_path / "mine.toml"), CATALOGUE, GENERATED)
    assert inspect_file(Path("a\0b.yaml"), CATALOGUE, GENERATED).path.suffix == ".yaml"


def test_replacing_keeps_the_mode_and_the_link(tmp_path: Path) -> None:
    """All bytes or none, through a link, leaving nothing behind."""
    target, link = tmp_path / "target.yaml", tmp_path / "link.yaml"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    replace_source(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640
    assert sorted(tmp_path.iterdir()) == [link, target]


def test_a_file_that_cannot_be_replaced_is_told(tmp_path: Path) -> None:
    """As a problem with the file, not as a traceback."""
    with pytest.raises(ManifestInvalid, match="cannot be written"):
        replace_source(tmp_path / "absent.yaml", b"new")
