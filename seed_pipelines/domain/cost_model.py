"""What work costs: versioned prices in reais for rows, requests and bytes, in decimal arithmetic throughout."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from functools import cache
from importlib.resources import files
from typing import Annotated, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from seed_pipelines.domain.frozen_mapping import Frozen

COST_STEP: Final = Decimal("0.000001")
"""Costs are whole millionths of a real."""

_PACKAGED: Final = "data/cost-models.v1.json"
_EXACT: Final = Context(prec=200)
"""Wide enough that no product, sum or division by a power of two is rounded before the last step."""
_GIB: Final = Decimal(2**30)


def _from_text(value: object) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not value.replace(".", "", 1).isdecimal() or not value.isascii():
        raise ValueError('a price is a decimal number as text, such as "0.02"')
    return Decimal(value)


_Price = Annotated[Decimal, BeforeValidator(_from_text), Field(ge=0, max_digits=30, decimal_places=12)]


@dataclass(frozen=True)
class Work:
    """What is paid for."""

    rows: int = 0
    """Rows generated or loaded: one that is generated and then loaded counts twice."""
    requests: int = 0
    """Requests to Vault, to the bucket of the Parquet files and to stubs."""
    bytes_written: int = 0
    """Bytes of Parquet files."""

    def __add__(self, other: "Work") -> "Work":
        return Work(self.rows + other.rows, self.requests + other.requests, self.bytes_written + other.bytes_written)


class Prices(BaseModel):
    """The prices of one version, in reais."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    brl_per_thousand_rows: _Price
    brl_per_thousand_requests: _Price
    brl_per_gib_written: _Price


@dataclass(frozen=True)
class CostModel:
    """One version of the prices."""

    version: str
    prices: Prices

    def cost(self, work: Work) -> Decimal:
        """What work costs in reais, rounded up to the millionth."""
        thousands = Decimal(1000)
        parts = (
            _EXACT.divide(_EXACT.multiply(self.prices.brl_per_thousand_rows, Decimal(work.rows)), thousands),
            _EXACT.divide(_EXACT.multiply(self.prices.brl_per_thousand_requests, Decimal(work.requests)), thousands),
            _EXACT.divide(_EXACT.multiply(self.prices.brl_per_gib_written, Decimal(work.bytes_written)), _GIB),
        )
        total = Decimal(0)
        for part in parts:
            total = _EXACT.add(total, part)
        return total.quantize(COST_STEP, rounding=ROUND_CEILING, context=_EXACT)


class CostModels(BaseModel):
    """Every version of the prices that a manifest may name."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    basis: str = ""
    """Where the prices come from, for people."""
    newest: str
    """The version of manifests that name none."""
    models: Frozen[Prices]
    """Version -> prices."""

    @classmethod
    def packaged(cls) -> "CostModels":
        """The versions that come with the program."""
        return _packaged()

    def model(self, version: str | None = None) -> CostModel:
        """The prices of a version, or the newest ones; KeyError if there is no such version."""
        chosen = self.newest if version is None else version
        return CostModel(chosen, self.models[chosen])

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.newest not in self.models:
            raise ValueError("newest is none of the models")
        return self


@cache
def _packaged() -> CostModels:
    return CostModels.model_validate_json(files("seed_pipelines.domain").joinpath(_PACKAGED).read_bytes())
