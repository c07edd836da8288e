"""Headless Chromium: how a page looks in a window of some width, and what it asked the network for."""

import base64
import os
import shutil
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from seed_pipelines_tests.e2e.evidence.devtools import DevTools

SCALE: Final = 0.125
"""Pixels of a picture for one of the page: enough to see whether something is there, and soon decoded."""

_UNPACKED: Final = Path(__file__).parents[3] / ".chromium"
_FLAGS: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-pings"),
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--force-color-profile=srgb"),
)
_MEASURE: Final = """(() => {
  const page = document.documentElement
  return {height: page.scrollHeight, width: page.scrollWidth, text: page.innerText}
})()"""


@dataclass(frozen=True)
class Layout:
    """A page laid out in a width."""

    width: int
    """What it needs: more than it was given where something sticks out."""
    height: int
    text: str
    """What a reader sees of it."""


@dataclass(frozen=True)
class Picture:
    """A decoded PNG of 8 bits a channel."""

    width: int
    height: int
    rows: tuple[bytes, ...]
    channels: int

    def colours(self, first: int, end: int) -> set[bytes]:
        """Those of the rows [first, end)."""
        return {row[place : place + 3] for row in self.rows[first:end] for place in range(0, len(row), self.channels)}


def find_chromium() -> str | None:
    """The program: the one that `make test` unpacks, or else that of the machine; None if there is none."""
    unpacked = _UNPACKED / "chromium"
    return str(unpacked) if unpacked.exists() else shutil.which("chromium")


class Browser:
    """A browser that keeps nothing between two pages."""

    def __init__(self, program: str, directory: Path) -> None:
        """`directory` is empty and for it alone."""
        self._program, self._directory = program, directory
        self._asked: set[str] = set()

    def layout(self, page: Path, width: int) -> Layout:
        """How the page is laid out in a width."""
        with self._opened() as tab:
            self._show(tab, page, width, 800)
            found = tab.ask("Runtime.evaluate", expression=_MEASURE, returnByValue=True)["result"]["value"]
        return Layout(found["width"], found["height"], found["text"])

    def picture(self, page: Path, width: int, height: int) -> Picture:
        """The first `height` pixels of the page in a width, drawn at SCALE."""
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": SCALE}
        with self._opened() as tab:
            self._show(tab, page, width, height)
            drawn = tab.ask("Page.captureScreenshot", format="png", clip=clip)
        return decoded(base64.b64decode(drawn["data"]))

    def requests(self) -> set[str]:
        """The addresses that the last page asked for, whatever became of it."""
        return self._asked

    def _opened(self) -> DevTools:
        profile = self._directory / "profile"
        shutil.rmtree(profile, ignore_errors=True)
        own = {"LD_LIBRARY_PATH": str(_UNPACKED / "lib"), "FONTCONFIG_FILE": str(_UNPACKED / "fonts.conf")}
        environ = dict(os.environ) | (own if Path(self._program).parent == _UNPACKED else {})
        return DevTools([self._program, *_FLAGS, f"--user-data-dir={profile}"], environ)

    def _show(self, tab: DevTools, page: Path, width: int, height: int) -> None:
        size: dict[str, Any] = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        tab.ask("Page.enable")
        tab.ask("Network.enable")
        tab.ask("Emulation.setDeviceMetricsOverride", **size)
        tab.ask("Page.navigate", url=page.as_uri())
        events = tab.until("Page.loadEventFired")
        sent = {event["request"]["url"] for name, event in events if name == "Network.requestWillBeSent"}
        self._asked = sent - {page.as_uri()}


def decoded(png: bytes) -> Picture:
    """A PNG that is not interlaced, of 8 bits a channel, as Chromium writes it (ISO/IEC 15948)."""
    width, height, depth, colour, *_, interlaced = struct.unpack(">IIBBBBB", png[16:29])
    assert (depth, interlaced) == (8, 0)
    channels = {2: 3, 6: 4}[colour]
    data = zlib.decompress(b"".join(body for name, body in _chunks(png) if name == b"IDAT"))
    stride, above, rows = width * channels, bytes(width * channels), []
    for start in range(0, len(data), stride + 1):
        above = _unfiltered(data[start], bytearray(data[start + 1 : start + 1 + stride]), above, channels)
        rows.append(above)
    assert len(rows) == height
    return Picture(width, height, tuple(rows), channels)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    while place < len(png):
        length = int.from_bytes(png[place : place + 4])
        yield png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        place += length + 12


def _unfiltered(kind: int, row: bytearray, above: bytes, channels: int) -> bytes:
    for place in range(len(row)):
        left, corner = (row[place - channels], above[place - channels]) if place >= channels else (0, 0)
        match kind:
            case 0:
                guess = 0
            case 1:
                guess = left
            case 2:
                guess = above[place]
            case 3:
                guess = (left + above[place]) // 2
            case _:
                guess = _paeth(left, above[place], corner)
        row[place] = (row[place] + guess) & 0xFF
    return bytes(row)


def _paeth(left: int, above: int, corner: int) -> int:
    return min((left, above, corner), key=lambda one: abs(left + above - corner - one))
