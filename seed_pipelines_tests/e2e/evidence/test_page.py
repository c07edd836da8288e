"""The report for people in a real browser: laid out in narrow and wide windows, whole, and without a request."""

from pathlib import Path
from typing import Final

import pytest

from seed_pipelines.domain.evidence.page import report_page
from seed_pipelines.domain.evidence.report import build_report
from seed_pipelines_tests.e2e.evidence.browser import SCALE, Browser, find_chromium
from seed_pipelines_tests.evidence_examples import HEAD, large, rehearsed, succeeded

pytestmark = pytest.mark.e2e

WIDTHS: Final = (1280, 390)
RUNS: Final = {"succeeded": succeeded, "large": large, "rehearsed": rehearsed}
FOOT: Final = 80
"""Pixels at the end of a page within which its last line stands."""


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    """Chromium."""
    program = find_chromium()
    if program is None:
        pytest.skip("there is no Chromium, so nobody looks at the pages: `make .chromium/unpacked` says why")
    directory = tmp_path / "browser"
    directory.mkdir()
    return Browser(program, directory)


def page_of(kind: str, directory: Path) -> Path:
    file = directory / "page.html"
    file.write_bytes(report_page(build_report(RUNS[kind](), HEAD), "ab" * 32, "reports/staging/tenant-a/42.dsse.json"))
    return file


@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_is_shown_whole(browser: Browser, tmp_path: Path, width: int) -> None:
    """From the verdict to the last line: as wide as its window, with the colours of its style, and nothing blank."""
    page = page_of("succeeded", tmp_path)
    layout = browser.layout(page, width)
    picture = browser.picture(page, width, layout.height)

    assert (layout.width, picture.height) == (width, round(layout.height * SCALE))
    assert bytes.fromhex("e6f4ec") in picture.colours(0, picture.height // 4)
    bands = range(0, picture.height - picture.height // 20, picture.height // 20)
    assert all(len(picture.colours(first, first + picture.height // 20)) > 3 for first in bands)
    assert len(picture.colours(picture.height - round(FOOT * SCALE), picture.height)) > 1


@pytest.mark.parametrize("kind", RUNS)
def test_nothing_sticks_out_of_a_narrow_window(browser: Browser, tmp_path: Path, kind: str) -> None:
    """Also where texts are long and numbers large."""
    layout = browser.layout(page_of(kind, tmp_path), 360)

    assert layout.width == 360
    assert "How to verify this report" in layout.text


def test_a_page_asks_nobody_for_anything(browser: Browser, tmp_path: Path) -> None:
    """As a page with a picture from elsewhere, which is noticed, does."""
    asking = tmp_path / "asking.html"
    asking.write_text('<!DOCTYPE html><img src="http://elsewhere.example/picture.png">', encoding="utf-8")
    browser.layout(asking, 800)
    assert browser.requests() == {"http://elsewhere.example/picture.png"}

    browser.layout(page_of("large", tmp_path), 800)
    assert browser.requests() == set()
