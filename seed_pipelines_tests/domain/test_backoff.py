"""Backoff with the manifest's numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.backoff import delay_seconds
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
