"""The load tests' scripts, for a second each: what they check of the answers holds, and they find what does not."""

from typing import Any

import pytest

from seed_pipelines_tests.e2e.api.server import TENANT_A, VALIDATE, Served, allowances_of_its_own, served
from seed_pipelines_tests.e2e.conftest import RunningStack
from seed_pipelines_tests.load import k6

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

BRIEF = k6.Load(users=2, seconds=1)


@pytest.mark.parametrize("script", ["validate.js", "seed_runs.js", "throughput.js"])
def test_every_check_of_a_script_holds(api: Served, manifest: dict[str, Any], script: str) -> None:
    """Times do not count here: whoever runs the tests may have a busy machine."""
    outcome = k6.run(script, api, k6.variants(manifest, 20), BRIEF, VALIDATE)
    assert outcome.passed, outcome.shown
    assert outcome.metrics["checks"]["passes"] > 0
    assert outcome.metrics["checks"]["fails"] == 0


@pytest.mark.parametrize("script", ["validate.js", "seed_runs.js", "throughput.js"])
def test_a_script_finds_what_is_wrong(api_stack: RunningStack, manifest: dict[str, Any], script: str) -> None:
    """Requests that are refused, as nobody may send so many."""
    slow = {"SEED_API_RATE_LIMIT": "1", "SEED_API_RATE_WINDOW_SECONDS": "86400"}
    with allowances_of_its_own(api_stack), served(api_stack, TENANT_A, **slow) as server:
        assert not k6.run(script, server, k6.variants(manifest, 2), BRIEF, VALIDATE).passed
