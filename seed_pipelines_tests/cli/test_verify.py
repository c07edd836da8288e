"""`seed-data verify` with an envelope and a PEM, and what it refuses to be asked."""

import json
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from seed_pipelines.cli import main
from seed_pipelines.cli.verify import _print_difference
from seed_pipelines.domain.evidence.envelope import LARGEST_ENVELOPE
from seed_pipelines.seeding.verification.row_difference import RowDifference
from seed_pipelines_tests.fakes import FakeSigner
from seed_pipelines_tests.seeding.verification.sealed_runs import flipped, sealed_world


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A directory with an envelope and the PEM of its key."""
    world = sealed_world(tmp_path / "world")
    (tmp_path / "envelope.json").write_bytes(world.run("run-1").envelope)
    (tmp_path / "key.pem").write_text(world.signer.public_keys()[0].pem)
    (tmp_path / "other.pem").write_text(FakeSigner().public_keys()[0].pem)
    return tmp_path


def verify(kept: Path, *arguments: str, envelope: str = "envelope.json", key: str | None = "key.pem") -> Result:
    trusted = () if key is None else ("--public-key", str(kept / key))
    return CliRunner().invoke(main, ["verify", str(kept / envelope), *trusted, *arguments])


def problem(done: Result) -> dict[str, object]:
    found: dict[str, object] = json.loads(done.stderr)
    return found


def test_a_good_envelope_is_shown_and_exits_with_0(kept: Path) -> None:
    done = verify(kept)
    assert done.exit_code == 0, done.output
    assert done.stdout.count("verified") == 5
    assert "FAILED" not in done.stdout


def test_json_has_every_finding(kept: Path) -> None:
    found = json.loads(verify(kept, "--json").stdout)
    assert found["valid"] is True
    assert found["report"]["sequence"] == 1
    assert [finding["result"] for finding in found["findings"]] == ["pass"] * 4


def test_one_of_several_keys_is_enough(kept: Path) -> None:
    assert verify(kept, "--public-key", str(kept / "key.pem"), key="other.pem").exit_code == 0


@pytest.mark.parametrize("key", ["other.pem", "key.pem"])
def test_what_does_not_hold_is_on_stderr_as_a_problem(kept: Path, key: str) -> None:
    """Another key, or a flipped bit; the table says where."""
    if key == "key.pem":
        (kept / "envelope.json").write_bytes(flipped((kept / "envelope.json").read_bytes(), 500))
    done = verify(kept, key=key)
    assert done.exit_code == 2
    assert problem(done)["code"] == "evidence_invalid"
    assert "FAILED" in done.stdout
    as_json = verify(kept, "--json", key=key)
    assert json.loads(as_json.stdout)["valid"] is False


def test_a_file_of_any_size_is_answered(kept: Path) -> None:
    """No more is read than an envelope may have."""
    with (kept / "large").open("wb") as large:
        large.truncate(8 * LARGEST_ENVELOPE)
    done = verify(kept, envelope="large")
    assert done.exit_code == 2
    assert problem(done)["code"] == "evidence_invalid"


@pytest.mark.parametrize(
    ("arguments", "envelope", "key", "words"),
    [
        ((), "envelope.json", None, "whom to trust"),
        ((), "not-there.json", "key.pem", "--environment"),
        (("--rows",), "envelope.json", "key.pem", "need --environment"),
        (("--attempt", "2"), "envelope.json", "key.pem", "need --environment"),
        ((), "envelope.json", "envelope.json", "not the PEM"),
    ],
)
def test_what_cannot_be_asked_is_said(
    kept: Path, arguments: tuple[str, ...], envelope: str, key: str | None, words: str
) -> None:
    done = verify(kept, *arguments, envelope=envelope, key=key)
    assert done.exit_code == 2
    assert problem(done)["code"] == "request_invalid"
    assert words in str(problem(done)["detail"])


def test_a_stored_value_cannot_command_the_terminal() -> None:
    """Escape sequences are shown, and markup is text."""
    shown = StringIO()
    row = {"id": "1", "email": "\x1b]0;owned\x07[red]x"}
    _print_difference(
        RowDifference("customers", "banking.customer", "1", 0, row | {"email": "a"}, row),
        Console(file=shown, width=200),
    )
    assert "\\x1b]0;owned\\x07[red]x" in shown.getvalue()
    assert "differs" in shown.getvalue()
