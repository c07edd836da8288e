"""Python imports this when it starts, where this directory is on its path: a clock that a file moves while it runs.

The file that MOVED_CLOCK_FILE names holds seconds. The monotonic clock, as on a real machine, stays as it is.
"""

import ctypes
import datetime as dt
import gc
import os
import time
from pathlib import Path

_FILE = Path(os.environ["MOVED_CLOCK_FILE"])
_true_time = time.time


def _moved_time() -> float:
    return _true_time() + float(_FILE.read_text(encoding="ascii"))


def _moved_now(cls: type[dt.datetime], tz: dt.tzinfo | None = None) -> dt.datetime:
    return cls.fromtimestamp(_moved_time(), tz)


def _moved_utcnow(cls: type[dt.datetime]) -> dt.datetime:
    return cls.fromtimestamp(_moved_time(), dt.UTC).replace(tzinfo=None)


time.time = _moved_time
time.time_ns = lambda: int(_moved_time() * 1e9)
# A class of one's own in its place would be a stranger to the drivers that make datetimes in C.
_members = gc.get_referents(dt.datetime.__dict__)[0]
_members |= {"now": classmethod(_moved_now), "utcnow": classmethod(_moved_utcnow)}
ctypes.pythonapi.PyType_Modified(ctypes.py_object(dt.datetime))
