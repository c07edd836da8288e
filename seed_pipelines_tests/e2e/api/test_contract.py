"""The served API against its contract, by requests and chains of requests that nobody thought of."""

import os
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from seed_pipelines_tests.e2e.api.fuzzing import SEED_VARIABLE, Effort, Target, rounds
from seed_pipelines_tests.e2e.api.server import Served

EFFORT: Final = Effort.of(os.environ)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(EFFORT.longest_seconds)]

DEEP: Final = {
    ("validateSeedProfile", 200),
    ("createSeedRun", 201),
    ("listSeedRuns", 200),
    ("readSeedRun", 200),
    ("readSeedRun", 304),
    ("cancelSeedRun", 202),
}
"""What is answered where requests follow the links of the contract from one to the next."""


def test_whatever_is_sent_is_answered_as_the_contract_says(
    api: Served, manifest: dict[str, Any], tmp_path: Path
) -> None:
    """By all checks of schemathesis, for all operations, however they follow one another."""
    target = Target(api.address, api.tenant, api.environment, manifest)
    answers: Counter[tuple[str, int]] = Counter()
    for done in rounds(target, api.token, EFFORT, tmp_path):
        assert done.code == 0, f"{done.said}\nRepeat it with {SEED_VARIABLE}={done.seed}"
        answers += done.answers
        print(f"{answers.total():,} requests, the last with seed {done.seed}")  # a night is long
    assert answers.total() > 200
    assert DEEP - answers.keys() == set()
    # Most were of somebody who is known, and within the allowance: or nothing would have been tested.
    shut_out = sum(number for (_, status), number in answers.items() if status in (401, 429))
    assert shut_out < answers.total() / 4
