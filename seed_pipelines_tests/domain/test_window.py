"""Off-peak windows in UTC."""

from datetime import UTC, datetime, time, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from seed_pipelines.domain.window import Window, contains, last_opening, length, next_opening, remaining

NIGHT = Window(start_utc=time(22), end_utc=time(5))
MORNING = Window(start_utc=time(0), end_utc=time(6))


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    """A moment of an ordinary day."""
    return datetime(2025, 1, 1, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "now", "is_open", "left", "opening"),
    [
        (MORNING, at(0), True, timedelta(hours=6), at(0) + timedelta(days=1)),
        (MORNING, at(5, 59, 59), True, timedelta(seconds=1), at(0) + timedelta(days=1)),
        (MORNING, at(6), False, timedelta(0), at(0) + timedelta(days=1)),
        (NIGHT, at(21, 59, 59), False, timedelta(0), at(22)),
        (NIGHT, at(22), True, timedelta(hours=7), at(22) + timedelta(days=1)),
        (NIGHT, at(4), True, timedelta(hours=1), at(22)),
        (NIGHT, at(5), False, timedelta(0), at(22)),
    ],
)
def test_the_start_is_inside_and_the_end_outside(
    window: Window, now: datetime, is_open: bool, left: timedelta, opening: datetime
) -> None:
    """A window that ends before it starts goes on after midnight."""
    assert contains(window, now) is is_open
    assert remaining(window, now) == left
    assert next_opening(window, now) == opening


def test_other_time_zones_are_converted() -> None:
    """03:00 in Brasília is 06:00 in UTC."""
    assert not contains(MORNING, at(3).replace(tzinfo=timezone(timedelta(hours=-3))))
    assert contains(MORNING, at(2).replace(tzinfo=timezone(timedelta(hours=-3))))


minutes = st.builds(time, st.integers(0, 23), st.integers(0, 59))
moments = st.timedeltas(timedelta(0), timedelta(days=30_000)).map(lambda age: datetime(2001, 1, 1, tzinfo=UTC) + age)


@given(minutes, minutes, moments)
def test_a_window_is_open_until_what_remains_is_over(start: time, end: time, now: datetime) -> None:
    """Open for exactly `remaining`, then closed; closed until `next_opening`, then open."""
    assume(start != end)
    window = Window(start_utc=start, end_utc=end)
    opening, left = next_opening(window, now), remaining(window, now)
    instant = timedelta(microseconds=1)
    assert now < opening <= now + timedelta(days=1)
    assert contains(window, opening)
    assert not contains(window, opening - instant)
    assert contains(window, now) == (left > timedelta(0))
    assert last_opening(window, now) <= now < last_opening(window, now) + timedelta(days=1)
    assert contains(window, now) == (now < last_opening(window, now) + length(window))
    if left:
        assert contains(window, now + left - instant)
        assert not contains(window, now + left)


@given(minutes, minutes, moments)
def test_a_window_and_its_complement_share_out_the_day(start: time, end: time, now: datetime) -> None:
    """At every moment exactly one of them is open."""
    assume(start != end)
    inside = Window(start_utc=start, end_utc=end)
    assert contains(inside, now) != contains(Window(start_utc=end, end_utc=start), now)
