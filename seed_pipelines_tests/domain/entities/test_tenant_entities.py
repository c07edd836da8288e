"""The rows of the tenant itself: users, consultants, categories, suppliers."""

from datetime import timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pytest
from stdnum.br import cnpj, cpf

from seed_pipelines.domain import dataset as dataset_module
from seed_pipelines.domain.brazil.names import EMAIL_DOMAINS
from seed_pipelines.domain.catalogue import SLICES
from seed_pipelines.domain.children import one_each
from seed_pipelines.domain.entities import BY_NAME, ENTITIES
from seed_pipelines.domain.entities.entity import tenant_ids
from seed_pipelines.domain.entities.suppliers import Suppliers
from seed_pipelines.domain.plan import Plan
from seed_pipelines_tests.domain.entities.families import LIMITS, generated, masker, plan_of
from seed_pipelines_tests.worlds import manifest

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


@pytest.mark.parametrize("name", NAMES)
def test_ids_outlive_a_version_of_the_generator(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of shards that are replaced later still refer to them; what the rows hold may change."""
    monkeypatch.setattr(dataset_module, "GENERATOR_VERSION", "next")
    theirs = generated(plan_of(100, name))
    assert theirs[name].column("id").equals(TABLES[name].column("id"))
    assert not theirs["customers"].column("id").equals(generated(PLAN)["customers"].column("id"))


@pytest.mark.parametrize("name", NAMES)
def test_others_find_the_ids_by_number(name: str) -> None:
    numbers = np.array([7, 0, PLAN.rows[name] - 1], dtype=np.uint64)
    found = tenant_ids(PLAN.portfolio, name, numbers).to_pylist()
    assert found == TABLES[name].column("id").take(pa.array(numbers)).to_pylist()


def test_the_last_supplier_that_fits_a_slice_has_a_root_of_its_own() -> None:
    """At the end of the last profile's slice there are roots left, of either kind; one row more is refused."""
    last = LIMITS.model_copy(update={"profiles": {"default": SLICES - 1}})
    plan, most = Plan.of(manifest(in_catalogue=last), last), Suppliers.most_rows
    codes = Suppliers().draw(plan.portfolio, one_each(most - 300, most))
    assert len(np.unique(codes["numeric_root"])) == len(np.unique(codes["alphanumeric_rest"])) == 300
    with pytest.raises(ValueError, match="do not suffice"):
        Suppliers().draw(plan.portfolio, one_each(most, most + 1))


def test_the_first_user_is_an_active_administrator() -> None:
    assert (USERS["role"][0], USERS["status"][0]) == ("ADMIN", "ACTIVE")
    assert set(USERS["role"]) == {"ADMIN", "MANAGER", "ANALYST", "AUDITOR"}
    assert (USERS["status"] == "ACTIVE").mean() > 0.85


def test_consultants_have_cpfs_that_an_independent_validator_accepts() -> None:
    assert all(map(cpf.is_valid, CONSULTANTS["document_number"]))
    assert CONSULTANTS["commission_pct"].between(0.5, 3.5).all()
    assert CONSULTANTS["hired_on"].max() < PLAN.manifest.anchor_datetime.date() - timedelta(days=12 * 365)


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
