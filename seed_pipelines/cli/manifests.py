"""`seed-data validate` and `seed-data seal`: what is wrong with manifests, and their hashes."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import click
from rich.table import Table
from rich.text import Text

from seed_pipelines.adapters.manifest_files import (
    FOLDERS,
    BrokenManifest,
    LoadedManifest,
    inspect_file,
    load_folder,
    read_source,
    replace_source,
    syntax_of,
)
from seed_pipelines.cli.console import console
from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.issues import Issue
from seed_pipelines.domain.manifest_seal import Sealed, seal
from seed_pipelines.errors import ValidationFailure

Result = LoadedManifest | BrokenManifest

_EXIT_INVALID: Final = ValidationFailure.exit_code

_catalogue_option = click.option(
    "--catalogue",
    "catalogue_file",
    type=click.Path(path_type=Path),
    envvar="SEED_CATALOGUE_FILE",
    show_envvar=True,
    help="A catalogue to use in place of the one that comes with the program.",
)


@click.command("validate")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object in place of the tables.")
@_catalogue_option
def validate_command(paths: tuple[Path, ...], as_json: bool, catalogue_file: Path | None) -> None:
    """Check manifests: files, or folders of <environment>/<tenant>[.<profile>].yaml.

    Prints every issue of every file. Exits with 0 if all are valid, with 2 otherwise.
    """
    catalogue = _catalogue(catalogue_file)
    results = [result for path in paths for result in _results(path, catalogue)]
    if as_json:
        click.echo(json.dumps(_report(results), indent=2))
    else:
        _print_results(results)
    if any(isinstance(result, BrokenManifest) for result in results):
        raise click.exceptions.Exit(_EXIT_INVALID)


@click.command("seal")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@_catalogue_option
def seal_command(files: tuple[Path, ...], catalogue_file: Path | None) -> None:
    """Write each manifest's hash into its integrity.manifest_hash, and print it.

    Changes nothing else in a file, and no file at all if anything but the hash is wrong in one of them.
    """
    catalogue = _catalogue(catalogue_file)
    sealed: dict[Path, tuple[bytes, Sealed]] = {}
    broken: list[BrokenManifest] = []
    for file in files:
        try:
            source = read_source(file)
            sealed[file] = (source, seal(source, syntax_of(file), catalogue, ENTITIES))
        except ValidationFailure as error:
            broken.append(BrokenManifest(file, tuple(Issue(**issue) for issue in error.extensions["issues"])))
    if broken:
        console(stderr=True).print(_issue_table(broken))
        raise click.exceptions.Exit(_EXIT_INVALID)
    for file, (source, result) in sealed.items():
        if result.source != source:
            replace_source(file, result.source)
        click.echo(f"{result.manifest_hash}  {_printable(file)}")


COMMANDS: Final[tuple[click.Command, ...]] = (validate_command, seal_command)


def _catalogue(file: Path | None) -> Catalogue:
    return Catalogue.packaged() if file is None else Catalogue.from_json(read_source(file))


def _results(path: Path, catalogue: Catalogue) -> Sequence[Result]:
    if not path.is_dir():
        return [inspect_file(path, catalogue, ENTITIES)]
    folder = path.resolve()
    one_of_many = folder.name in FOLDERS and not any((folder / name).is_dir() for name in FOLDERS)
    root = path.parent if path.name == folder.name else folder.parent
    found = load_folder(root if one_of_many else path, catalogue, ENTITIES)
    every: tuple[Result, ...] = (*found.manifests, *found.broken)
    results = sorted(every, key=lambda result: result.path)
    if one_of_many:
        results = [result for result in results if folder in (result.path.absolute(), result.path.parent.resolve())]
    if not results:
        allowed = "a folder of <environment>/<tenant>[.<profile>].yaml"
        return [BrokenManifest(path, (Issue("", "no_manifests", "no manifest is in this folder", allowed),))]
    return results


def _report(results: Iterable[Result]) -> dict[str, Any]:
    files = [_entry(result) for result in results]
    return {"valid": all(file["valid"] for file in files), "files": files}


def _entry(result: Result) -> dict[str, Any]:
    if isinstance(result, BrokenManifest):
        issues = [issue.as_dict() for issue in result.issues]
        return {"file": _printable(result.path), "valid": False, "manifest_hash": None, "issues": issues}
    digest = result.manifest.integrity.manifest_hash
    return {"file": _printable(result.path), "valid": True, "manifest_hash": digest, "issues": []}


def _print_results(results: Sequence[Result]) -> None:
    out = console()
    valid = [result for result in results if isinstance(result, LoadedManifest)]
    broken = [result for result in results if isinstance(result, BrokenManifest)]
    if broken:
        out.print(_issue_table(broken))
    if valid:
        out.print(_valid_table(valid))
    out.print(f"{len(valid)} valid, {len(broken)} not valid", highlight=False)


def _issue_table(broken: Iterable[BrokenManifest]) -> Table:
    table = Table("file", "where", "what is wrong", "what is allowed", title="Not valid", title_justify="left")
    for manifest in broken:
        for number, issue in enumerate(manifest.issues):
            file = _printable(manifest.path) if number == 0 else ""
            cells = (file, issue.pointer or "(the whole)", issue.message, issue.allowed)
            table.add_row(*(Text(_printable(cell), overflow="fold") for cell in cells))
        table.add_section()
    return table


def _valid_table(valid: Iterable[LoadedManifest]) -> Table:
    table = Table("file", "mode", "rows", "manifest hash", title="Valid", title_justify="left")
    for loaded in valid:
        manifest = loaded.manifest
        rows = ", ".join(f"{entity} {volume.rows:,}" for entity, volume in manifest.volumetry.items())
        cells = (_printable(loaded.path), manifest.mode, rows, manifest.integrity.manifest_hash)
        table.add_row(*(Text(cell, overflow="fold") for cell in cells))
    return table


def _printable(text: str | Path) -> str:
    known = os.fsencode(text).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in known)
