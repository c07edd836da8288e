"""Manifests on disk: `<environment or mode>/<tenant>[.<profile>].yaml|yml|json`, read, placed and compared.

One broken manifest hides no other: a folder gives the good ones and, for each broken one, what is wrong.
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from seed_pipelines.domain.catalogue import ENVIRONMENTS, MODES, Catalogue
from seed_pipelines.domain.ids import dataset_tag
from seed_pipelines.domain.issues import Issue
from seed_pipelines.domain.manifest import Manifest, read_manifest, refusal
from seed_pipelines.domain.manifest_document import LARGEST_SOURCE, Syntax, read_document, too_large
from seed_pipelines.domain.manifest_rules import Seedable
from seed_pipelines.errors import ManifestInvalid, ValidationFailure

SYNTAXES: Final[Mapping[str, Syntax]] = {".yaml": "yaml", ".yml": "yaml", ".json": "json"}
"""Suffix of a manifest file -> what it is written in."""

FOLDERS: Final = tuple(dict.fromkeys((*ENVIRONMENTS, *MODES)))
"""Names of the folders that manifests stand in."""

_SAME_IDENTITY: Final = Issue(
    "/metadata",
    "duplicate_identity",
    "tenant, environment and profile are also those of",
    "one manifest for a tenant, environment and profile",
)
_SAME_TAG: Final = Issue(
    "/metadata/profile",
    "dataset_tag_collision",
    "the rows would have the same range of ids as those of",
    "a profile of another name",
)
_OTHER_SALT: Final = Issue(
    "/metadata/salt_version",
    "salt_version_differs",
    "not all of the tenant and environment have the same, see",
    "one salt_version for all manifests of a tenant and environment",
)


@dataclass(frozen=True)
class LoadedManifest:
    """A manifest that is right."""

    path: Path
    source_sha256: str
    """SHA-256 of the file's bytes, in hex."""
    manifest: Manifest
    document: Mapping[str, Any]


@dataclass(frozen=True)
class BrokenManifest:
    """A file that is no manifest, or not where it should be."""

    path: Path
    issues: tuple[Issue, ...]

    @property
    def error(self) -> ValidationFailure:
        """The error that a run of this manifest would end with."""
        return refusal(self.issues)


@dataclass(frozen=True)
class ManifestFolder:
    """What a folder of manifests holds, each part in the order of its paths."""

    manifests: tuple[LoadedManifest, ...]
    broken: tuple[BrokenManifest, ...]


def read_source(path: Path) -> bytes:
    """The bytes of a manifest file; raises ManifestInvalid if it is no readable file of at most 1 MiB."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise _file_error(path, "not_a_file", "it is not a regular file")
            source = file.read(LARGEST_SOURCE + 1)
            if len(source) > LARGEST_SOURCE:
                raise refusal((too_large(os.fstat(descriptor).st_size),))
    except IsADirectoryError:
        raise _file_error(path, "not_a_file", "it is a directory") from None
    except FileNotFoundError:
        raise _file_error(path, "file_missing", "there is no such file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise _file_error(path, "unreadable", f"it cannot be read: {reason}") from error
    return source


def syntax_of(path: Path) -> Syntax:
    """What a manifest file is written in, by its suffix; raises ManifestInvalid for another suffix."""
    syntax = SYNTAXES.get(path.suffix.lower())
    if syntax is None:
        issue = Issue("", "wrong_suffix", f"its suffix is {path.suffix!r}", f"one of {', '.join(SYNTAXES)}")
        raise refusal((issue,))
    return syntax


def load_file(path: Path, catalogue: Catalogue, generated: Collection[Seedable]) -> LoadedManifest:
    """The manifest in one file, wherever it stands.

    Raises ManifestInvalid, ManifestHashMismatch or CapExceeded with every issue.
    """
    source = read_source(path)
    document = read_document(source, syntax_of(path))
    manifest = read_manifest(document, catalogue, generated)
    return LoadedManifest(path, hashlib.sha256(source).hexdigest(), manifest, document)


def inspect_file(path: Path, catalogue: Catalogue, generated: Collection[Seedable]) -> LoadedManifest | BrokenManifest:
    """The manifest in one file, wherever it stands, or what is wrong with it."""
    try:
        return load_file(path, catalogue, generated)
    except ValidationFailure as error:
        return BrokenManifest(path, tuple(Issue(**issue) for issue in error.extensions["issues"]))


def load_folder(path: Path, catalogue: Catalogue, generated: Collection[Seedable]) -> ManifestFolder:
    """All manifests of a folder, each checked by itself, for its place and name, and against the others."""
    loaded: list[LoadedManifest] = []
    broken: list[BrokenManifest] = []
    for found in _found(path):
        result = found if isinstance(found, BrokenManifest) else inspect_file(found, catalogue, generated)
        if isinstance(result, LoadedManifest) and (issues := _misplaced(result)):
            result = BrokenManifest(result.path, issues)
        if isinstance(result, LoadedManifest):
            loaded.append(result)
        else:
            broken.append(result)
    conflicts = _conflicts(loaded)
    broken += [BrokenManifest(place, tuple(issues)) for place, issues in conflicts.items()]
    return ManifestFolder(
        tuple(good for good in loaded if good.path not in conflicts),
        tuple(sorted(broken, key=lambda bad: bad.path)),
    )


def deployed(
    root: Path, manifest: Manifest, catalogue: Catalogue, generated: Collection[Seedable]
) -> LoadedManifest | None:
    """The valid manifest of the same tenant, environment and profile in a folder of manifests; None if there is none."""
    metadata = manifest.metadata
    for folder in dict.fromkeys((metadata.environment, *MODES)):
        for name in (metadata.tenant, f"{metadata.tenant}.{metadata.profile}"):
            for suffix in SYNTAXES:
                path = root / folder / f"{name}{suffix}"
                found = inspect_file(path, catalogue, generated) if path.is_file() else None
                if isinstance(found, LoadedManifest) and found.manifest.identity == manifest.identity:
                    return None if _misplaced(found) else found
    return None


def replace_source(path: Path, source: bytes) -> None:
    """Put other bytes in a file's place: all of them or none, with the file's mode; a link stays a link.

    Raises ManifestInvalid if the file or its folder cannot be written.
    """
    try:
        target = path.resolve(strict=True)
        mode = stat.S_IMODE(target.stat().st_mode)
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                file.write(source)
                file.flush()
                os.fsync(descriptor)
            Path(temporary).replace(target)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise _file_error(path, "unwritable", f"it cannot be written: {error.strerror}") from error


def _file_error(path: Path, code: str, message: str) -> ManifestInvalid:
    issue = Issue("", code, message, "a file that can be read and written")
    return ManifestInvalid(f"{path}: {message}", issues=[issue.as_dict()])


def _found(root: Path) -> Iterator[Path | BrokenManifest]:
    for entry in _entries(root):
        if isinstance(entry, BrokenManifest):
            yield entry
        elif entry.suffix.lower() in SYNTAXES:
            issue = Issue("", "misplaced", "it stands in no folder", f"a folder: one of {', '.join(FOLDERS)}")
            yield BrokenManifest(entry, (issue,))
        elif _is_directory(entry):
            yield from _in_folder(entry)


def _in_folder(folder: Path) -> Iterator[Path | BrokenManifest]:
    for entry in _entries(folder):
        if isinstance(entry, BrokenManifest) or entry.suffix.lower() in SYNTAXES:
            yield entry
        elif _is_directory(entry):
            issue = Issue("", "misplaced", "it is a folder in a folder, and not looked into", "manifest files")
            yield BrokenManifest(entry, (issue,))


def _entries(folder: Path) -> Iterator[Path | BrokenManifest]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        issue = Issue("", "unreadable", f"it cannot be read: {error.strerror}", "a readable folder")
        yield BrokenManifest(folder, (issue,))
        return
    yield from (entry for entry in entries if not entry.name.startswith("."))


def _is_directory(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False


def _misplaced(loaded: LoadedManifest) -> tuple[Issue, ...]:
    metadata, mode = loaded.manifest.metadata, loaded.manifest.mode
    folder, name = loaded.path.parent.name, loaded.path.stem
    issues = []
    if folder not in (metadata.environment, mode):
        allowed = " or ".join(dict.fromkeys((metadata.environment, mode)))
        issues.append(Issue("/metadata/environment", "misplaced", f"its folder is {folder}", allowed))
    names = [f"{metadata.tenant}.{metadata.profile}"]
    if metadata.profile in ("default", folder):
        names.insert(0, metadata.tenant)
    if name not in names:
        issues.append(Issue("/metadata/tenant", "misnamed", f"its file name is {name}", " or ".join(names)))
    return tuple(issues)


def _conflicts(loaded: Iterable[LoadedManifest]) -> dict[Path, list[Issue]]:
    conflicts: dict[Path, list[Issue]] = {}
    for group in _groups(loaded, lambda m: m.identity):
        if len(group) > 1:
            _disagree(conflicts, group, _SAME_IDENTITY)
    for group in _groups(loaded, lambda m: (m.identity[:2], dataset_tag(*m.identity))):
        if len({one.manifest.identity for one in group}) > 1:
            _disagree(conflicts, group, _SAME_TAG)
    for group in _groups(loaded, lambda m: m.identity[:2]):
        if len({one.manifest.metadata.salt_version for one in group}) > 1:
            _disagree(conflicts, group, _OTHER_SALT)
    return conflicts


def _groups(
    loaded: Iterable[LoadedManifest], key: Callable[[Manifest], tuple[Any, ...]]
) -> Iterator[list[LoadedManifest]]:
    ordered = sorted(loaded, key=lambda one: (key(one.manifest), one.path))
    for _, group in groupby(ordered, key=lambda one: key(one.manifest)):
        yield list(group)


def _disagree(conflicts: dict[Path, list[Issue]], group: list[LoadedManifest], rule: Issue) -> None:
    for one in group:
        others = ", ".join(str(other.path) for other in group if other.path != one.path)
        issue = replace(rule, message=f"{rule.message} {others}")
        conflicts.setdefault(one.path, []).append(issue)
