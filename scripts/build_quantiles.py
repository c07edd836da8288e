"""Write the quantile tables of the skewed money columns: `python scripts/build_quantiles.py`.

The tables are integers in a data file, so that no run depends on the floating-point library of its machine. Shapes are
log-normal; medians and spreads are chosen by hand to look like retail banking in Brazil, not taken from anybody's data.
"""

import json
from math import exp, log
from pathlib import Path
from statistics import NormalDist

TARGET = Path(__file__).parents[1] / "seed_pipelines" / "domain" / "data" / "quantiles.v1.json"
STEPS = 1024
"""Segments of each table; a draw interpolates linearly within one."""


def log_normal(median_brl: float, sigma: float, low_brl: float, high_brl: float) -> list[int]:
    """1,025 quantiles in cents of a log-normal distribution, clipped to [low, high]."""
    normal = NormalDist(log(median_brl), sigma)
    inner = [exp(normal.inv_cdf(step / STEPS)) for step in range(1, STEPS)]
    return [round(100 * min(max(value, low_brl), high_brl)) for value in [low_brl, *inner, high_brl]]


def account_balance() -> list[int]:
    """Overdrawn accounts (7%), empty ones (5%), and a log-normal rest, in cents."""
    overdrawn, empty = int(STEPS * 0.07), int(STEPS * 0.05)
    debts = [-value for value in reversed(log_normal(320, 1.1, 0.01, 5_000))]
    savings = log_normal(1_150, 1.9, 0.01, 950_000)
    picked = [debts[round(step * STEPS / overdrawn)] for step in range(overdrawn)]
    rest = STEPS + 1 - overdrawn - empty
    return picked + [0] * empty + [savings[round(step * STEPS / (rest - 1))] for step in range(rest)]


def main() -> None:
    """Write the data file."""
    tables = {
        "monthly_income": log_normal(2_900, 0.72, 1_518, 85_000),
        "account_balance": account_balance(),
    }
    lines = [f'  "{name}": {json.dumps(table)}' for name, table in tables.items()]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
