"""The rows of the tenant itself: users, consultants, categories, suppliers."""

from typing import Any, Final

import pytest
from stdnum.br import cnpj, cpf

from seed_pipelines.domain.brazil.names import EMAIL_DOMAINS
from seed_pipelines.domain.entities import BY_NAME, ENTITIES
from seed_pipelines_tests.domain.entities.families import generated, masker, plan_of

NAMES: Final = tuple(entity.name for entity in ENTITIES if entity.of_tenant)
PLAN: Final = plan_of(100, *NAMES)
TABLES: Final = generated(PLAN)
USERS, CONSULTANTS, CATEGORIES, SUPPLIERS = (TABLES[name].to_pandas() for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_valid_unique_and_in_id_order(name: str) -> None:
    entity, rows = BY_NAME[name], TABLES[name].to_pandas()
    assert not any(entity.invalid_values(TABLES[name]).values())
    assert rows["id"].is_monotonic_increasing
    for key in (("id",), *entity.unique):
        assert not rows.duplicated(list(key)).any()


@pytest.mark.parametrize("name", NAMES)
def test_a_row_made_alone_is_that_of_the_whole(name: str) -> None:
    entity = BY_NAME[name]
    for number in (0, 7, PLAN.rows[name] - 1):
        alone = masker().batch(entity, PLAN.portfolio, PLAN.numbered_row(entity, number)).records
        assert alone.to_pylist() == TABLES[name].slice(number, 1).to_pylist()


@pytest.mark.parametrize("name", NAMES)
def test_more_rows_only_append(name: str) -> None:
    assert generated(plan_of(200, name))[name].slice(0, PLAN.rows[name]).equals(TABLES[name])


@pytest.mark.parametrize("name", NAMES)
def test_profiles_of_a_tenant_share_no_unique_value(name: str) -> None:
    metadata: dict[str, Any] = PLAN.manifest.metadata.model_dump() | {"profile": "smoke"}
    other = generated(plan_of(100, name, metadata=metadata))[name].to_pandas()
    for column in (*BY_NAME[name].unique, ("id",)):
        assert not set(other[column[0]]) & set(TABLES[name].to_pandas()[column[0]])


def test_the_first_user_is_an_active_administrator() -> None:
    assert (USERS["role"][0], USERS["status"][0]) == ("ADMIN", "ACTIVE")
    assert set(USERS["role"]) == {"ADMIN", "MANAGER", "ANALYST", "AUDITOR"}
    assert (USERS["status"] == "ACTIVE").mean() > 0.85


def test_consultants_have_cpfs_that_an_independent_validator_accepts() -> None:
    assert all(map(cpf.is_valid, CONSULTANTS["document_number"]))
    assert CONSULTANTS["commission_pct"].between(0.5, 3.5).all()
    assert CONSULTANTS["hired_on"].max() < PLAN.manifest.anchor_datetime.date()


def test_categories_of_both_types_take_turns_and_never_share_a_name() -> None:
    assert CATEGORIES["type"].tolist() == ["EXPENSE", "INCOME"] * (len(CATEGORIES) // 2)
    assert not CATEGORIES.duplicated(["type", "name"]).any()
    assert CATEGORIES["name"][:2].tolist() == ["Empréstimos e financiamentos", "Salário"]


def test_suppliers_have_numeric_and_alphanumeric_cnpjs_that_an_independent_validator_accepts() -> None:
    assert all(map(cnpj.is_valid, SUPPLIERS["document_number"]))
    assert (~SUPPLIERS["document_number"].str.isdigit()).mean() == pytest.approx(1 / 3, abs=0.01)
    assert SUPPLIERS["document_number"].str[8:12].unique().tolist() == ["0001"]
    assert set(SUPPLIERS["email"].str.split("@").str[1]) <= set(EMAIL_DOMAINS)


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("tenant_users", "role", "OWNER"),
        ("consultants", "document_number", "11111111111"),
        ("account_categories", "type", "INCOME"),
        ("suppliers", "document_number", "12ABC34501DE36"),
        ("suppliers", "phone", "+55119876543210"),
        ("suppliers", "email", "ana@real-bank.com.br"),
    ],
)
def test_a_value_that_breaks_a_format_is_counted(name: str, column: str, value: str) -> None:
    rows = TABLES[name].to_pylist()
    rows[0][column] = value
    changed = type(TABLES[name]).from_pylist(rows, BY_NAME[name].schema)
    assert sum(BY_NAME[name].invalid_values(changed).values()) == 1
