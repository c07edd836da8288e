"""The retention of sealed reports."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.retention import MOST_DAYS, MOST_YEARS, Retention
from seed_pipelines.errors import RequestInvalid

moments = st.integers(0, 73_000 * 86_400).map(
    lambda second: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
)
retentions = st.builds(Retention, st.integers(30, MOST_DAYS), st.integers(5, MOST_YEARS))


@pytest.mark.parametrize(
    ("stored", "until"),
    [
        ("2026-11-24T14:17:44+00:00", "2031-12-24T14:17:44+00:00"),
        ("2026-12-31T23:59:59+00:00", "2032-01-30T23:59:59+00:00"),
        ("2027-02-15T00:00:00+00:00", "2032-03-17T00:00:00+00:00"),
        ("2028-01-29T12:00:00+00:00", "2033-02-28T12:00:00+00:00"),
        ("2028-01-30T12:00:00+00:00", "2033-03-01T12:00:00+00:00"),
        ("2028-01-31T12:00:00+00:00", "2033-03-01T12:00:00+00:00"),
    ],
)
def test_thirty_days_come_first_and_five_calendar_years_follow(stored: str, until: str) -> None:
    """Over the end of a year, over leap days, and from a 29th of February to a year without one."""
    assert Retention().until(datetime.fromisoformat(stored)) == datetime.fromisoformat(until)


def test_it_is_no_fixed_number_of_days() -> None:
    """1,855 days would be one or two short."""
    ahead = {
        (Retention().until(moment) - moment).days
        for moment in (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(1_500))
    }
    assert ahead == {1_856, 1_857}


@given(moments, moments, retentions)
def test_what_is_stored_later_is_retained_no_shorter(one: datetime, other: datetime, retention: Retention) -> None:
    """A lock for a later moment satisfies an earlier one."""
    earlier, later = sorted((one, other))
    assert retention.until(earlier) <= retention.until(later)


@given(moments, retentions)
def test_no_leap_day_makes_it_longer_than_the_longest(stored: datetime, retention: Retention) -> None:
    """And it is at most two days shorter than that for five years."""
    ahead = retention.until(stored) - stored
    assert ahead <= retention.longest
    assert ahead >= timedelta(days=retention.days + 365 * retention.years)


@pytest.mark.parametrize(
    ("days", "years"), [(29, 5), (30, 4), (0, 6), (-1, 5), (MOST_DAYS + 1, 5), (30, MOST_YEARS + 1)]
)
def test_it_can_be_lengthened_only(days: int, years: int) -> None:
    """Each of the two on its own: 6 years do not make up for the 30 days."""
    with pytest.raises(RequestInvalid, match="cannot be retained"):
        Retention(days, years)
    assert Retention(31, 6).until(datetime(2026, 1, 1, tzinfo=UTC)) == datetime(2032, 2, 1, tzinfo=UTC)
