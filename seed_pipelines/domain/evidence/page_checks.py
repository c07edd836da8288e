"""The checks of a report, gathered by name, those that failed first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, Final

from seed_pipelines.domain.checks import CHECKS
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.evidence.page_words import clipped, leaves
from seed_pipelines.domain.evidence.verdicts import CONTRACT_CHECK

_FAILURES_SHOWN: Final = 10
_PASSES_SHOWN: Final = 3
_FACTS_SHOWN: Final = 24
_ZEROS_SHOWN: Final = 3
_LONGEST_FACT: Final = 300


@dataclass(frozen=True)
class Finding:
    """What one check found in one shard."""

    shard: str
    facts: tuple[tuple[str, str], ...]
    """(where, what)."""
    more_facts: bool
    """Whether the sealed report has more of them."""


@dataclass(frozen=True)
class CheckSummary:
    """One check in every shard."""

    name: str
    says: str
    """What holds where it passes; empty for a check that this program does not know."""
    passed: int
    failed: int
    failures: tuple[Finding, ...]
    """The first ones."""
    passes: tuple[Finding, ...]
    """The first ones."""

    @property
    def shards(self) -> int:
        """In how many shards it was made."""
        return self.passed + self.failed


@dataclass(frozen=True)
class CheckGroup:
    """Checks of one kind."""

    title: str
    checks: tuple[CheckSummary, ...]


def check_groups(checks: Sequence[Mapping[str, Any]]) -> tuple[CheckGroup, ...]:
    """Failed ones first, then those of every shard, those between rows and those of contracts; none that is empty."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for check in checks:
        by_name.setdefault(check["name"], []).append(check)
    summaries = [_summary(name, results) for name, results in by_name.items()]
    failed = [summary for summary in summaries if summary.failed]
    whole = [summary for summary in summaries if not summary.failed]
    groups = (
        ("Failed", failed),
        ("Of every shard", [summary for summary in whole if summary.name in CHECKS]),
        ("Of rows against each other", [summary for summary in whole if _is_rule(summary.name)]),
        ("Of the contracts", [summary for summary in whole if summary.name == CONTRACT_CHECK]),
    )
    return tuple(CheckGroup(title, tuple(found)) for title, found in groups if found)


def findings(facts: Mapping[str, Any], longest: int = _LONGEST_FACT) -> tuple[tuple[tuple[str, str], ...], bool]:
    """The first facts of a JSON object, each of at most `longest` characters, and whether there are more.

    Counts of 0 come last, as one fact where they are many.
    """
    found: list[tuple[str, str]] = []
    zeros: list[tuple[str, str]] = []
    for where, what in leaves(facts):
        (zeros if what == "0" else found).append((where, what))
    found += [("counts of 0", str(len(zeros)))] if len(zeros) > _ZEROS_SHOWN else zeros
    shown = tuple((clipped(where, longest), clipped(what, longest)) for where, what in found[:_FACTS_SHOWN])
    return shown, len(found) > _FACTS_SHOWN


def _summary(name: str, results: Sequence[Mapping[str, Any]]) -> CheckSummary:
    failed = [result for result in results if not result["passed"]]
    passed = [result for result in results if result["passed"]]
    return CheckSummary(
        name=name,
        says=_described().get(name, ""),
        passed=len(passed),
        failed=len(failed),
        failures=_first(failed, _FAILURES_SHOWN),
        passes=_first(passed, _PASSES_SHOWN),
    )


def _first(results: Iterable[Mapping[str, Any]], most: int) -> tuple[Finding, ...]:
    return tuple(Finding(result["shard"], *findings(result["facts"])) for result in islice(results, most))


def _is_rule(name: str) -> bool:
    return name not in CHECKS and name != CONTRACT_CHECK


@cache
def _described() -> Mapping[str, str]:
    rules = {rule.name: rule.description for entity in ENTITIES for rule in entity.rules}
    return {**CHECKS, **rules, CONTRACT_CHECK: "The rows fit the schemas of the contracts."}
