"""Headless Chromium: how a page looks in a window of some width, and what it asked the network for."""

import json
import shutil
import struct
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SCALE: Final = 0.125
"""Pixels of a picture for one of the page: enough to see whether something is there, and soon decoded."""

_NARROWEST_WINDOW: Final = 500
"""Chromium's own; a narrower page is shown in a frame."""
_FLAGS: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-pings"),
    *("--allow-file-access-from-files", "--host-resolver-rules=MAP * ~NOTFOUND", "--force-color-profile=srgb"),
)
_FRAME: Final = """<!DOCTYPE html><meta charset="utf-8"><style>body {{ margin: 0; overflow: hidden }}
iframe {{ border: 0; display: block; transform: scale({scale}); transform-origin: 0 0 }}</style>
<iframe src="{page}" width="{width}" height="{height}"></iframe><script>
addEventListener("load", () => {{
  const page = document.querySelector("iframe").contentDocument.documentElement
  document.title = JSON.stringify({{height: page.scrollHeight, width: page.scrollWidth, text: page.innerText}})
}})
</script>
"""


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
    """The program; None if it is not installed."""
    return shutil.which("chromium")


class Browser:
    """A browser that keeps nothing between two pages."""

    def __init__(self, program: str, directory: Path) -> None:
        """`directory` is empty and for it alone."""
        self._program, self._directory = program, directory
        self._net_log = directory / "net-log.json"

    def layout(self, page: Path, width: int) -> Layout:
        """How the page is laid out in a width."""
        frame = self._frame(page, width, 800)
        title = self._run(frame, "--dump-dom").split("<title>", 1)[1].split("</title>", 1)[0]
        found = json.loads(title.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
        return Layout(found["width"], found["height"], found["text"])

    def picture(self, page: Path, width: int, height: int) -> Picture:
        """The first `height` pixels of the page in a width, drawn at SCALE."""
        file = self._directory / "picture.png"
        across, down = round(width * SCALE), round(height * SCALE)
        window = f"--window-size={max(across, _NARROWEST_WINDOW)},{down}"
        self._run(self._frame(page, width, height, SCALE), window, f"--screenshot={file}")
        whole = decoded(file.read_bytes())
        return Picture(
            across, whole.height, tuple(row[: across * whole.channels] for row in whole.rows), whole.channels
        )

    def requests(self) -> set[str]:
        """The addresses that the last page asked for, whatever became of it; not those that the browser itself did."""
        asked = [event.get("params", {}) for event in json.loads(self._net_log.read_text(encoding="utf-8"))["events"]]
        return {
            params["url"] for params in asked if "url" in params and params.get("initiator", "").startswith("file:")
        }

    def _frame(self, page: Path, width: int, height: int, scale: float = 1) -> Path:
        file = self._directory / "frame.html"
        file.write_text(_FRAME.format(page=page.as_uri(), width=width, height=height, scale=scale), encoding="utf-8")
        return file

    def _run(self, page: Path, *flags: str) -> str:
        profile = self._directory / "profile"
        shutil.rmtree(profile, ignore_errors=True)
        command = [self._program, *_FLAGS, f"--user-data-dir={profile}", f"--log-net-log={self._net_log}", *flags]
        done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout


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
