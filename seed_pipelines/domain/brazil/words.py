"""Texts that are put together from the words of some lists."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def put_together(*columns: tuple[pa.StringArray, NDArray[np.integer]]) -> pa.StringArray:
    """Texts of one word from each list, one after another, nothing in between; a row's words by their positions.

    The positions are equally many for each list. Raises IndexError for one out of range.
    """
    rows, parts = len(columns[0][1]), len(columns)
    positions = np.empty((rows, parts), dtype=np.int64)
    start = 0
    for place, (words, chosen) in enumerate(columns):
        if rows and not 0 <= int(chosen.min()) <= int(chosen.max()) < len(words):
            raise IndexError(f"a position is not one of {len(words)}")
        positions[:, place] = chosen
        positions[:, place] += start
        start += len(words)
    pieces = pa.concat_arrays([words for words, _ in columns]).take(pa.array(positions.reshape(-1)))
    _, starts, text = pieces.buffers()
    offsets: NDArray[Any] = np.frombuffer(starts, dtype=np.int32, count=rows * parts + 1)[::parts]
    return pa.StringArray.from_buffers(rows, pa.py_buffer(np.ascontiguousarray(offsets).data), text)
