"""Contracts: their values, how they follow the loans, and what the rules of coherence notice."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import rfc8785
from jsonschema import Draft202012Validator

from seed_pipelines.contract_files import contract_file
from seed_pipelines.domain.entities import BY_NAME
from seed_pipelines.domain.entities.contract_rules import CONTRACT_SCHEDULES, CONTRACTS_SOUND
from seed_pipelines_tests.domain.entities.landed_rows import (
    Tables,
    landed,
    plan_of,
    row_of,
    row_where,
    rows_of,
    tables_of,
    with_value,
)
from seed_pipelines_tests.worlds import manifest

CONTRACTS = BY_NAME["contracts"]
ROWS = {"customers": 4_512, "loans": 6_016, "installments": 60_160, "contracts": 4_512}
PLAN = plan_of(ROWS)
TABLES = tables_of(PLAN)
BATCH = TABLES["contracts"].to_batches()[0]

Fault = Callable[[Tables], Tables]


@pytest.fixture(scope="module")
def joined() -> pd.DataFrame:
    """Contracts beside their loans and customers, and what their bodies say."""
    contracts, loans, customers = (TABLES[name].to_pandas() for name in ("contracts", "loans", "customers"))
    loans = loans.merge(customers, left_on="customer_id", right_on="id", suffixes=("_loan", "_owner"))
    said = pd.DataFrame(list(map(json.loads, contracts["body"]))).add_prefix("said_")
    found: pd.DataFrame = contracts.join(said).merge(loans, left_on="loan_id", right_on="id_loan")
    return found


def test_every_contract_belongs_to_a_loan_of_its_own(joined: pd.DataFrame) -> None:
    assert len(joined) == ROWS["contracts"]
    assert joined["loan_id"].is_unique
    assert joined["number"].is_unique
    assert set(joined["template_version"]) == {"v1"}


def test_it_is_signed_by_a_customer_at_most_three_days_before_the_payout(joined: pd.DataFrame) -> None:
    before = (pd.to_datetime(joined["disbursed_on"]) - joined["signed_at"].dt.tz_localize(None).dt.normalize()).dt.days
    assert (joined["signed_at"] >= joined["registered_at"]).all()
    assert set(before) == {0, 1, 2, 3}
    assert before.value_counts(normalize=True).min() > 0.2
    assert set(joined["signed_at"].dt.hour) == set(range(8, 21))
    assert (joined["number"].str[4:8].astype(int) == joined["signed_at"].dt.year).all()


def test_numbers_are_valid() -> None:
    assert not any(CONTRACTS.invalid_values(BATCH).values())
    wrong = with_value(TABLES, "contracts", 5, number="CCB-2024-00000000123-4")["contracts"]
    assert list(CONTRACTS.invalid_values(wrong).values()) == [1]


def test_numbers_differ_between_profiles() -> None:
    metadata = manifest().metadata.model_dump() | {"profile": "smoke"}
    other = rows_of(CONTRACTS, plan_of(ROWS, metadata=metadata))
    serials = pc.utf8_slice_codeunits(BATCH.column("number"), 9, 20)
    assert not set(pc.utf8_slice_codeunits(other.column("number"), 9, 20).to_pylist()) & set(serials.to_pylist())


def test_bodies_state_the_loan_in_canonical_form(joined: pd.DataFrame) -> None:
    validator = Draft202012Validator(json.loads(contract_file("loan-contract.schema.json").read_bytes()))
    for body, digest in zip(joined["body"][:500], joined["payload_hash"][:500], strict=True):
        document = json.loads(body)
        validator.validate(document)
        assert rfc8785.dumps(document).decode() == body
        assert hashlib.sha256(body.encode()).hexdigest() == digest
    for term in ("principal", "monthly_rate_pct", "iof", "cet_yearly_pct"):
        assert (joined[f"said_{term}"].map(Decimal) == joined[term]).all()
    for term in ("amortization_system", "term", "number", "template_version"):
        assert (joined[f"said_{term}"] == joined[term]).all()


def test_bodies_and_expiry_fit_the_installments(joined: pd.DataFrame) -> None:
    due = TABLES["installments"].to_pandas().groupby("loan_id")["due_on"].agg(["min", "max"])
    due = due.loc[joined["loan_id"]]
    assert [date.fromisoformat(said) for said in joined["said_first_due_on"]] == list(due["min"])
    assert [date.fromisoformat(said) for said in joined["said_last_due_on"]] == list(due["max"])
    assert list(joined["expires_on"]) == list(due["max"])


def test_states_follow_the_loan(joined: pd.DataFrame) -> None:
    pairs = set(zip(joined["status_loan"], joined["status"], strict=True))
    assert pairs == {
        ("IN_PROGRESS", "ACTIVE"),
        ("IN_COLLECTION", "ACTIVE"),
        ("PAID_OFF", "EXPIRED"),
        ("CANCELED", "REVOKED"),
    }


@pytest.mark.parametrize(("first", "end"), [(0, 1), (4095, 4099), (7, 8), (4_000, 4_512), (3, 3)])
def test_rows_made_alone_are_those_of_the_whole(first: int, end: int) -> None:
    alone = rows_of(CONTRACTS, PLAN, first, end)
    assert alone.equals(BATCH.take(pc.index_in(alone.column("id"), BATCH.column("id"))))


@pytest.mark.parametrize("number", [0, 1, 2_345, 4_511])
def test_a_row_is_found_by_its_number(number: int) -> None:
    assert row_of(CONTRACTS, PLAN, number).to_pylist() == BATCH.slice(number, 1).to_pylist()


def test_customers_without_contracts_have_none() -> None:
    few = plan_of(ROWS | {"contracts": 3})
    sizes = [rows_of(CONTRACTS, few, first, min(first + 470, 4_512)).num_rows for first in range(0, 4_512, 470)]
    assert sum(sizes) == 3
    assert 0 in sizes


def test_growing_in_proportion_only_adds_rows() -> None:
    large = rows_of(CONTRACTS, plan_of({name: 2 * count for name, count in ROWS.items()}))
    assert large.take(pc.index_in(BATCH.column("id"), large.column("id"))).equals(BATCH)


def test_a_later_reference_changes_states_alone() -> None:
    later = {"reference_datetime": "2025-09-01T00:00:00Z", "anchor_datetime": "2025-01-01T00:00:00Z"}
    plan = plan_of(ROWS, **later)
    aged = tables_of(plan)
    rest = [name for name in BATCH.schema.names if name != "status"]
    assert aged["contracts"].select(rest).equals(TABLES["contracts"].select(rest))
    states = zip(BATCH["status"].to_pylist(), aged["contracts"]["status"].to_pylist(), strict=True)
    assert {pair for pair in states if pair[0] != pair[1]} == {("ACTIVE", "EXPIRED")}
    assert not offenders(aged, plan)


def test_loans_without_installments_have_contracts_too() -> None:
    plan = plan_of({name: count for name, count in ROWS.items() if name != "installments"})
    assert not any(CONTRACTS_SOUND.offenders(landed(plan, tables_of(plan))).values())


def offenders(tables: Tables, plan: Any = PLAN) -> Mapping[str, int]:
    """The aspects of both rules that some row breaks."""
    rules = (CONTRACTS_SOUND, CONTRACT_SCHEDULES)
    found = [rule.offenders(landed(plan, tables)) for rule in rules]
    return {name: count for aspects in found for name, count in aspects.items() if count}


def test_generated_rows_keep_the_rules() -> None:
    assert not offenders(TABLES)


def _contract(**values: Any) -> Fault:
    """Change columns of an active contract."""

    def plant(tables: Tables) -> Tables:
        return with_value(tables, "contracts", _active(tables), **values)

    return plant


def _loan(**values: Any) -> Fault:
    """Change columns of the loan of an active contract."""

    def plant(tables: Tables) -> Tables:
        wanted = tables["contracts"].column("loan_id")[_active(tables)].as_py()
        return with_value(tables, "loans", row_where(tables, "loans", lambda found: found["id"] == wanted), **values)

    return plant


def _body(write: Callable[[dict[str, Any]], bytes] = rfc8785.dumps, **members: Any) -> Fault:
    """Change members of an active contract's body, and its hash with it."""

    def plant(tables: Tables) -> Tables:
        row = _active(tables)
        body = write(json.loads(tables["contracts"].column("body")[row].as_py()) | members)
        digest = hashlib.sha256(body).hexdigest()
        return with_value(tables, "contracts", row, body=body.decode(), payload_hash=digest)

    return plant


def _active(tables: Tables) -> int:
    return row_where(tables, "contracts", lambda found: found["status"] == "ACTIVE")


def _payout() -> datetime:
    wanted = TABLES["contracts"].column("loan_id")[_active(TABLES)].as_py()
    row = row_where(TABLES, "loans", lambda found: found["id"] == wanted)
    return datetime.combine(TABLES["loans"].column("disbursed_on")[row].as_py(), datetime.min.time(), UTC)


def _copied(tables: Tables) -> Tables:
    """A second contract for a loan."""
    again = with_value({"contracts": tables["contracts"].slice(9, 1)}, "contracts", 0, id=b"\xff" * 16)
    return {**tables, "contracts": pa.concat_tables([tables["contracts"], again["contracts"]]).combine_chunks()}


FAULTS: dict[str, tuple[Fault, set[str]]] = {
    "bodies that break the schema": (_body(principal="12,00"), set()),
    "bodies not in canonical form": (_body(lambda document: json.dumps(document).encode()), set()),
    "hashes other than that of the body": (_contract(payload_hash="0" * 64), set()),
    "bodies of another number or template": (_body(number="CCB-2024-00000000123-8"), set()),
    "terms other than those of the loan": (_loan(iof=Decimal("1.23")), set()),
    "due dates other than those of the loan": (
        _body(first_due_on="2020-02-01"),
        {"first due dates other than the first installments"},
    ),
    "expiries other than the last due date": (
        _contract(expires_on=date(2020, 2, 1)),
        {"expiries other than the last installments"},
    ),
    "contracts in another state than their loan": (_contract(status="EXPIRED"), set()),
    "contracts signed after the payout": (_contract(signed_at=_payout() + timedelta(days=1)), set()),
    "contracts signed before the customer registered": (_contract(signed_at=datetime(1999, 1, 1, tzinfo=UTC)), set()),
    "loans with more than one contract": (_copied, set()),
    "first due dates other than the first installments": (
        _body(first_due_on="2020-02-01"),
        {"due dates other than those of the loan"},
    ),
    "last due dates other than the last installments": (
        _body(last_due_on="2020-02-01"),
        {"due dates other than those of the loan", "expiries other than the last due date"},
    ),
    "expiries other than the last installments": (
        _contract(expires_on=date(2020, 2, 1)),
        {"expiries other than the last due date"},
    ),
}


@pytest.mark.parametrize("aspect", FAULTS)
def test_a_planted_fault_is_the_one_that_is_found(aspect: str) -> None:
    plant, besides = FAULTS[aspect]
    assert offenders(plant(TABLES)) == dict.fromkeys({aspect} | besides, 1)


@pytest.mark.parametrize(
    "member",
    [
        {"amortization_system": "SAC"},
        {"principal": "1.00"},
        {"monthly_rate_pct": "99.00"},
        {"term": 999},
        {"iof": "0.00"},
        {"cet_yearly_pct": "0.01"},
    ],
    ids=lambda member: next(iter(member)),
)
def test_each_term_of_the_body_is_held_against_the_loan(member: dict[str, Any]) -> None:
    tables = _loan(amortization_system="PRICE")(TABLES)
    assert offenders(_body(**member)(tables)) == {"terms other than those of the loan": 1}


def test_a_day_of_signing_lasts_to_its_end() -> None:
    assert not offenders(_contract(signed_at=_payout() + timedelta(days=1, microseconds=-1))(TABLES))


def test_every_aspect_has_a_planted_fault() -> None:
    rules = (CONTRACTS_SOUND, CONTRACT_SCHEDULES)
    assert {name for rule in rules for name in rule.offenders(landed(PLAN, TABLES))} == set(FAULTS)
