"""The published schema of reports: itself valid, at one with the program, and closed to everything else."""

import copy
import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from seed_pipelines.contract_files import contract_file
from seed_pipelines.domain.catalogue import ENVIRONMENTS, MODES
from seed_pipelines.domain.evidence.contract import require_contract
from seed_pipelines.domain.evidence.report import build_report, report_bytes
from seed_pipelines.errors import EvidenceInvalid
from seed_pipelines_tests.evidence_examples import EVERY_KIND

CONTRACTS: Final = ("seed-report.schema.json", "log-checkpoint.schema.json")
REPORTS: Final = {
    kind: json.loads(report_bytes(build_report(facts, after))) for kind, (facts, after) in EVERY_KIND.items()
}
OPEN: Final = ("facts", "rows", "by_category")
"""Members of a report whose names are data."""
LATER: Final = ("steps",)
"""Members that v1 did not have from its beginning."""


def schema(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(contract_file(name).read_bytes())
    return document


def parts(part: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value in a document, with where it stands."""
    yield path, part
    members = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, member in members:
        yield from parts(member, (*path, key))


def at(document: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def broken(report: dict[str, Any]) -> EvidenceInvalid:
    with pytest.raises(EvidenceInvalid) as refusal:
        require_contract(report, "seed-report.schema.json")
    return refusal.value


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_schema_is_one_of_2020_12(name: str) -> None:
    """By its own meta-schema."""
    Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_object_is_closed_and_everything_described(name: str) -> None:
    """Open are the facts of checks and what RFC 9457 leaves open; elsewhere names that are data have values of one kind."""
    opened = []
    for path, part in parts({key: part for key, part in schema(name).items() if key != "allOf"}):
        if isinstance(part, dict) and part.get("type") == "object":
            further = part["additionalProperties"]
            opened += [path[-1]] if further is True else []
            assert isinstance(further, bool) or {"type", "$ref"} & set(further), path
        if len(path) > 1 and path[-2] == "properties" and "const" not in part:
            assert isinstance(part, dict)
            assert {"description", "$ref"} & set(part), path
    assert opened == (["problem", "facts"] if name == "seed-report.schema.json" else [])


def test_it_names_what_the_program_knows() -> None:
    """Modes and environments."""
    properties = schema("seed-report.schema.json")["properties"]
    assert properties["mode"]["enum"] == list(MODES)
    assert properties["environment"]["enum"] == list(ENVIRONMENTS)
    assert schema("log-checkpoint.schema.json")["properties"]["environment"]["enum"] == list(ENVIRONMENTS)


@pytest.mark.parametrize("kind", REPORTS)
def test_every_kind_of_report_is_valid(kind: str) -> None:
    """As it is read back from its canonical bytes."""
    require_contract(REPORTS[kind], "seed-report.schema.json")


@pytest.mark.parametrize("kind", REPORTS)
def test_a_report_of_before_is_valid(kind: str) -> None:
    """One without the members that were added later."""
    require_contract(
        {name: part for name, part in REPORTS[kind].items() if name not in LATER}, "seed-report.schema.json"
    )


@settings(max_examples=200)
@given(st.sampled_from(sorted(REPORTS)), st.data())
def test_no_member_may_be_missing_or_added(kind: str, data: st.DataObject) -> None:
    """Wherever it is, but where the names are data."""
    report = copy.deepcopy(REPORTS[kind])
    fixed = [
        path
        for path, part in parts(report)
        if isinstance(part, dict) and not {*OPEN, "errors", "manifest"}.intersection(path)
    ]
    place = at(report, data.draw(st.sampled_from(fixed)))
    removed = data.draw(st.sampled_from([*sorted(set(place) - set(LATER)), None]))
    if removed is None:
        place["comment"] = "x"
    else:
        del place[removed]
    broken(report)


@settings(max_examples=200)
@given(st.sampled_from(sorted(REPORTS)), st.data())
def test_no_value_may_be_of_another_type(kind: str, data: st.DataObject) -> None:
    """A list where something else belongs, and something else where a list does."""
    report = copy.deepcopy(REPORTS[kind])
    values = [path for path, _ in parts(report) if path and not set(OPEN[:1]).intersection(path)]
    *above, last = data.draw(st.sampled_from([path for path in values if "errors" not in path]))
    place = at(report, tuple(above))
    place[last] = {"no": "list"} if isinstance(place[last], list) else [[]]
    broken(report)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("succeeded", ("verdict",), "unknown"),
        ("succeeded", ("errors",), REPORTS["failed"]["errors"]),
        ("succeeded", ("dataset_digest",), None),
        ("succeeded", ("checks", 0, "passed"), False),
        ("succeeded", ("shards", 0, "passed"), False),
        ("succeeded", ("shards",), []),
        ("succeeded", ("fencing_token",), None),
        ("succeeded", ("fencing_token",), 0),
        ("succeeded", ("cost",), None),
        ("succeeded", ("chain",), None),
        ("succeeded", ("chain", "sequence"), 0),
        ("succeeded", ("chain", "sequence"), 1),
        ("succeeded", ("chain", "previous_sha256"), "0" * 64),
        ("first", ("chain", "sequence"), 2),
        ("first", ("chain", "previous_sha256"), "1" * 64),
        ("succeeded", ("run", "seed_run_id"), None),
        ("succeeded", ("run", "trace_id"), "0" * 31),
        ("succeeded", ("run", "git_commit"), "main"),
        ("succeeded", ("run", "seconds"), -0.5),
        ("succeeded", ("run", "started_at"), "2026-01-02T03:04:05Z"),
        ("succeeded", ("manifest_hash",), "0" * 63),
        ("succeeded", ("manifest", "mode"), "other"),
        ("succeeded", ("manifest", "comment"), ""),
        ("succeeded", ("cost", "spent_brl"), "-1"),
        ("succeeded", ("cost", "spent_brl"), "1e3"),
        ("succeeded", ("volumes",), []),
        ("succeeded", ("volumes", 0, "delivered"), -1),
        ("succeeded", ("volumes", 0, "merkle_root"), ""),
        ("succeeded", ("checklist", "passed_pct"), 101),
        ("succeeded", ("checklist", "groups", 0, "items", 0, "result"), "skipped"),
        ("failed", ("errors", 0, "code"), "No such"),
        ("failed", ("errors", 0, "status"), 200),
        ("dry run", ("fencing_token",), 7),
        ("dry run", ("run", "seed_run_id"), REPORTS["succeeded"]["run"]["seed_run_id"]),
        ("dry run", ("shards",), REPORTS["succeeded"]["shards"]),
        ("dry run", ("cost",), REPORTS["succeeded"]["cost"]),
        ("dry run", ("operation",), "seed_run"),
    ],
)
def test_what_contradicts_itself_is_no_report(kind: str, path: tuple[str | int, ...], value: object) -> None:
    """And the refusal says where."""
    report = copy.deepcopy(REPORTS[kind])
    at(report, path[:-1])[path[-1]] = value
    refusal = broken(report)
    assert refusal.extensions["pointer"] in refusal.detail
