"""How much is asked of the API, and that a round which finds something says so."""

from pathlib import Path

import pytest

from seed_pipelines.local.children import free_port
from seed_pipelines_tests.e2e.api.fuzzing import Effort, Target, rounds
from seed_pipelines_tests.fakes.raw_stub import listening, sends
from seed_pipelines_tests.manifest_examples import example


def test_the_variables_say_how_much_is_asked() -> None:
    """A number of requests, however long they take; or a time, however many they are."""
    short = Effort.of({})
    assert (short.requests, short.whole_manifests) == (1, False)
    many = Effort.of({"SEED_FUZZ_REQUESTS": "20000", "SEED_FUZZ_SECONDS": "1800", "SEED_FUZZ_SEED": "7"})
    assert (many.requests, many.seconds, many.seed) == (20_000, float("inf"), 7)
    night = Effort.of({"SEED_FUZZ_SECONDS": "1800"})
    assert night.seconds == 1_800
    assert night.requests > 10**9


@pytest.mark.timeout(300)
def test_an_api_that_fails_is_found(tmp_path: Path) -> None:
    """By a server that answers 500 to everything."""
    failed = sends(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    with listening(failed) as stub:
        target = Target(f"http://127.0.0.1:{stub.port}", "tenant-a", "staging", example())
        (done,) = rounds(target, lambda: "a.b.c", Effort(1, 0, 1, 1, 1, whole_manifests=False), tmp_path)
    assert done.code == 1
    assert "Server error" in done.said
    assert {status for _, status in done.answers} == {500}


def test_an_api_that_is_away_is_found(tmp_path: Path) -> None:
    target = Target(f"http://127.0.0.1:{free_port(None)}", "tenant-a", "staging", example())
    (done,) = rounds(target, lambda: "a.b.c", Effort(1, 0, 1, 1, 1, whole_manifests=False), tmp_path)
    assert done.code != 0
    assert done.requests == 0
