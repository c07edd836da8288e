"""The fixtures that applications get."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from seed_pipelines.factories import CustomerFactory, FactoryRows
from seed_pipelines_tests.factories.test_factories import ROOT, STAGING

pytest_plugins = ["pytester"]


@pytest.mark.parametrize("document", ["README.md", "docs/quickstart.pt-BR.md"])
def test_the_examples_for_people_pass(document: str, pytester: pytest.Pytester) -> None:
    """Word for word."""
    (example,) = re.findall(
        r"```python\n(from seed_pipelines.factories .*?)```", (ROOT / document).read_text(), re.DOTALL
    )
    pytester.makepyfile(example)
    pytester.runpytest_inprocess().assert_outcomes(passed=example.count("def test_"))


@pytest.mark.parametrize("run", [1, 2])
def test_each_test_begins_with_the_first_row(run: int, seed_dataset: FactoryRows) -> None:
    """Whatever the tests before it have built."""
    assert CustomerFactory.build_batch(run)[0] == seed_dataset.drawn(CustomerFactory.entity(), 0, {})


def test_the_text_decides_the_keys(pytester: pytest.Pytester) -> None:
    """The header names it, so that a run can be repeated; another text gives other rows."""
    pytester.makepyfile(
        """
        from pathlib import Path
        from seed_pipelines.factories import CustomerFactory

        def test_one(vault_stub):
            with Path("seen").open("a") as seen:
                print(CustomerFactory.build().document_number, file=seen)
        """
    )
    for text in ("one", "one", "other"):
        result = pytester.runpytest_inprocess(f"--seed-vault-stub={text}", "-p", "no:cacheprovider")
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines([f"seed_pipelines: --seed-vault-stub={text}"])
    first, again, other = (pytester.path / "seen").read_text().split()
    assert first == again != other


def test_a_run_without_a_text_makes_one(pytester: pytest.Pytester) -> None:
    """A different one each time."""
    headers = [
        [line for line in pytester.runpytest_inprocess().outlines if line.startswith("seed_pipelines: ")]
        for _ in range(2)
    ]
    assert headers[0] != headers[1]


def test_a_project_can_name_its_manifest(pytester: pytest.Pytester) -> None:
    """By overriding a fixture."""
    pytester.makepyfile(
        f"""
        import pytest
        from seed_pipelines.factories import CustomerFactory

        @pytest.fixture
        def seed_manifest():
            return {str(STAGING)!r}

        def test_one(seed_dataset):
            assert seed_dataset.plan.rows["customers"] == 100
            assert CustomerFactory.build().email
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_the_plugin_imports_the_program_only_when_asked(tmp_path: Path) -> None:
    """A run that uses no fixture pays nothing; and the factories never bring Dagster."""
    code = """
import sys
import seed_pipelines.pytest_plugin
ours = {name for name in sys.modules if name.startswith("seed_pipelines")}
assert ours == {"seed_pipelines", "seed_pipelines.pytest_plugin"}, ours
assert not {"numpy", "pyarrow", "pydantic", "factory", "faker"} & sys.modules.keys()
import seed_pipelines.factories
assert not {"dagster", "boto3", "hvac", "psycopg", "click"} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
