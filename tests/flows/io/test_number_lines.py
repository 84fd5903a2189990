"""Short lines of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.grid_text import open_lines
from scdp_flows.io.number_lines import read_row

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("text", ["1 2", "1 2 x", "1 2 nan", "1 2 3 4"])
def test_rows_hold_so_many_numbers(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_text(f"1 2.5D0 -3e1\n{text}\n")
    with open_lines(tmp_path / "x") as lines:
        assert read_row(lines, 3, field="cell", fix="mend it") == [1.0, 2.5, -30.0]
        with pytest.raises(DensityFormatError, match=r"line 2 \(cell\).*mend it"):
            read_row(lines, 3, field="cell", fix="mend it")
