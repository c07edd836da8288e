"""The manifest: every rule with the place it names, the model, and the hash."""

import copy
import hashlib
import json
import pickle
from collections.abc import Mapping
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from seed_pipelines.domain import manifest_schema
from seed_pipelines.domain.issues import Issue, pointer, shown
from seed_pipelines.domain.manifest import inspect, manifest_hash, read_manifest
from seed_pipelines.domain.manifest_baseline import minimal_baseline
from seed_pipelines.domain.manifest_document import read_document
from seed_pipelines.domain.manifest_schema import schema_issues
from seed_pipelines.domain.quick_schema import QuickSchema
from seed_pipelines.errors import CapExceeded, ManifestHashMismatch, ManifestInvalid, SeedError
from seed_pipelines_tests.manifest_examples import (
    ABSENT,
    CATALOGUE,
    GENERATED,
    UNSEALED,
    changed,
    example,
    issues_of,
    sealed,
)

CAP = "/volumetry/customers/cap"
BUDGET = {"cost_cap_brl": 10, "error_budget_pct": 1}


@pytest.mark.parametrize(
    ("place", "value", "code"),
    [
        (CAP, 0, "out_of_range"),
        (CAP, -1, "out_of_range"),
        (CAP, 1e3, "wrong_type"),
        (CAP, 100.0, "wrong_type"),
        (CAP, "100", "wrong_type"),
        (CAP, "1e3", "wrong_type"),
        (CAP, True, "wrong_type"),
        (CAP, None, "wrong_type"),
        (CAP, [], "wrong_type"),
        (CAP, 2**53, "out_of_range"),
        (CAP, 2**63, "out_of_range"),
        (CAP, 10**39, "out_of_range"),
        (CAP, 501, "cap_exceeded"),
        ("/volumetry/customers/target_pct", 0, "out_of_range"),
        ("/volumetry/customers/target_pct", 0.5, "out_of_range"),
        ("/volumetry/customers/target_pct", 100.5, "out_of_range"),
        ("/volumetry/customers/target_pct", "50", "wrong_type"),
        ("/volumetry/customers/rows", 1, "unknown_key"),
        ("/volumetry/cards", {"cap": 1}, "unknown_key"),
        ("/volumetry/customers", ABSENT, "missing"),
        ("/surprise", 1, "unknown_key"),
        ("/integrity/signature", "x", "unknown_key"),
        ("/metadata/owner", "qa", "unknown_key"),
        ("/metadata/schema_version", "v2", "not_allowed"),
        ("/metadata/schema_version", 1, "not_allowed"),
        ("/metadata/salt_version", 1.5, "wrong_type"),
        ("/metadata/salt_version", "V1", "malformed"),
        ("/metadata/tenant", "a--b", "malformed"),
        ("/metadata/tenant", "tenant-a\n", "malformed"),
        ("/metadata/tenant", "../tenant-a", "malformed"),
        ("/metadata/tenant", "a" * 64, "out_of_range"),
        ("/metadata/tenant", "\ud800", "malformed"),
        ("/metadata/environment", "production", "not_allowed"),
        ("/metadata/profile", "nobody", "unknown_profile"),
        ("/metadata/version", "1.0", "malformed"),
        ("/metadata/version", "01.0.0", "malformed"),
        ("/metadata/version", "\u0661.0.0", "malformed"),
        ("/metadata/version", ABSENT, "missing"),
        ("/mode", "full", "not_allowed"),
        ("/mode", ABSENT, "missing"),
        ("/reference_datetime", "2025-01-01T00:00:00", "malformed"),
        ("/reference_datetime", "2025-01-01T00:00:00-03:00", "malformed"),
        ("/reference_datetime", "2025-02-30T00:00:00Z", "malformed"),
        ("/reference_datetime", "2025-01-01T24:00:00Z", "malformed"),
        ("/reference_datetime", "2025-01-01", "malformed"),
        ("/reference_datetime", "0001-01-01T00:00:00Z", "malformed"),
        ("/anchor_datetime", "2025-01-01T00:00:01Z", "out_of_range"),
        ("/window/end_utc", "00:00", "empty_window"),
        ("/window/end_utc", "24:00", "malformed"),
        ("/window/end_utc", "6:00", "malformed"),
        ("/window/end_utc", 360, "wrong_type"),
        ("/slo/p99_target_ms", 149, "out_of_range"),
        ("/backoff/max_interval_seconds", 0.5, "out_of_range"),
        ("/backoff/jitter_factor", 1.1, "out_of_range"),
        ("/backoff/max_retries", 1.0, "wrong_type"),
        ("/ttl/baseline_days", ABSENT, "missing"),
        ("/ttl/baseline_days", 0, "out_of_range"),
        ("/canary", {"percentage": 5}, "not_allowed"),
        ("/budget", {"cost_cap_brl": 1}, "missing"),
        ("/integrations/kyc", "x", "malformed"),
        ("/integrity/manifest_hash", "x", "malformed"),
        ("/integrity", ABSENT, "missing"),
        ("/metadata", [], "wrong_type"),
        ("/volumetry", {}, "out_of_range"),
        ("/rate_limit/limit", 2**70, "out_of_range"),
    ],
)
def test_one_wrong_member_is_one_issue_at_its_place(place: str, value: object, code: str) -> None:
    """Whatever is wrong is named by a JSON pointer, with what is allowed."""
    document = {**example(), "integrations": {}}
    (issue,) = issues_of(changed(document, place, value))
    expected = "/budget/error_budget_pct" if place == "/budget" else place
    assert (issue.pointer, issue.code) == (expected, code)
    assert issue.message
    assert issue.allowed


def test_a_budget_names_a_cost_model_of_the_catalogue() -> None:
    """Another version is an issue at its place, which lists those that there are; naming none is right."""
    (issue,) = issues_of(changed(example(), "/budget", {**BUDGET, "cost_model_version": "v0"}))
    assert (issue.pointer, issue.code) == ("/budget/cost_model_version", "unknown_cost_model")
    assert "v1" in issue.allowed
    for version in ({}, {"cost_model_version": "v1"}):
        assert issues_of(changed(example(), "/budget", {**BUDGET, **version})) == ()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (CAP, 3),
        (CAP, 500),
        ("/volumetry/customers/target_pct", 3),
        ("/volumetry/customers/target_pct", 100),
        ("/slo/p99_target_ms", 150),
        ("/backoff/max_interval_seconds", 1),
        ("/anchor_datetime", "2025-01-01T00:00:00+00:00"),
        ("/reference_datetime", "2025-01-01T00:00:00.123456Z"),
        ("/window", {"start_utc": "22:00", "end_utc": "05:00"}),
        ("/metadata/version", "1.2.3-rc.1+build.5"),
        ("/metadata/salt_version", "2025.1"),
        ("/integrations", {"kyc": "http://127.0.0.1:4010/v1", "pagamentos": "https://[::1]:4011"}),
    ],
)
def test_the_limits_themselves_are_allowed(place: str, value: object) -> None:
    """Equal thresholds, an anchor at the reference, a window across midnight."""
    assert inspect(sealed(changed(example(), place, value)), CATALOGUE, GENERATED) == ()


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost\\@evil/",
        "http://user:secret@localhost/",
        "http://localhost@evil",
        "http://prism:80@evil:443",
        "http://local host/",
        "http://\uff4cocalhost/",
        "http://localhost\t/",
        "http://localhost:99999/",
        "ftp://localhost/",
        "http://",
    ],
)
def test_an_address_that_parsers_read_differently_is_refused(address: str) -> None:
    """Credentials, back slashes, tabs and full-width letters have no place in an integration's address."""
    (issue,) = issues_of({**example(), "integrations": {"kyc": address}})
    assert issue.pointer == "/integrations/kyc"


def test_modes_demand_their_own_members() -> None:
    """Load modes need a budget, a time to live of their own and a large environment."""
    document = changed(changed(example(), "/mode", "carga"), "/metadata/environment", "dev")
    found = {(issue.pointer, issue.code) for issue in issues_of(document)}
    assert found == {
        ("/budget", "missing"),
        ("/ttl/carga_days", "missing"),
        ("/metadata/environment", "not_allowed"),
    }


@pytest.mark.parametrize(
    ("canary", "places"),
    [
        (ABSENT, ["/canary"]),
        ({}, ["/canary"]),
        ({"percentage": 5, "tenants": ["tenant-a"]}, ["/canary"]),
        ({"percentage": 0}, ["/canary/percentage"]),
        ({"tenants": []}, ["/canary/tenants"]),
        ({"tenants": ["a", "a"]}, ["/canary/tenants"]),
        ({"tenants": ["A"]}, ["/canary/tenants/0"]),
        ({"percentage": 5}, []),
        ({"tenants": ["tenant-a"]}, []),
    ],
)
def test_a_canary_is_a_percentage_or_tenants(canary: object, places: list[str]) -> None:
    """Mode canary says which part it seeds, in exactly one way."""
    document = {**example(), "mode": "canary", "budget": BUDGET, "ttl": {"canary_days": 1}, "canary": {}}
    assert [issue.pointer for issue in issues_of(changed(document, "/canary", canary))] == places


def test_every_issue_is_told_at_once() -> None:
    """A person mends a manifest in one go, its hash included."""
    document = changed(changed(changed(example(), CAP, 0), "/mode", "x"), "/slo/p99_target_ms", 1)
    codes = [issue.code for issue in inspect(document, CATALOGUE, GENERATED)]
    assert sorted(codes) == ["manifest_hash_mismatch", "not_allowed", "out_of_range", "out_of_range"]


def test_an_entity_of_the_catalogue_that_is_not_generated_is_named() -> None:
    """A catalogue may be ahead of the program."""
    generated = [entity for entity in GENERATED if entity.name != "bank_accounts"]
    (issue,) = inspect(example(), CATALOGUE, generated)
    assert (issue.pointer, issue.code) == ("/volumetry/bank_accounts", "not_generated")


def test_an_empty_object_lacks_every_required_member() -> None:
    """The rules that compare members cope with absent ones."""
    missing = [issue.pointer for issue in issues_of({}) if issue.code == "missing"]
    assert len(missing) == 10


def test_accounts_per_customer_are_limited() -> None:
    """Fifty accounts for each customer, not one more."""
    catalogue = CATALOGUE.model_copy(update={"environments": {"staging": 1_000}})
    at_limit = changed(changed(example(), CAP, 100), "/volumetry/bank_accounts/cap", 5_000)
    above = changed(at_limit, "/volumetry/bank_accounts/cap", 5_001)
    assert inspect(sealed(at_limit), catalogue, GENERATED) == ()
    (issue,) = inspect(sealed(above), catalogue, GENERATED)
    assert issue.pointer == "/volumetry/bank_accounts/cap"


@pytest.mark.parametrize(("entity", "most"), [("customers", 62_499_999), ("suppliers", 6_249_999)])
def test_rows_beyond_the_unique_values_are_refused(entity: str, most: int) -> None:
    """However generous a catalogue is, a profile's slice of the unique values is finite."""
    catalogue = CATALOGUE.model_copy(update={"environments": {"staging": 1_000_000}})
    at_limit = changed(example(), f"/volumetry/{entity}", {"cap": most})
    above = changed(example(), f"/volumetry/{entity}", {"cap": most + 1})
    assert inspect(sealed(at_limit), catalogue, GENERATED) == ()
    (issue,) = inspect(sealed(above), catalogue, GENERATED)
    assert (issue.pointer, issue.allowed) == (f"/volumetry/{entity}/cap", f"at most {most:,} rows")


@pytest.mark.parametrize(("place", "value"), [(CAP, 501), ("/metadata/profile", "unknown"), ("/mode", "fast")], ids=str)
def test_nobody_is_sent_to_seal_what_cannot_be_sealed(place: str, value: object) -> None:
    """The hash is written once the rest is right, whether the schema, a rule or the catalogue refuses it."""
    issues = {issue.code: issue for issue in inspect(changed(example(), place, value), CATALOGUE, GENERATED)}
    assert issues["manifest_hash_mismatch"].allowed == "what `seed-data seal` writes once the other issues are mended"


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (changed(example(), CAP, 99), ManifestHashMismatch),
        (changed(example(), CAP, 501), ManifestHashMismatch),
        (sealed(changed(example(), CAP, 501)), CapExceeded),
        (changed(example(), CAP, 0), ManifestInvalid),
    ],
)
def test_the_error_is_the_first_that_applies(document: dict[str, Any], error: type[SeedError]) -> None:
    """Invalid comes before tampered, tampered before too large; each carries its issues as objects."""
    with pytest.raises(error) as caught:
        read_manifest(document, CATALOGUE, GENERATED)
    assert type(caught.value) is error
    assert caught.value.exit_code == 2
    json.dumps(caught.value.problem())
    assert caught.value.extensions["issues"]


def test_the_example_reads_as_a_frozen_model() -> None:
    """Types are those of the domain; defaults are filled in; nothing can be set."""
    manifest = read_manifest(example(), CATALOGUE, GENERATED)
    assert manifest.reference_datetime == manifest.anchor_datetime == datetime(2025, 1, 1, tzinfo=UTC)
    assert manifest.reference_datetime.tzinfo is UTC
    assert manifest.window.end_utc == time(6)
    assert manifest.volumetry["bank_accounts"].target_pct == Decimal(100)
    assert manifest.identity == ("tenant-a", "staging", "default")
    assert manifest.ttl_days == 1
    with pytest.raises(ValidationError):
        setattr(manifest, "mode", "carga")  # noqa: B010 # mypy refuses the plain assignment
    with pytest.raises(TypeError):
        manifest.volumetry["customers"] = manifest.volumetry["bank_accounts"]  # type: ignore[index] # on purpose
    assert pickle.loads(pickle.dumps(manifest)) == manifest  # noqa: S301 # our own bytes
    assert hash(copy.deepcopy(manifest)) == hash(manifest)
    assert json.loads(manifest.model_dump_json())["volumetry"]["customers"]["cap"] == 100


@pytest.mark.parametrize(("cap", "percent", "rows"), [(100, 100, 100), (100, 33.3, 33), (3, 33.34, 1), (7, 99.99, 6)])
def test_rows_are_the_floor_of_the_share(cap: int, percent: float, rows: int) -> None:
    """Shares are decimal: no row is lost or won by binary fractions."""
    document = changed(example(), "/volumetry/bank_accounts", {"cap": cap, "target_pct": percent})
    manifest = read_manifest(sealed(document), CATALOGUE, GENERATED)
    assert manifest.volumetry["bank_accounts"].rows == rows


def test_the_hash_is_that_of_the_canonical_bytes_without_it() -> None:
    """Keys in order, no space, numbers in their shortest form: RFC 8785 written by hand."""
    canonical = '{"a":"é","b":1,"integrity":{}}'.encode()
    document = {"b": 1.0, "a": "é", "integrity": {"manifest_hash": "x"}}
    assert manifest_hash(document) == hashlib.sha256(canonical).hexdigest()


@given(st.permutations(list(example())), st.booleans())
def test_the_hash_does_not_depend_on_order_or_syntax(order: list[str], as_json: bool) -> None:
    """The same content has the same hash in YAML and JSON, in any order of keys, with any hash recorded."""
    document = {key: example()[key] for key in order}
    document["integrity"] = {"manifest_hash": "0" * 64}
    text = json.dumps(document, indent=3) if as_json else yaml.safe_dump(document, sort_keys=False)
    assert manifest_hash(read_document(text.encode(), "json" if as_json else "yaml")) == manifest_hash(example())


@given(
    st.sampled_from(["/volumetry/customers/cap", "/rate_limit/limit", "/backoff/max_retries", "/slo/p99_target_ms"]),
    st.integers(1, 99),
)
def test_any_change_of_a_number_changes_the_hash(place: str, value: int) -> None:
    """Nobody changes a manifest unseen."""
    tampered = changed(example(), place, value)
    assert (manifest_hash(tampered) == manifest_hash(example())) == (tampered == example())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([*example(), "canary", "budget", "integrations"]), _JSON)
def test_no_document_makes_the_inspection_fail(member: str, value: object) -> None:
    """Whatever stands in a member, the answer is a list of issues."""
    for issue in inspect({**example(), member: value}, CATALOGUE, GENERATED):
        assert json.dumps(issue.as_dict())


def _full() -> dict[str, Any]:
    """The example with every part that it may have."""
    kinds = ("kyc", "antifraude", "pagamentos", "notificacoes")
    more = {
        "anchor_datetime": "2024-12-31T23:59:59Z",
        "budget": BUDGET,
        "integrations": {kind: f"http://localhost:401{place}/" for place, kind in enumerate(kinds)},
    }
    return {**example(), **more}


def _places(document: Mapping[str, Any], above: str = "") -> list[str]:
    inner = [
        place
        for key, value in document.items()
        if isinstance(value, dict)
        for place in _places(value, f"{above}/{key}")
    ]
    return [*(f"{above}/{key}" for key in document), *inner]


_NEAR_NUMBERS = (1.0, 100.0, -0.0, True, 10**400, 1e308, float("nan"), float("inf"), "1", "\u0661")
_NEAR_TEXTS = ("abc\n", "tenant-a ", "\ud800", "06:00\n", "http://localhost:0/", "http://localhost:65536/")
_NEAR_TIMES = ("2025-02-30T00:00:00Z", "2025-02-01T00:00:00Z\n", "2025-02-01T24:00:00Z")
_NEAR_MISSES = st.sampled_from((*_NEAR_NUMBERS, *_NEAR_TEXTS, *_NEAR_TIMES))


@given(st.sampled_from(_places(_full())), _NEAR_MISSES | _JSON)
def test_the_quick_engine_accepts_nothing_that_the_other_refuses(place: str, value: object) -> None:
    """Whatever stands anywhere, the issues are those that are found without it."""
    document = changed(_full(), place, value)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(QuickSchema, "accepts", lambda *_: False)
        expected = schema_issues(document)
    assert schema_issues(document) == expected


def test_a_sound_manifest_is_accepted_by_the_quick_engine_alone() -> None:
    """The other one is not even made."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(manifest_schema, "_validator", lambda: pytest.fail("asked the slow engine"))
        assert schema_issues(_full()) == ()


def test_a_minimal_baseline_is_valid() -> None:
    """Somebody without a manifest gets one that passes every rule."""
    now = datetime(2025, 3, 1, 12, 30, 15, 999, tzinfo=UTC)
    document = minimal_baseline("tenant-b", "dev", reference_datetime=now, catalogue=CATALOGUE)
    manifest = read_manifest(document, CATALOGUE, GENERATED)
    assert manifest.reference_datetime == now.replace(microsecond=0)
    assert {entity: volume.rows for entity, volume in manifest.volumetry.items()} == {
        "customers": 100,
        "bank_accounts": 120,
    }


def test_only_the_hash_of_the_unsealed_example_is_wrong() -> None:
    """The quick start's example needs nothing but its hash."""
    (issue,) = issues_of(read_document(UNSEALED.encode(), "yaml"))
    assert issue.pointer == "/integrity/manifest_hash"


def test_pointers_escape_their_separators() -> None:
    """RFC 6901, section 3; half of a surrogate pair can still be printed."""
    assert pointer(("a/b", "m~n", 0)) == "/a~1b/m~0n/0"
    assert pointer(("\ud800",)) == "/\\ud800"
    assert Issue("", "code", "message", "allowed").as_dict()["pointer"] == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [({}, "an object"), ([], "a list"), (None, "null"), (True, "true"), (1, "1"), ("a\x1b", "the text 'a\\x1b'")],
)
def test_values_are_shown_in_words_of_json(value: object, text: str) -> None:
    """Messages hold printable text only."""
    assert shown(value) == text
    assert len(shown("x" * 1_000)) == len("the text ") + 60
