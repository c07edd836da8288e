"""Keep pandas out of a process that has no use for it.

pyarrow imports pandas, which takes longer than drawing any row, to ask whether what it makes an array of is a Series.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _NoPandas(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname == "pandas":
            raise ModuleNotFoundError("this command works without pandas", name=fullname)
        return None


def without_pandas() -> None:
    """Make `import pandas` fail from now on, as if it were not installed; for the rest of the process."""
    sys.meta_path.insert(0, _NoPandas())
