"""The report for people: one HTML page that needs nothing but itself.

It asks for no other file and runs no code, which its Content-Security-Policy also forbids. It is a way to read a report,
and no evidence: that is the sealed envelope, which the page names.
"""

import json
import shlex
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from seed_pipelines.domain.evidence import page_words
from seed_pipelines.domain.evidence.page_checks import check_groups, findings
from seed_pipelines.domain.evidence.page_figures import COLUMN_HEIGHT, cost_bars, step_bars, timings, volume_bars
from seed_pipelines.domain.evidence.page_verdict import headline, totals

_FOLDER: Final = files(__package__).joinpath("data")
_MOST_PROBLEMS: Final = 20
_MOST_SHARDS: Final = 500
_LONGEST_MANIFEST: Final = 50_000
_OF_EVERY_PROBLEM: Final = frozenset({"type", "title", "status", "detail", "code", "exit_code"})


def report_page(report: Mapping[str, Any], envelope_sha256: str, object_key: str) -> bytes:
    """A report that `build_report` made, as HTML in UTF-8; equal reports give equal bytes.

    `envelope_sha256` (hex) and `object_key` are those of the sealed envelope. Whatever the report holds, the page stays
    below 1 MB: of many shards and long texts it shows the first, and says so.
    """
    style = _data("report.css")
    page = _environment().get_template("report.html.j2")
    return page.render(
        report=report,
        envelope_sha256=envelope_sha256,
        object_key=object_key,
        style=Markup(style),  # noqa: S704 - our own file
        style_sha256=b64encode(sha256(style.encode()).digest()).decode(),
        headline=headline(report),
        totals=totals(report),
        problems=[_problem(problem) for problem in report["errors"][:_MOST_PROBLEMS]],
        volume_bars=volume_bars(report["volumes"]),
        cost_bars=None if report["cost"] is None else cost_bars(report["cost"]),
        check_groups=check_groups(report["checks"]),
        timings=timings(report["shards"]),
        step_bars=step_bars(report.get("steps", ())),
        column_height=COLUMN_HEIGHT,
        shards=_shards(report),
        manifest=page_words.clipped(
            json.dumps(report["manifest"], indent=2, sort_keys=True, ensure_ascii=False), _LONGEST_MANIFEST
        ),
        run_id=shlex.quote(report["run"]["seed_run_id"] or report["run"]["origin"]),
    ).encode()


def _problem(problem: Mapping[str, Any]) -> dict[str, Any]:
    further, more = findings({name: part for name, part in problem.items() if name not in _OF_EVERY_PROBLEM})
    return {**problem, "further": further, "more_facts": more}


def _shards(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those that failed first, otherwise in their order."""
    ordered = sorted(report["shards"], key=lambda shard: bool(shard["passed"]))
    return [
        {**shard, "entities": sum(rows > 0 for rows in shard["rows"].values()), "rows": sum(shard["rows"].values())}
        for shard in ordered[:_MOST_SHARDS]
    ]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_data),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=page_words.visible,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    words = (page_words.number, page_words.percentage, page_words.duration, page_words.moment, page_words.counted)
    for word in (*words, page_words.spoken, page_words.clipped):
        environment.filters[word.__name__] = word
    return environment


@cache
def _data(name: str) -> str:
    return _FOLDER.joinpath(name).read_text(encoding="utf-8")
