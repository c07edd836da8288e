"""Percentages that claim no more than they may: rounded down, and none of nothing."""

from decimal import ROUND_FLOOR, Decimal
from typing import Final

_STEP: Final = Decimal("0.01")


def percent(part: Decimal | int, whole: Decimal | int) -> float | None:
    """`part` of `whole` in percent, rounded down to two decimals, so that 100 is all of it; None if `whole` is 0."""
    if not whole:
        return None
    return float((Decimal(100) * part / whole).quantize(_STEP, rounding=ROUND_FLOOR))
