"""What is skipped where the tools that need Node.js are not there."""

import shutil
from pathlib import Path
from typing import Final

import pytest

from seed_pipelines.local.stub_server import find_prism

ROOT: Final = Path(__file__).parents[1]
NOT_INSTALLED: Final = "`make node_modules/installed` was not run"

needs_spectral: Final = pytest.mark.skipif(
    not (ROOT / "node_modules" / ".bin" / "spectral").exists(), reason=NOT_INSTALLED
)
needs_prism: Final = pytest.mark.skipif(
    find_prism(ROOT, None) is None or shutil.which("node") is None, reason=NOT_INSTALLED
)
