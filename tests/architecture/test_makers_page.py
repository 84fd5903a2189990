"""The page of Makers is the one that the source gives."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_PRINT = "import render_makers; print(render_makers.page(), end='')"


@pytest.mark.requires("pyscf")
def test_the_page_of_makers_is_up_to_date(repository: Path) -> None:
    # In a process of its own, since other tests define Makers and change the settings.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PRINT],
        cwd=repository / "docs",
        capture_output=True,
        text=True,
        check=True,
    )
    page = (repository / "docs" / "reference" / "makers.md").read_text(encoding="utf-8")
    assert done.stdout == page, "run python docs/render_makers.py"
