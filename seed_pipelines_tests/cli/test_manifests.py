"""`seed-data validate` and `seed-data seal`, as a person types them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from seed_pipelines.cli import main
from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines_tests.manifest_examples import UNSEALED, example

DIGEST = example()["integrity"]["manifest_hash"]
SEALED = UNSEALED.replace("<preenchido pelo pipeline>", DIGEST)


def seed_data(*arguments: str | Path) -> Result:
    """Run `seed-data`."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    """A folder with one valid manifest."""
    (tmp_path / "manifests" / "staging").mkdir(parents=True)
    (tmp_path / "manifests" / "staging" / "tenant-a.yaml").write_text(SEALED)
    return tmp_path / "manifests"


def test_valid_manifests_are_listed_with_their_hash(manifests: Path) -> None:
    """Exit code 0."""
    result = seed_data("validate", manifests)
    assert result.exit_code == 0
    assert DIGEST in result.stdout
    assert "1 valid, 0 not valid" in result.stdout


def test_every_issue_of_every_file_is_printed_whole(manifests: Path) -> None:
    """Where it is, what is wrong, what is allowed, in lines that are never cut; exit code 2."""
    bad = manifests / "staging" / "tenant-b.yaml"
    bad.write_text(
        SEALED.replace("cap: 100", "cap: 0")
        .replace("limit: 120", "limit: yes")
        .replace("  limit", "  'a[b]\\e': 1\n  limit")
    )
    bad.write_text(bad.read_text().replace("'a[b]\\e'", '"a[b]\\e"'))
    result = seed_data("validate", manifests)
    assert result.exit_code == 2
    for text in (
        "/volumetry/customers/cap",
        "it is 0",
        "a whole number from 1 to 9,007,199,254,740,991",
        "/rate_limit/limit",
        "it is the text 'yes'",
        "/rate_limit/a[b]\\x1b",
        "manifest_hash",
        "1 valid, 1 not valid",
    ):
        assert text in result.stdout
    assert "\x1b" not in result.stdout
    assert "…" not in result.stdout


def test_json_is_for_machines(manifests: Path) -> None:
    """One object, the same for each file."""
    result = seed_data("validate", "--json", manifests, manifests / "absent.yaml")
    assert result.exit_code == 2
    report = json.loads(result.stdout)
    assert report["valid"] is False
    good, bad = report["files"]
    assert good == {
        "file": str(manifests / "staging" / "tenant-a.yaml"),
        "valid": True,
        "manifest_hash": DIGEST,
        "issues": [],
    }
    assert bad["manifest_hash"] is None
    assert bad["issues"][0]["code"] == "file_missing"
    assert set(bad["issues"][0]) == {"pointer", "code", "message", "allowed"}


def test_one_environment_of_many(manifests: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of one environment shows that environment, by the rules of the whole."""
    (manifests / "dev").mkdir()
    (manifests / "dev" / "tenant-a.yaml").write_text(SEALED)
    result = seed_data("validate", "--json", manifests / "staging")
    assert result.exit_code == 0
    assert len(json.loads(result.stdout)["files"]) == 1
    monkeypatch.chdir(manifests / "dev")
    result = seed_data("validate", "--json", ".")
    assert result.exit_code == 2
    (file,) = json.loads(result.stdout)["files"]
    assert [issue["code"] for issue in file["issues"]] == ["misplaced"]


def test_a_folder_without_manifests_is_no_success(tmp_path: Path) -> None:
    """A pipeline that looks in the wrong place should know."""
    result = seed_data("validate", tmp_path)
    assert result.exit_code == 2
    assert "no manifest is in this folder" in result.stdout


def test_a_name_that_is_not_utf8_can_be_printed(manifests: Path) -> None:
    """With its bytes spelt out."""
    bad = Path(str(manifests / "staging" / "tenant-\udcff.yaml"))
    bad.write_text("")
    result = seed_data("validate", manifests)
    assert result.exit_code == 2
    assert "tenant-\\xff.yaml" in result.stdout


def test_another_catalogue_allows_more(manifests: Path, tmp_path: Path) -> None:
    """Given by option or environment variable; one that is wrong is a problem of its own."""
    larger = json.loads(Catalogue.packaged().model_dump_json())
    larger["entities"]["customers"]["base"] = 1_000
    file = tmp_path / "catalogue.json"
    file.write_text(json.dumps(larger))
    manifest = manifests / "staging" / "tenant-a.yaml"
    manifest.write_text(UNSEALED.replace("cap: 100", "cap: 1000"))
    assert seed_data("seal", manifest).exit_code == 2
    assert seed_data("seal", "--catalogue", file, manifest).exit_code == 0
    result = CliRunner().invoke(main, ["validate", str(manifest)], env={"SEED_CATALOGUE_FILE": str(file)})
    assert result.exit_code == 0
    file.write_text("{}")
    result = seed_data("validate", "--catalogue", file, manifest)
    assert result.exit_code == 2
    assert json.loads(result.stderr)["code"] == "manifest_invalid"


def test_sealing_writes_the_hash_and_prints_it(manifests: Path) -> None:
    """In place; a second time changes nothing, not even the file's date."""
    manifest = manifests / "staging" / "tenant-a.yaml"
    manifest.write_text(UNSEALED)
    result = seed_data("seal", manifest)
    assert (result.exit_code, result.stdout) == (0, f"{DIGEST}  {manifest}\n")
    assert manifest.read_text() == SEALED
    before = manifest.stat()
    assert seed_data("seal", manifest).exit_code == 0
    assert (manifest.stat().st_ino, manifest.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_one_refusal_seals_none(manifests: Path) -> None:
    """What is wrong is printed; every file stays as it was."""
    good, bad = manifests / "good.yaml", manifests / "bad.yaml"
    good.write_text(UNSEALED)
    bad.write_text(UNSEALED.replace("mode: baseline", "mode: full"))
    result = seed_data("seal", good, bad, manifests / "absent.yaml")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "one of baseline, carga, dr, canary" in result.stderr
    assert "there is no such file" in result.stderr
    assert good.read_text() == UNSEALED


def test_an_unknown_command_is_told() -> None:
    """With click's own words and exit code."""
    result = seed_data("seel")
    assert result.exit_code == 2
    assert "No such command" in result.stderr
