"""What every entity keeps, and what the values of customers and accounts look like."""

import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest
from stdnum.br import cpf

from seed_pipelines.domain.brazil.names import EMAIL_DOMAINS
from seed_pipelines.domain.digest import block_leaves, merkle_root
from seed_pipelines.domain.entities import BY_NAME, ENTITIES, Entity
from seed_pipelines.domain.masking import Masker, MaskingKeys, fields_of
from seed_pipelines.domain.plan import Plan
from seed_pipelines_tests.fakes import FakeKeys
from seed_pipelines_tests.worlds import REFERENCE, catalogue, manifest, manifest_of_every_entity

CUSTOMERS = 20_000
ACCOUNTS = 24_000
LIMITS = catalogue()
PLAN = Plan.of(manifest_of_every_entity(CUSTOMERS, in_catalogue=LIMITS), LIMITS)


def masker(environment: str = "staging") -> Masker:
    names = ("tenant-a", environment, "v1")
    return Masker(MaskingKeys(*names, FakeKeys().masking_keys(*names, fields_of(ENTITIES))))


def frame(entity: Entity, plan: Plan = PLAN, end: int = CUSTOMERS) -> pd.DataFrame:
    rows: pd.DataFrame = masker().batch(entity, plan.portfolio, plan.entity_rows(entity, 0, end)).records.to_pandas()
    return rows


CUSTOMER, ACCOUNT = BY_NAME["customers"], BY_NAME["bank_accounts"]
CUSTOMER_ROWS, ACCOUNT_ROWS = frame(CUSTOMER), frame(ACCOUNT)

GOLDEN = {
    "tenant_users": "2f2f6696a2f0ec5227603d4d3b4b3044956f5d6228cddd42102bee503adc95ed",
    "customers": "c1dcb1761cc5e69b1835b10fd65272f32634b5c398ec553d89941d15bfcc817b",
    "addresses": "113a42e916cb6720370c37d213a7922838ac73cb1280533405804bfafe22dced",
    "consultants": "24ca9560b3844aec1cfa873b574b771538edf20796045223acadcae179edbbcd",
    "bank_accounts": "bed6ff61cc4e235a1cfc68f3ce4609917961ab6838b686295c7c25cc1bafbf17",
    "account_categories": "8abd7129d433092df4ff195d8e93a74ef4bd0e38e192a3472af45f47fd77f7c6",
    "suppliers": "2cfab0a2a381c1393bac48e2eec178ab50cc197bcacd4d5ca5180887b6618608",
    "loans": "040e6512f0dd10e0ed4176a93b513945cb7827f5c596baaec76db8a1d53eeced",
    "installments": "6a28485bbf9cbe85d106e84eec1efdefbf87dead61cf0d468cc44824d064a7c9",
    "financial_transactions": "398da6141e3798326267176d1345cc9845fabb6a766871c10f0a547ef16fcd2f",
    "limits": "9a8c7a630cde9376a846d76ade88e3a0f88439cbc9a31da626fe44d27b49f94c",
    "contracts": "acb7e821d2f8b5b55f0cf35ecb0f0026210932ef960552218fd13822d34a5d25",
}
"""Merkle roots of the plan above under the fakes' key. Another value here means other bytes for every manifest: raise the
generator's version with it."""


def test_blocks_without_rows_are_no_trouble() -> None:
    """Three rows of everything on twenty thousand customers: most of them have none."""
    volumetry = {entity.name: {"cap": 3} for entity in ENTITIES} | {"customers": {"cap": CUSTOMERS}}
    sparse = Plan.of(manifest(in_catalogue=LIMITS, volumetry=volumetry), LIMITS)
    for entity in sparse.entities:
        if not entity.of_tenant:
            made = [len(frame(entity, sparse, 0)), *(len(frame(entity, sparse, end)) for end in (16, CUSTOMERS))]
            assert made[0] == 0
            assert made[2] == sparse.rows[entity.name]


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_the_bytes_are_the_golden_ones(entity: Entity) -> None:
    rows = masker().batch(entity, PLAN.portfolio, PLAN.entity_rows(entity, 0, CUSTOMERS)).records
    root = merkle_root(block_leaves(entity.name, entity.schema, [rows], 0, CUSTOMERS))
    assert root == GOLDEN[entity.name]


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
@pytest.mark.parametrize(("first", "end"), [(0, 1), (4095, 4097), (16_384, CUSTOMERS), (7, 8)])
def test_any_rows_made_alone_are_those_of_the_whole(entity: Entity, first: int, end: int) -> None:
    alone = masker().batch(entity, PLAN.portfolio, PLAN.entity_rows(entity, first, end)).records
    whole = masker().batch(entity, PLAN.portfolio, PLAN.entity_rows(entity, 0, CUSTOMERS)).records
    position = pc.index_in(alone.column("id"), whole.column("id"))
    assert alone.equals(whole.take(position))


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_raising_the_caps_in_proportion_only_adds_rows(entity: Entity) -> None:
    larger = Plan.of(manifest_of_every_entity(2 * CUSTOMERS, in_catalogue=LIMITS), LIMITS)
    small, large = (
        masker().batch(entity, plan.portfolio, plan.entity_rows(entity, 0, plan.rows["customers"])).records.to_pylist()
        for plan in (PLAN, larger)
    )
    by_id = {row["id"]: row for row in large}
    assert all(by_id[row["id"]] == row for row in small)


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_rows_are_valid_unique_and_in_id_order(entity: Entity) -> None:
    batch = masker().batch(entity, PLAN.portfolio, PLAN.entity_rows(entity, 0, CUSTOMERS)).records
    rows = batch.to_pandas()
    assert not any(entity.invalid_values(batch).values())
    assert rows["id"].is_monotonic_increasing
    for key in (("id",), *entity.unique):
        assert not rows.duplicated(list(key)).any()


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
@pytest.mark.parametrize("column", ["tenant", "environment", "profile", "salt_version"])
def test_another_dataset_has_other_values(entity: Entity, column: str) -> None:
    other = {"tenant": "tenant-b", "environment": "dev", "profile": "smoke", "salt_version": "v2"}[column]
    metadata = manifest().metadata.model_dump() | {column: other}
    plan = Plan.of(manifest_of_every_entity(in_catalogue=LIMITS, metadata=metadata), LIMITS)
    theirs, ours = frame(entity, plan, 100), frame(entity, end=100)
    assert not set(theirs["id"]) & set(ours["id"])
    for *_, name in entity.unique[:1]:
        if name in entity.pii_columns:
            assert not set(theirs[name]) & set(ours[name])


def test_profiles_of_a_tenant_share_no_unique_value() -> None:
    metadata = manifest().metadata.model_dump() | {"profile": "smoke"}
    other = frame(CUSTOMER, Plan.of(manifest(CUSTOMERS, 1, in_catalogue=LIMITS, metadata=metadata), LIMITS))
    assert not set(other["document_number"]) & set(CUSTOMER_ROWS["document_number"])
    assert not set(other["email"]) & set(CUSTOMER_ROWS["email"])


def test_cpfs_satisfy_an_independent_validator() -> None:
    assert all(map(cpf.is_valid, CUSTOMER_ROWS["document_number"]))
    assert not any(len(set(number)) == 1 for number in CUSTOMER_ROWS["document_number"])


def test_customers_are_of_age_before_they_become_customers() -> None:
    reference = REFERENCE.date()
    latest = date(reference.year - 18, reference.month, reference.day)
    assert CUSTOMER_ROWS["birth_date"].max() <= latest
    assert CUSTOMER_ROWS["birth_date"].min() > date(reference.year - 100, 1, 1)
    for born, registered in zip(CUSTOMER_ROWS["birth_date"], CUSTOMER_ROWS["registered_at"], strict=True):
        assert registered.date() >= born.replace(year=born.year + 18, day=min(born.day, 28))
    assert CUSTOMER_ROWS["registered_at"].max() < REFERENCE


def test_ages_are_those_of_a_bank() -> None:
    ages = CUSTOMER_ROWS["birth_date"].map(lambda born: (REFERENCE.date() - born).days / 365.25)
    assert 33 < ages.median() < 45
    assert ((ages > 70).mean()) < 0.1


def test_emails_are_made_from_the_masked_name_and_reach_nobody() -> None:
    local, domain = zip(*(address.split("@") for address in CUSTOMER_ROWS["email"]), strict=True)
    assert set(domain) == set(EMAIL_DOMAINS)
    for part, name in zip(local, CUSTOMER_ROWS["full_name"], strict=True):
        assert part.startswith(ascii_only(name.split()[0]))
        assert part.isascii()


def test_statuses_have_sensible_shares() -> None:
    shares = CUSTOMER_ROWS["status"].value_counts(normalize=True)
    assert shares["ACTIVE"] > 0.8
    assert set(shares.index) == {"ACTIVE", "BLOCKED", "DELINQUENT", "CANCELED"}


def test_money_is_skewed_and_never_below_its_floor() -> None:
    income, balance = (rows.map(float) for rows in (CUSTOMER_ROWS["monthly_income"], ACCOUNT_ROWS["balance"]))
    assert CUSTOMER_ROWS["monthly_income"].min() >= Decimal("1518.00")
    assert income.mean() > 1.15 * income.median()
    assert balance.mean() > 3 * balance.median() > 0
    assert 0.04 < (balance < 0).mean() < 0.1


def test_every_account_belongs_to_a_customer_and_follows_it() -> None:
    joined = ACCOUNT_ROWS.merge(CUSTOMER_ROWS, left_on="customer_id", right_on="id", suffixes=("", "_owner"))
    assert len(joined) == ACCOUNTS
    assert (joined["opened_at"] >= joined["registered_at"]).all()
    gone = joined[joined["status_owner"].isin(["BLOCKED", "CANCELED"])]
    assert set(gone["status"]) == {"BLOCKED"}
    assert (joined[joined["status_owner"] == "CANCELED"]["balance"] == 0).all()


def test_only_the_reference_datetime_moves_and_people_stay() -> None:
    changes = {"reference_datetime": "2025-07-01T00:00:00Z", "anchor_datetime": "2025-01-01T00:00:00Z"}
    later = frame(CUSTOMER, Plan.of(manifest(CUSTOMERS, ACCOUNTS, in_catalogue=LIMITS, **changes), LIMITS))
    assert later.equals(CUSTOMER_ROWS)


def test_leap_day_anchors_keep_everybody_of_age() -> None:
    changes: dict[str, Any] = {"reference_datetime": "2024-02-29T12:00:00Z"}
    rows = frame(CUSTOMER, Plan.of(manifest(CUSTOMERS, 1, in_catalogue=LIMITS, **changes), LIMITS))
    assert rows["birth_date"].max() <= date(2006, 2, 28)
    assert rows["registered_at"].max() < datetime(2024, 2, 29, 12, tzinfo=UTC)


def ascii_only(word: str) -> str:
    return unicodedata.normalize("NFKD", word.lower()).encode("ascii", "ignore").decode()


def test_phones_have_area_codes_of_every_region() -> None:
    areas = CUSTOMER_ROWS["phone"].str[3:5]
    assert areas.nunique() > 60
    assert np.isclose((areas == "11").mean(), 0.11, atol=0.06)
