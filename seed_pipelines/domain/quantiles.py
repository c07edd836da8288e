"""Skewed amounts from uniform words, by linear interpolation in integer quantile tables (exact on every machine)."""

import json
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SEGMENT_BITS: Final = 10
_FRACTION_BITS: Final = 30


def amounts(table: str, words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Amounts in cents distributed like `table` of the data file, one for each uniform 64-bit word."""
    quantiles = _tables()[table]
    segment = (words >> np.uint64(64 - _SEGMENT_BITS)).astype(np.intp)
    below = np.uint64(64 - _SEGMENT_BITS - _FRACTION_BITS)
    fraction = ((words >> below) & np.uint64((1 << _FRACTION_BITS) - 1)).astype(np.int64)
    low = quantiles[segment]
    return low + ((quantiles[segment + 1] - low) * fraction >> _FRACTION_BITS)


@cache
def _tables() -> dict[str, NDArray[np.int64]]:
    text = files("seed_pipelines.domain").joinpath("data/quantiles.v1.json").read_text(encoding="utf-8")
    return {name: np.asarray(table, dtype=np.int64) for name, table in json.loads(text).items()}
