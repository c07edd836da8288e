"""Backoff with the manifest's numbers."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.backoff import delay_seconds, retry_after_seconds, wait_seconds
from seed_pipelines_tests.worlds import manifest


def numbers(base: float, jitter: float, cap: float) -> dict[str, object]:
    return {"base_seconds": base, "jitter_factor": jitter, "max_retries": 3, "max_interval_seconds": cap}


def test_without_jitter_it_doubles_up_to_the_cap() -> None:
    backoff = manifest(backoff=numbers(1, 0, 5)).backoff
    assert [delay_seconds(backoff, attempt, "run") for attempt in range(5)] == [1, 2, 4, 5, 5]


@given(st.integers(0, 500), st.text(max_size=8))
def test_jitter_stays_within_its_share_and_under_the_cap(attempt: int, who: str) -> None:
    backoff = manifest(backoff=numbers(2, 0.25, 40)).backoff
    plain = min(40.0, 2.0 * 2.0 ** min(attempt, 60))
    assert plain * 0.75 <= delay_seconds(backoff, attempt, who) <= min(40.0, plain * 1.25)


def test_runs_wait_differently_and_each_the_same_way_again() -> None:
    backoff = manifest(backoff=numbers(10, 0.5, 100)).backoff
    waits = {delay_seconds(backoff, 0, f"run-{number}") for number in range(20)}
    assert len(waits) == 20
    assert delay_seconds(backoff, 0, "run-1") in waits


@pytest.mark.parametrize("attempt", [0, 1, 10])
def test_a_base_of_its_cap_never_grows(attempt: int) -> None:
    assert delay_seconds(manifest(backoff=numbers(7, 0, 7)).backoff, attempt, "run") == 7


NOW = datetime(1994, 11, 6, 8, 49, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 30),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 30),
        ("Sun Nov  6 08:49:37 1994", 30),
        ("Sun, 06 Nov 1994 08:49:00 GMT", 0),
        ("-1", None),
        ("1.5", None),
        ("\u0663", None),
        ("", None),
        ("soon", None),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_in_any_form_of_http(field: str, seconds: float | None) -> None:
    assert retry_after_seconds(field, NOW) == seconds


def test_the_longer_of_backoff_and_retry_after_is_waited() -> None:
    backoff = manifest(backoff=numbers(4, 0, 60)).backoff
    waits = [wait_seconds(backoff, 0, "run", asked) for asked in (None, 0.0, 3.0, 30.0, 60.0)]
    assert waits == [4, 4, 4, 30, 60]


def test_a_server_that_asks_for_more_than_the_manifest_allows_is_given_up() -> None:
    backoff = manifest(backoff=numbers(4, 0, 60)).backoff
    assert wait_seconds(backoff, 0, "run", 60.5) is None
    assert wait_seconds(backoff, 20, "run") == 60
