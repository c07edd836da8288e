"""How many requests, how fast, and how many in vain."""

from decimal import Decimal

import pytest

from seed_pipelines.domain.service_levels import ErrorBudget, IntegrationUse, measured, percentile, totals


def use(integration: str = "kyc", shard: str = "0000", **changes: object) -> IntegrationUse:
    counted = {"requests": 4, "failed": 1, "refused": 1, "held_back": 2, "waited_seconds": 0.5, "elapsed_seconds": 2.0}
    return IntegrationUse(integration, shard, **counted | {"latencies_ms": (1.0, 3.0), "outcomes": {"A": 2}} | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ((), 95, None),
        ((7.0,), 1, 7.0),
        ((15.0, 20.0, 35.0, 40.0, 50.0), 30, 20.0),
        ((15.0, 20.0, 35.0, 40.0, 50.0), 40, 20.0),
        ((50.0, 40.0, 35.0, 20.0, 15.0), 100, 50.0),
        (tuple(map(float, range(1, 101))), 95, 95.0),
        (tuple(map(float, range(1, 101))), 99, 99.0),
    ],
)
def test_percentiles_are_of_the_nearest_rank(values: tuple[float, ...], share: int, expected: float | None) -> None:
    """With the worked example of the nearest-rank method in Wikipedia's article on percentiles."""
    assert percentile(values, share) == expected


def test_uses_are_added_up_by_system() -> None:
    first, second = totals(
        [use(), use("antifraude"), use(shard="0001", outcomes={"A": 1, "B": 1}, latencies_ms=(9.0,))]
    )
    assert (first.integration, second.integration) == ("kyc", "antifraude")
    assert (first.requests, first.failed, first.refused, first.held_back) == (8, 2, 2, 4)
    assert first.latencies_ms == (1.0, 3.0, 9.0)
    assert first.outcomes == {"A": 3, "B": 1}
    assert first.waited_seconds == 1.0


def test_what_was_measured_is_of_all_systems_together() -> None:
    found = measured([use(), use("antifraude", latencies_ms=(100.0,))])
    assert found is not None
    assert (found.requests, found.failed, found.p95_ms, found.throughput_rps) == (8, 2, 100.0, 2.0)


def test_nothing_is_measured_without_a_request() -> None:
    assert measured([]) is None
    assert measured([use(requests=0, failed=0)]) is None


def test_requests_without_any_answer_have_no_percentiles() -> None:
    found = measured([use(requests=1, latencies_ms=())])
    assert found is not None
    assert (found.p95_ms, found.p99_ms) == (None, None)


@pytest.mark.parametrize(
    ("pct", "planned", "failed", "nearly", "spent"),
    [
        ("1", 100, 0, False, False),
        ("1", 100, 1, True, False),
        ("1", 100, 2, True, True),
        ("10", 100, 7, False, False),
        ("10", 100, 8, True, False),
        ("10", 100, 10, True, False),
        ("10", 100, 11, True, True),
        ("0", 100, 0, False, False),
        ("0", 100, 1, True, True),
        ("0.5", 40, 1, True, True),
    ],
)
def test_an_error_budget_is_spent_by_one_more_than_may_fail(
    pct: str, planned: int, failed: int, nearly: bool, spent: bool
) -> None:
    budget = ErrorBudget(Decimal(pct), planned)
    assert (budget.is_nearly_spent(failed), budget.is_spent(failed)) == (nearly, spent)
