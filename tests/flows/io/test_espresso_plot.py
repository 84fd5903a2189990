"""Plot files of pp.x."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.espresso_plot import read_espresso_plot

if TYPE_CHECKING:
    from pathlib import Path

_SMALL = """title
 2 2 2 2 2 2 1 1
 {lattice} 4.0 1.5 2.0 0.0 0.0 0.0
 65.6 4.0 14.0 {quantity}
 1 H 1.00
 1 0.0 0.0 0.0 1
 1.0 2.0 3.0 4.0 5.0
 6.0 7.0 8.0
"""


def _write(path: Path, lattice: int = 1, quantity: int = 0) -> Path:
    path.write_text(_SMALL.format(lattice=lattice, quantity=quantity))
    return path


@pytest.mark.parametrize(
    ("lattice", "volume"),
    [(1, 1), (2, 1 / 4), (3, 1 / 2), (4, 2 * np.sqrt(0.75)), (6, 2), (8, 3)],
)
def test_lattices_by_number(tmp_path: Path, lattice: int, volume: float) -> None:
    density = read_espresso_plot(_write(tmp_path / "x", lattice))
    assert density.volume == pytest.approx(volume * (4 * 0.529177210903) ** 3)
    assert density.values[1, 0, 0] * 0.529177210903**3 == pytest.approx(2.0)


def test_other_quantities_and_lattices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DensityFormatError, match="plot_num=1 is no charge density"):
        read_espresso_plot(_write(tmp_path / "x", quantity=1))
    with pytest.raises(DensityFormatError, match="ibrav=12 is not supported"):
        read_espresso_plot(_write(tmp_path / "x", lattice=12))


def test_padded_grids_are_cut(tmp_path: Path) -> None:
    text = _SMALL.format(lattice=1, quantity=0).replace(" 2 2 2 2 2 2 1 1", " 3 2 2 2 2 2 1 1")
    (tmp_path / "x").write_text(text + " 9.0 10.0 11.0 12.0\n")
    density = read_espresso_plot(tmp_path / "x")
    assert density.shape == (2, 2, 2)
    assert density.values[0, 1, 0] * 0.529177210903**3 == pytest.approx(4.0)
    (tmp_path / "y").write_text(text + " 9.0 10.0 11.0 12.0\n 13.0\n")
    with pytest.raises(DensityFormatError, match="more follows"):
        read_espresso_plot(tmp_path / "y")
