"""The numbers of a rate limit, without a database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.rate_limit import Cell

counts = st.integers(1, 10_000)


@given(counts, counts, counts)
def test_as_many_as_the_burst_fit_at_once_whatever_the_rounding(limit: int, window: int, burst: int) -> None:
    cell = Cell.of(limit, window, burst, 1)
    assert (cell.tolerance // cell.step, cell.tolerance % cell.step) == (burst, 0)
    assert window * 1_000_000 <= cell.interval * limit < window * 1_000_000 + limit
    for taken in range(0, burst + 1, max(1, burst // 50)):
        assert cell.decision(True, taken * cell.step).remaining == burst - taken


def test_a_refusal_says_when_the_request_would_fit() -> None:
    """10 in 60 s, 5 at once: one more after 6 s, three more after 18 s, the burst after 30 s."""
    full = 5 * 6_000_000
    one = Cell.of(10, 60, 5, 1).decision(False, full)
    assert (one.allowed, one.remaining, one.retry_after_seconds, one.reset_seconds) == (False, 0, 6, 30)
    assert Cell.of(10, 60, 5, 3).decision(False, full).retry_after_seconds == 18


@pytest.mark.parametrize("numbers", [(0, 60, 1, 1), (1, 0, 1, 1), (1, 60, 0, 1), (1, 60, 1, 0), (10, 60, 5, 6)])
def test_numbers_that_never_admit_are_refused(numbers: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="never admit"):
        Cell.of(*numbers)
