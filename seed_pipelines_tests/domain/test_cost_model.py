"""Prices and what work costs by them."""

import pickle
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.cost_model import COST_STEP, CostModel, CostModels, Prices, Work

PRICES = {"brl_per_thousand_rows": "0.02", "brl_per_thousand_requests": "0.04", "brl_per_gib_written": "0.25"}
NUMBERS = st.integers(0, 10**13)
AMOUNTS = st.decimals(0, 1000, places=9)


def model(**changes: str) -> CostModel:
    return CostModel("v1", Prices.model_validate({**PRICES, **changes}))


@pytest.mark.parametrize(
    ("work", "cost"),
    [
        (Work(), "0"),
        (Work(rows=1000), "0.02"),
        (Work(rows=1), "0.00002"),
        (Work(requests=3), "0.00012"),
        (Work(bytes_written=2**30), "0.25"),
        (Work(bytes_written=1), "0.000001"),
        (Work(440, 12, 20_000), "0.009285"),
        (Work(2_000_000_000, 1_000_000, 2**40), "40296"),
    ],
)
def test_work_has_its_price(work: Work, cost: str) -> None:
    """Reckoned by hand; what is left beyond a millionth of a real is rounded up."""
    assert model().cost(work) == Decimal(cost)


@given(NUMBERS, NUMBERS, NUMBERS, AMOUNTS, AMOUNTS, AMOUNTS)
def test_a_cost_is_exact_but_for_the_last_step(
    rows: int, requests: int, written: int, per_row: Decimal, per_request: Decimal, per_gib: Decimal
) -> None:
    """Never below the fraction that it stands for, and less than a millionth above it."""
    prices = Prices(brl_per_thousand_rows=per_row, brl_per_thousand_requests=per_request, brl_per_gib_written=per_gib)
    exact = (
        Fraction(per_row) * rows / 1000 + Fraction(per_request) * requests / 1000 + Fraction(per_gib) * written / 2**30
    )
    cost = CostModel("v1", prices).cost(Work(rows, requests, written))
    assert 0 <= Fraction(cost) - exact < Fraction(COST_STEP)


def test_work_adds_up() -> None:
    """Each kind by itself."""
    assert Work(1, 2, 3) + Work(10, 20, 30) == Work(11, 22, 33)


def test_the_newest_model_goes_without_saying() -> None:
    """A version that is not there is a KeyError."""
    packaged = CostModels.packaged()
    assert packaged.model() == packaged.model(packaged.newest) == CostModel("v1", Prices.model_validate(PRICES))
    with pytest.raises(KeyError):
        packaged.model("v0")


@pytest.mark.parametrize("price", [0.02, 1, "-1", "1e3", "NaN", "1,5", "", "\u0661", None, "0.0000000000001"])
def test_a_price_is_a_decimal_number_in_text(price: Any) -> None:
    """Numbers of JSON are refused, as a float would not say what was meant."""
    with pytest.raises(ValidationError):
        Prices.model_validate({**PRICES, "brl_per_thousand_rows": price})


def test_a_catalogue_can_bring_prices_of_its_own() -> None:
    """One that says nothing has the packaged ones; models are copied with it to other processes."""
    packaged = Catalogue.packaged()
    assert packaged.cost_models == CostModels.packaged()
    own = packaged.model_dump(mode="json") | {"cost_models": {"newest": "mine", "models": {"mine": PRICES}}}
    catalogue = Catalogue.model_validate(own)
    assert catalogue.cost_models.model().version == "mine"
    assert pickle.loads(pickle.dumps(catalogue)) == catalogue  # noqa: S301 # our own bytes


def test_the_newest_model_must_be_there() -> None:
    """A name without prices is refused."""
    with pytest.raises(ValidationError, match="newest"):
        CostModels.model_validate({"newest": "v2", "models": {"v1": PRICES}})
