"""The verdict of a report in a word, a shape and a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from seed_pipelines.domain.evidence.page_words import counted, number

SHAPES: Final[Mapping[str, str]] = {"succeeded": "good", "failed": "bad", "aborted": "stopped", "partial": "part"}
"""Verdict -> the name of its shape and colours: they differ in outline too."""

_LEADS: Final[Mapping[str, str]] = {
    "aborted": "It was stopped before it was done. ",
    "partial": "Only some of its assets were run, so nothing is said of the rest. ",
}


@dataclass(frozen=True)
class Headline:
    """What a reader learns first."""

    word: str
    shape: str
    """One of SHAPES."""
    sentence: str
    caution: str
    """What a reader of the word alone would miss; empty if nothing."""


@dataclass(frozen=True)
class Totals:
    """The sums of a report."""

    planned: int
    delivered: int
    checks: int
    checks_failed: int
    shards_passed: int


def totals(report: Mapping[str, Any]) -> Totals:
    """Rows of all entities, checks of all shards."""
    return Totals(
        planned=sum(volume["planned"] for volume in report["volumes"]),
        delivered=sum(volume["delivered"] for volume in report["volumes"]),
        checks=len(report["checks"]),
        checks_failed=sum(not check["passed"] for check in report["checks"]),
        shards_passed=sum(shard["passed"] for shard in report["shards"]),
    )


def headline(report: Mapping[str, Any]) -> Headline:
    """The verdict, and what it rests on."""
    verdict, sums = report["verdict"], totals(report)
    rehearsed = report["operation"] == "dry_run"
    rows = f"{number(sums.delivered)} of {number(sums.planned)} planned rows"
    done = f"{rows} were generated, and none loaded: it was a dry run" if rehearsed else f"{rows} landed"
    return Headline(
        word=f"Dry run {verdict}" if rehearsed else verdict.capitalize(),
        shape=SHAPES[verdict],
        sentence=f"{_LEADS.get(verdict, '')}{done}. {_checked(sums)}",
        caution=_caution(report),
    )


def _checked(sums: Totals) -> str:
    if not sums.checks:
        return "No check was made."
    if not sums.checks_failed:
        return f"{counted(sums.checks, 'check')} passed, none failed."
    return f"{number(sums.checks_failed)} of {counted(sums.checks, 'check')} failed."


def _caution(report: Mapping[str, Any]) -> str:
    failed = report["checklist"]["failed"]
    if report["verdict"] != "succeeded" or not failed:
        return ""
    return f"The run succeeded, yet {counted(failed, 'question')} of the audit checklist failed."
