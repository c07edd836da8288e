"""Texts that are put together from the words of a list."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def put_together(words: pa.StringArray, positions: NDArray[np.int64]) -> pa.StringArray:
    """For each row of positions in the list the words that stand there, one after another, nothing in between.

    Raises IndexError for a position out of range.
    """
    count, parts = positions.shape
    pieces = words.take(pa.array(positions.reshape(-1)))
    _, starts, text = pieces.buffers()
    offsets: NDArray[Any] = np.frombuffer(starts, dtype=np.int32, count=count * parts + 1)[::parts]
    return pa.StringArray.from_buffers(count, pa.py_buffer(np.ascontiguousarray(offsets).data), text)
