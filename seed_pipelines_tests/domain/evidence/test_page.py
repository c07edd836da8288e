"""The report for people: it says what the report says, in every kind of run, and nothing in a report can act in it."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from html.parser import HTMLParser
from typing import Any, Final

import pytest

from seed_pipelines.domain.evidence.page import report_page
from seed_pipelines.domain.evidence.page_figures import step_bars
from seed_pipelines.domain.evidence.report import build_report
from seed_pipelines_tests.evidence_examples import (
    EVERY_KIND,
    HEAD,
    aborted,
    check,
    failed,
    large,
    overridden,
    rehearsed,
    succeeded,
)

SHA256: Final = "ab" * 32
KEY: Final = "reports/staging/tenant-a/42.dsse.json"
HOSTILE: Final = (
    """</title></style></pre><script src=//evil.example>alert(1)</script><img src=x onerror=alert(2)>"'&{{ 7*7 }}{% x %}"""
    "\u202e\x00\ud7ff&amp;"
)
VOID: Final = frozenset({"meta", "br"})
ELEMENTS: Final = frozenset(
    re.findall(
        r"\S+",
        "html head meta title style body div header nav main footer section article figure figcaption details summary"
        " h1 h2 h3 p strong span code pre time br a ul ol li dl dt dd table caption thead tbody tfoot tr th td"
        " svg g rect line circle path",
    )
)
"""None of them loads or runs anything."""

ATTRIBUTES: Final = frozenset(
    re.findall(
        r"\S+",
        "lang charset http-equiv content name class id href aria-label aria-labelledby aria-hidden role tabindex datetime"
        " scope colspan viewbox fill stroke stroke-width stroke-linecap stroke-linejoin d cx cy r x y x1 x2 y1 y2 rx"
        " width height",
    )
)

KINDS: Final = (*EVERY_KIND, "partial", "large")

every_kind = pytest.mark.parametrize("kind", KINDS)


@cache
def _report(kind: str) -> str:
    if kind == "partial":
        return json.dumps(build_report(aborted(), HEAD) | {"verdict": "partial"})
    facts, after = (large(), HEAD) if kind == "large" else EVERY_KIND[kind]
    return json.dumps(build_report(facts, after))


def report_of(kind: str) -> dict[str, Any]:
    """One of KINDS, to be changed at will."""
    report: dict[str, Any] = json.loads(_report(kind))
    return report


class Page(HTMLParser):
    """A page that was read strictly: AssertionError where an element is not closed in its place."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "svg" in self.open
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        """What a reader sees, in one line."""
        return " ".join(" ".join(self.texts).split())


def shown(report: Mapping[str, Any]) -> Page:
    return Page(report_page(report, SHA256, KEY))


def poisoned(value: Any) -> Any:
    """A copy with the hostile text as every text that no pattern of the contract binds."""
    if isinstance(value, dict):
        return {name: poisoned(part) for name, part in value.items()}
    if isinstance(value, list):
        return [poisoned(part) for part in value]
    return HOSTILE if isinstance(value, str) else value


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2.2, section 1.4.3."""
    bright, dark = sorted(map(_luminance, (one, other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def schemes() -> Iterator[dict[str, str]]:
    style = re.search(r"<style>(.*?)</style>", report_page(report_of("succeeded"), SHA256, KEY).decode(), re.DOTALL)
    assert style is not None
    light: dict[str, str] = {}
    for block in re.findall(r":root \{(.*?)\}", style[1], re.DOTALL):
        colours = light | dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
        light = light or colours
        yield colours


@every_kind
def test_a_page_is_well_formed_and_stands_alone(kind: str) -> None:
    """Elements and attributes are from a list in which nothing loads or runs; links lead into the page itself."""
    page = shown(report_of(kind))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.elements:
        assert tag in ELEMENTS
        assert set(attributes) <= ATTRIBUTES
        if "href" in attributes:
            assert (attributes["href"] or "").removeprefix("#") in ids
    assert [tag for tag, _ in page.elements].count("h1") == 1
    assert page.elements[0] == ("html", {"lang": "en"})


@every_kind
def test_nothing_is_asked_of_anybody(kind: str) -> None:
    """Neither by markup nor by style; the policy forbids it besides, and allows no style but the page's own."""
    page = report_page(report_of(kind), SHA256, KEY).decode()
    assert not re.search(r"https?:|//|src=|url\(|@import|<script|javascript:|style=", page)
    assert "content=\"default-src 'none'; style-src 'sha256-" in page
    assert "unsafe" not in page


@every_kind
def test_equal_reports_give_equal_bytes(kind: str) -> None:
    """Whatever the order of their members."""
    turned = json.loads(json.dumps(report_of(kind), sort_keys=True))
    assert report_page(turned, SHA256, KEY) == report_page(report_of(kind), SHA256, KEY)


@pytest.mark.parametrize("kind", ["failed", "overridden", "dry run"])
def test_hostile_texts_stay_texts(kind: str) -> None:
    """In every place at once: no element more than in an honest page, and what turns or hides text is spelt out."""
    honest = report_of(kind)
    fixed = ("verdict", "operation", "schema_version", "service_levels", "cost", "checklist")
    hostile = {name: part if name in fixed else poisoned(part) for name, part in honest.items()}
    hostile["run"] |= {name: honest["run"][name] for name in ("started_at", "ended_at", "seed_run_id")}
    hostile["checklist"] = honest["checklist"] | {
        "groups": [
            group | {"items": [item | {"says": HOSTILE, "reason": HOSTILE} for item in group["items"]]}
            for group in honest["checklist"]["groups"]
        ]
    }
    written = report_page(hostile, HOSTILE, HOSTILE)
    page = Page(written)
    assert {tag for tag, _ in page.elements} <= ELEMENTS
    assert all(set(attributes) <= ATTRIBUTES for _, attributes in page.elements)
    assert b"<script" not in written
    assert "\u202e" not in written.decode()
    assert b"\x00" not in written
    assert "{{ 7*7 }}{% x %}\\u202e\\x00" in page.text


def test_a_command_to_copy_holds_no_other_command() -> None:
    report = build_report(rehearsed(), None)
    report["run"]["origin"] = "x; rm -rf ~ $(id) 'y"
    assert """seed-data verify 'x; rm -rf ~ $(id) '"'"'y'""" in shown(report).text


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("succeeded", "Succeeded 220 of 220 planned rows landed. 16 checks passed, none failed."),
        ("failed", "Failed 220 of 220 planned rows landed. 1 of 16 checks failed. The loaded data failed its checks"),
        ("aborted", "Aborted It was stopped before it was done. 110 of 220 planned rows landed. 8 checks passed"),
        ("begun", "Aborted It was stopped before it was done. 0 of 220 planned rows landed. No check was made."),
        ("dry run", "Dry run succeeded 220 of 220 planned rows were generated, and none loaded: it was a dry run."),
        ("partial", "Partial Only some of its assets were run, so nothing is said of the rest. 110 of 220"),
    ],
)
def test_the_verdict_comes_first(kind: str, words: str) -> None:
    """In words."""
    text = shown(report_of(kind)).text
    assert words in text[text.index("Report of a ") :][:400]


def test_verdicts_differ_in_outline() -> None:
    """For whoever sees no colours."""
    outlines = set()
    for kind in ("succeeded", "failed", "aborted", "partial"):
        page = report_page(report_of(kind), SHA256, KEY).decode()
        found = re.search(r'<svg class="shape".*?</svg>', page, re.DOTALL)
        assert found is not None
        outlines.add(found[0])
    assert len(outlines) == 4


def test_a_success_with_an_item_that_failed_says_so() -> None:
    """The word alone would mislead."""
    report = build_report(succeeded(idempotency_key=None), HEAD)
    assert "The run succeeded, yet 1 question of the audit checklist failed." in shown(report).text
    assert "yet" not in shown(report_of("succeeded")).text


def test_what_failed_comes_before_what_passed_with_what_it_found() -> None:
    facts = failed()
    found = check("foreign_keys", "1", passed=False, offending_rows={"loans": 3, "limits": 0})
    checks = tuple(found if not result["passed"] else result for result in facts.checks)
    text = shown(build_report(succeeded(verdict="failed", checks=checks, problems=facts.problems), HEAD)).text
    text = text[text.index("Check, and what holds where it passes") :]
    assert text.index("Foreign keys") < text.index("Row counts")
    assert "Found in shard 1 Offending rows, loans 3 Offending rows, limits 0" in text
    assert "Every row refers to a row of the same tenant that exists." in text


def test_many_counts_of_nothing_are_one() -> None:
    """What was found is not lost among them."""
    text = shown(report_of("large")).text
    assert "Found in shard 0 Offending rows, tenant users 3 Offending rows, customers 3" not in text
    assert "Shard 1 Counts of 0 12" in text


def test_a_problem_is_told_with_all_its_members() -> None:
    text = shown(report_of("failed")).text
    assert "The loaded data failed its checks Checks failed: foreign_keys. Problem checks_failed , status 422" in text
    assert "Checks 1 foreign_keys" in text
    assert "What went wrong" not in shown(report_of("succeeded")).text


def test_what_nobody_set_or_measured_is_said() -> None:
    """No budget, no measurement, no cost, no window."""
    document = {name: part for name, part in succeeded().document.items() if name != "budget"}
    unbudgeted = shown(build_report(succeeded(document=document), HEAD)).text
    assert "The manifest sets no budget." in unbudgeted
    assert "Spent, against the budget" not in unbudgeted
    assert "Nothing was measured: no request was made to the outside." in shown(report_of("succeeded")).text
    assert "A dry run pays for nothing." in shown(report_of("dry run")).text
    assert "The budget is BRL 0.5, of which 2.46% were used." in shown(report_of("succeeded")).text
    assert "overridden, because: a rehearsal in the afternoon" in shown(report_of("overridden")).text


def test_levels_are_held_against_their_targets() -> None:
    """Less is better for latencies, more for the throughput."""
    text = shown(build_report(overridden(), HEAD)).text
    assert "95 of 100 requests within 150 ms 120.5 ms Met" in text
    assert "at least 1.5 requests a second 1.75 requests a second Met" in text
    report = build_report(overridden(), HEAD)
    report["service_levels"]["throughput_rps"]["measured"] = 1.4
    assert "1.4 requests a second Missed" in shown(report).text


def test_bars_are_as_long_as_what_they_show() -> None:
    """Half of the plan is half of the bar; what exceeds its budget ends at the edge, and the budget before it."""
    page = report_page(report_of("aborted"), SHA256, KEY).decode()
    assert '<rect class="fill" x="0" y="4" width="50.0%" height="10"/>' in page
    costs = report_page(report_of("large"), SHA256, KEY).decode()
    assert "BRL 131.5, over the budget" in costs
    assert re.search(
        r'<rect class="track" x="0" y="1" width="76\.046%"[^<]*<rect class="fill failed" x="0" y="4" width="100\.0%"',
        costs,
    )


def test_the_steps_are_told_apart_by_their_time() -> None:
    """In the order in which they began; a report of before has none, and a page all the same."""
    report = build_report(succeeded(), HEAD)
    shown = [(bar.label, bar.value, bar.filled) for bar in step_bars(report["steps"])]
    assert shown == [
        ("Generate customers", "0.25 s, 100 rows, 2 shards", 8.333),
        ("Generate bank_accounts", "0.5 s, 120 rows, 2 shards", 16.667),
        ("Load", "1.25 s, 220 rows, 2 shards", 41.667),
        ("Check", "3 s, 220 rows, 2 shards", 100.0),
    ]
    assert b"0.5 s, 120 rows, 2 shards" in report_page(report, SHA256, KEY)
    del report["steps"]
    assert b"Seconds that each step took" not in report_page(report, SHA256, KEY)


def test_many_shards_and_long_texts_are_summarised() -> None:
    """Below 1 MB, however much there is."""
    report = report_of("large")
    assert len(report_page(report, SHA256, KEY)) < 300_000
    report |= {"shards": report["shards"] * 15, "checks": report["checks"] * 15}
    page = report_page(report, SHA256, KEY)
    assert len(page) < 1_000_000
    text = Page(page).text
    assert "the slowest of every 12, in their order" in text
    assert "The sealed report has 2,500 shards more." in text
    assert "The sealed report has 5 problems more." in text
    assert "characters in the sealed report)" in text


def test_the_evidence_is_named() -> None:
    """The object, its digest, what it follows, and the command."""
    text = shown(report_of("succeeded")).text
    assert f"Object in the bucket of evidence {KEY} SHA-256 of the envelope {SHA256}" in text
    assert f"SHA-256 of the envelope before it {HEAD.sha256}" in text
    assert "seed-data verify 00000000-0000-4000-8000-0000000000aa" in text
    assert "none: it is the first of its chain" in shown(report_of("first")).text


def test_texts_and_charts_stand_out_from_their_ground() -> None:
    """By at least 4.5 for text and 3 for shapes (WCAG 2.2, AA), in the light, the dark and on paper."""
    found = list(schemes())
    assert len(found) == 3
    for colours in found:
        for word in ("ink", "faint", "link", "good", "bad", "stopped", "part"):
            for ground in ("paper", "page"):
                assert contrast(colours[word], colours[ground]) >= 4.5, (word, ground)
        for verdict in ("good", "bad", "stopped", "part"):
            assert contrast(colours[verdict], colours[f"{verdict}-paper"]) >= 4.5, verdict
            assert contrast(colours["ink"], colours[f"{verdict}-paper"]) >= 4.5, verdict
        assert contrast(colours["bar"], colours["track"]) >= 3
        assert contrast(colours["edge"], colours["paper"]) >= 3
