"""Daily starts, spread over the first part of a window."""

from collections import Counter
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from seed_pipelines.domain.daily_start import cron, daily_start, delay, spread
from seed_pipelines.domain.window import Window, contains, length

IDENTITY = ("staging", "tenant-a", "default")
minutes = st.builds(time, st.integers(0, 23), st.integers(0, 59))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (time(0), time(6), 60),
        (time(0), time(4), 60),
        (time(22), time(1), 45),
        (time(1), time(2), 15),
        (time(23, 59), time(0, 2), 1),
    ],
)
def test_starts_are_spread_over_a_quarter_and_an_hour_at_most(start: time, end: time, expected: int) -> None:
    """In whole minutes, also where the window crosses midnight, and never over less than one."""
    assert spread(Window(start_utc=start, end_utc=end)) == timedelta(minutes=expected)


@given(minutes, minutes, st.tuples(st.text(), st.text(), st.text()))
def test_a_start_is_inside_the_window(start: time, end: time, identity: tuple[str, str, str]) -> None:
    """In its first part, whatever the window and the identity."""
    assume(start != end)
    window = Window(start_utc=start, end_utc=end)
    moment = datetime.combine(datetime(2025, 1, 1, tzinfo=UTC), daily_start(window, identity), UTC)
    assert contains(window, moment)
    assert timedelta(0) <= delay(window, identity) < max(timedelta(minutes=1), length(window) / 4)


def test_a_window_that_opens_before_midnight_may_start_after_it() -> None:
    """The start is that of the next day then."""
    window = Window(start_utc=time(23, 50), end_utc=time(3, 50))
    starts = {daily_start(window, ("staging", f"tenant-{number}", "default")) for number in range(200)}
    assert {start.hour for start in starts} == {23, 0}


def test_the_start_of_an_identity_never_changes() -> None:
    """On any machine, in any process."""
    window = Window(start_utc=time(0), end_utc=time(6))
    assert daily_start(window, IDENTITY) == time(0, 2)
    assert daily_start(window, ("staging", "tenant-b", "default")) == time(0, 43)


def test_many_tenants_do_not_start_together() -> None:
    """Six hundred over sixty minutes: every minute is used, none by more than three times its share."""
    window = Window(start_utc=time(0), end_utc=time(6))
    starts = Counter(daily_start(window, ("staging", f"tenant-{number}", "default")) for number in range(600))
    assert len(starts) == 60
    assert max(starts.values()) <= 30


def test_a_moment_as_cron() -> None:
    """Minute, hour, every day."""
    assert cron(time(23, 5)) == "5 23 * * *"
