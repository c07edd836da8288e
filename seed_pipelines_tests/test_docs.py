"""The words for people say what the program does: its targets, flags, variables, exit codes, links and rooms."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest
from pydantic import AliasChoices

from seed_pipelines import errors
from seed_pipelines.cli import main
from seed_pipelines.cli.run import seed_data
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.evidence.checklist import CHECKLIST
from seed_pipelines.errors import SeedError
from seed_pipelines.orchestration.settings import Settings

ROOT: Final = Path(__file__).parent.parent
README: Final = ROOT / "README.md"
PORTUGUESE: Final = ROOT / "docs" / "quickstart.pt-BR.md"
DEPLOYMENT: Final = ROOT / "docs" / "deployment.md"
AUDIT: Final = ROOT / "docs" / "audit.md"
DOCUMENTS: Final = (
    README,
    PORTUGUESE,
    DEPLOYMENT,
    AUDIT,
    ROOT / "docs" / "api.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
)

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)


def _program() -> dict[str, click.Command]:
    commands = {"seed_data": seed_data}
    with click.Context(main) as context:
        for name in main.list_commands(context):
            command = main.get_command(context, name)
            assert command is not None
            commands[f"seed-data {name}"] = command
    return commands


def _flags(command: click.Command) -> set[str]:
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    return {flag for option in options for flag in (*option.opts, *option.secondary_opts)}


PROGRAM: Final = _program()


def _section(document: Path, heading: str) -> str:
    text = document.read_text(encoding="utf-8")
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#{{1,6}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"{document.name} has no section {heading}"
    return found[2]


def _rows(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def _shell_lines(document: Path) -> Iterator[str]:
    for block in re.findall(r"^ *```bash\n(.*?)^ *```", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip():
                yield line.strip()


def _commands(document: Path) -> Iterator[tuple[str, list[str]]]:
    """Each use of one of our programs in a shell block: its name, and the flags it is given."""
    for line in _shell_lines(document):
        for found in re.finditer(r"(?:^|\$\()(seed_data|seed-data \w+)(?=[ )\n]|$)([^)]*)", line):
            words = shlex.split(found[2].replace('"', " ").replace("'", " "))
            yield found[1], [word for word in words if word.startswith("--")]


def _targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _code_spans(document: Path) -> list[str]:
    prose = re.sub(r"^ *```.*?^ *```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", prose)


def _errors(root: type[SeedError] = SeedError) -> Iterator[type[SeedError]]:
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from _errors(child)


class TestCommands:
    @each_document
    def test_every_make_target_exists(self, document: Path) -> None:
        """`make` is never told to do what it cannot."""
        text = document.read_text(encoding="utf-8")
        named = {*re.findall(r"`make ([a-z-]+)", text), *re.findall(r"^ *make ([a-z-]+)", text, re.MULTILINE)}
        assert named <= _targets()

    def test_the_readme_names_every_target(self) -> None:
        """What `make help` shows is in the README."""
        listed = set(re.findall(r"`([a-z-]+)`", _section(README, "Commands").split("Behind")[0]))
        assert _targets() - {"help"} == listed

    @each_document
    def test_commands_in_shell_blocks_exist(self, document: Path) -> None:
        """Every command line runs a command that exists, with flags it has."""
        for name, flags in _commands(document):
            assert name in PROGRAM, f"{name} does not exist"
            assert set(flags) <= _flags(PROGRAM[name]) | {"--help"}, f"{name} {' '.join(flags)}"

    @each_document
    def test_commands_in_prose_exist(self, document: Path) -> None:
        """Every command and flag named in a sentence exists."""
        every = set().union(*(_flags(command) for command in PROGRAM.values()), {"--help"})
        for span in _code_spans(document):
            words = span.split()
            if words[0] == "seed-data" and len(words) > 1:
                assert f"seed-data {words[1]}" in PROGRAM, span
                assert {word for word in words if word.startswith("--")} <= _flags(PROGRAM[f"seed-data {words[1]}"])
            elif words[0].startswith("--"):
                assert words[0] in every, span

    @pytest.mark.parametrize(
        ("document", "heading"), [(README, "seed_data"), (PORTUGUESE, "Flags do `seed_data`")], ids=["en", "pt"]
    )
    def test_flags_of_seed_data(self, document: Path, heading: str) -> None:
        """The tables of flags are complete."""
        listed = [re.match(r"`(--[a-z-]+)", row[0]) for row in _rows(_section(document, heading))]
        assert sorted(flag[1] for flag in listed if flag) == sorted(_flags(seed_data))

    def test_commands_of_seed_data(self) -> None:
        """The table of `seed-data` has every command with every flag."""
        table = {}
        for command, flags, *_ in _rows(_section(README, "seed-data")):
            if found := re.match(r"`(seed-data \w+)", command):
                table[found[1]] = set(re.findall(r"`(--[a-z-]+)", flags))
        assert table == {name: _flags(command) for name, command in PROGRAM.items() if name != "seed_data"}

    def test_the_portuguese_guide_has_the_same_commands(self) -> None:
        """What the README's quick start and its steps for a manifest run, the translation runs."""
        text = _section(README, "Quick start") + _section(README, "Add a manifest")
        mine = {
            line.strip() for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL) for line in block.splitlines()
        }
        assert mine - {""} <= {line.strip() for line in PORTUGUESE.read_text(encoding="utf-8").splitlines()}


class TestEntities:
    def test_the_readme_has_every_entity(self) -> None:
        """In foreign-key order, with its table, what it hangs on, what is masked, and its checks of coherence."""
        listed = [row for row in _rows(_section(README, "What is seeded")) if row[0].startswith("`")]
        assert listed == [
            [
                f"`{entity.name}`",
                f"`{entity.table}`",
                "the tenant" if entity.of_tenant else f"`{entity.parent.name}`" if entity.parent else "",
                ", ".join(dict.fromkeys(column.pii for column in entity.columns if column.pii)),
                ", ".join(f"`{rule.name}`" for rule in entity.rules),
            ]
            for entity in ENTITIES
        ]


class TestAudit:
    def test_every_item_of_the_checklist_is_explained(self) -> None:
        """In its order."""
        rows = _rows(_section(AUDIT, "What each item of the checklist means"))
        listed = [item for row in rows for item in re.findall(r"`(\w+)`", row[0])]
        assert listed == [item.name for items in CHECKLIST.values() for item in items]


class TestExitCodes:
    def test_the_readme_has_the_exit_codes_of_the_errors(self) -> None:
        """Each problem stands beside its exit code, and none is missing."""
        listed: dict[str, int] = {}
        for exit_code, _, problems in (row for row in _rows(_section(README, "Exit codes")) if row[0].isdigit()):
            listed |= dict.fromkeys(re.findall(r"`(\w+)`", problems), int(exit_code))
        concrete = (error for error in _errors() if "code" in vars(error))
        assert listed == {SeedError.code: SeedError.exit_code} | {error.code: error.exit_code for error in concrete}

    def test_the_portuguese_guide_has_every_exit_code(self) -> None:
        """0 and those of the errors."""
        listed = {int(row[0]) for row in _rows(_section(PORTUGUESE, "Códigos de saída")) if row[0].isdigit()}
        assert listed == {0, SeedError.exit_code, *(error.exit_code for error in _errors())}


class TestEnvironmentVariables:
    @each_document
    def test_every_variable_is_read_somewhere(self, document: Path) -> None:
        """No variable is named that nothing reads."""
        named = set(re.findall(r"\bSEED_[A-Z0-9_]+\b", document.read_text(encoding="utf-8")))
        sources = [*(ROOT / "seed_pipelines").rglob("*.py"), ROOT / "dagster.yaml"]
        sources += (ROOT / "seed_pipelines_tests" / "chaos").glob("*.py")
        sources += (ROOT / "seed_pipelines_tests" / "e2e" / "api").glob("*.py")
        read = set(re.findall(r"\bSEED_[A-Z0-9_]+\b", "".join(path.read_text(encoding="utf-8") for path in sources)))
        assert named <= read | _settings()

    def test_every_setting_is_explained(self) -> None:
        """The table of variables has each setting and what the commands read."""
        table = _section(DEPLOYMENT, "Environment variables")
        options = (parameter.envvar for command in PROGRAM.values() for parameter in command.params)
        wanted = _settings() | {name for name in options if isinstance(name, str)}
        assert wanted <= set(re.findall(r"`([A-Z0-9_]+)`", table))


def _settings() -> set[str]:
    named = {name: field.validation_alias for name, field in Settings.model_fields.items()}
    return {
        str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"SEED_{name.upper()}"
        for name, alias in named.items()
    }


class TestPlaces:
    @each_document
    def test_links_lead_somewhere(self, document: Path) -> None:
        """Every relative link names a file, and every anchor a heading."""
        for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
            if target.startswith("https://"):
                continue
            name, _, anchor = target.partition("#")
            file = (document.parent / name).resolve() if name else document
            assert file.exists(), target
            assert not anchor or anchor in _anchors(file), target

    @each_document
    def test_files_named_exist(self, document: Path) -> None:
        """Every path of the repository that a sentence names is there."""
        rooms = "|".join(re.escape(entry.name) for entry in ROOT.iterdir() if entry.is_dir())
        for span in _code_spans(document):
            if re.fullmatch(rf"(?:{rooms})/[\w./-]*", span) and not span.startswith((".seed", ".venv")):
                assert (ROOT / span).exists() or span == "manifests/staging/tenant-a.smoke.yaml", span

    def test_the_map_of_the_house_is_the_tree(self) -> None:
        """Every room of the map exists, and every room of the tree is on the map."""
        mapped = set(_mapped())
        assert sorted(path for path in mapped if not (ROOT / path).exists()) == []
        assert sorted(_rooms() - mapped) == []


def _mapped() -> Iterator[str]:
    """Paths on the map: a name stands below the nearest line before it that is indented less."""
    above: list[tuple[int, str]] = []
    for line in _section(README, "The map of the house").split("```")[1].splitlines()[1:]:
        name = line.split()[0]
        indent = line.index(name)
        while above and above[-1][0] >= indent:
            above.pop()
        path = (above[-1][1] if above else "") + name
        above.append((indent, path))
        yield path.rstrip("/")


def _rooms() -> set[str]:
    packages = {path.parent for path in (ROOT / "seed_pipelines").rglob("__init__.py")}
    tests = {path.parent for path in (ROOT / "seed_pipelines_tests").glob("*/__init__.py")}
    modules = set((ROOT / "seed_pipelines").glob("[!_]*.py"))
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    top = {entry for entry in ROOT.iterdir() if not entry.name.startswith(".") and f"{entry.name}/" not in ignored}
    return {str(path.relative_to(ROOT)) for path in {*packages, *tests, *modules, *top, ROOT / ".ci"}}
