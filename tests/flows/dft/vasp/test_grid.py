from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure

from scdp_flows.dft.vasp.grid import fft_grid
from scdp_flows.errors import CalculationError

# The real run in the test data: VASP chose 60x60x60.
SILICON = Structure(
    Lattice([[3.867422, 0, 0], [1.933711, 3.349287, 0], [0, -2.232856, 3.157737]]),
    ["Si", "Si"],
    [[0.0, 0.0, 0.0], [0.75, 0.5, 0.75]],
)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"ENCUT": 520, "PREC": "Accurate"}, (60, 60, 60)),
        ({"ENCUT": 520, "PREC": "accurate", "NGXF": 72}, (72, 60, 60)),
        ({"ENCUT": 520, "PREC": "Accurate", "NGZ": 40}, (60, 60, 80)),
        ({"ENCUT": 520, "PREC": "Single"}, (30, 30, 30)),
        ({"NGXF": 20, "NGYF": 20, "NGZF": 24}, (20, 20, 24)),
    ],
    ids=["as the real run", "one fine tag", "one coarse tag", "single", "all tags"],
)
def test_the_grid_is_the_one_that_vasp_chooses(
    tags: dict[str, object], expected: tuple[int, int, int]
) -> None:
    assert fft_grid(tags, SILICON, None) == expected


def test_the_cutoff_of_the_potcar_stands_in() -> None:
    tags = {"PREC": "Accurate"}
    assert fft_grid(tags, SILICON, 520.0) == (60, 60, 60)
    with pytest.raises(CalculationError, match="ENCUT"):
        fft_grid(tags, SILICON, None)


@pytest.mark.parametrize("precision", ["Low", "High", "SingleN"])
def test_precisions_without_a_rule_are_refused(precision: str) -> None:
    with pytest.raises(CalculationError, match="PREC"):
        fft_grid({"ENCUT": 520, "PREC": precision}, SILICON, None)
