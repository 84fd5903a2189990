"""Meshes that lack the symmetry of the lattice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pymatgen.core import Lattice

from scdp_flows.dft.plane_waves.kpoint_mesh import lacks_symmetry, warn_of_mesh

_FCC = 2.7 * (np.ones((3, 3)) - np.eye(3))
_STRAIN = np.eye(3) + np.array([[0.02, 0.01, 0.0], [0.01, -0.02, 0.02], [0.0, 0.02, 0.01]])
_CELLS = {
    "cubic": 4.0 * np.eye(3),
    "fcc": _FCC,
    "strained fcc": _FCC @ _STRAIN,
    "hexagonal": Lattice.hexagonal(3.0, 5.0).matrix,
    "triclinic": np.array([[3.0, 0.4, 0.2], [1.3, 4.6, 0.5], [-0.7, 2.1, 6.9]]),
}


@pytest.mark.parametrize(
    ("name", "kpoints", "kshift", "expected"),
    [
        ("cubic", (2, 2, 2), (1, 1, 1), False),
        ("cubic", (2, 2, 1), (0, 0, 0), True),
        ("fcc", (2, 2, 2), (0, 0, 0), False),
        ("fcc", (3, 3, 3), (0, 0, 0), False),
        ("fcc", (2, 2, 2), (1, 1, 1), True),
        ("strained fcc", (4, 4, 4), (0, 0, 0), False),
        ("strained fcc", (2, 2, 2), (1, 1, 1), True),
        ("hexagonal", (3, 3, 2), (0, 0, 1), False),
        ("hexagonal", (2, 2, 2), (1, 1, 1), True),
        ("triclinic", (2, 3, 1), (1, 0, 1), False),
    ],
)
def test_a_mesh_is_held_to_the_lattice(
    name: str, kpoints: Any, kshift: Any, expected: bool
) -> None:
    assert lacks_symmetry(_CELLS[name], kpoints, kshift) is expected


def test_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        warn_of_mesh(_FCC, (6, 6, 6), (1, 1, 1))
        warn_of_mesh(_FCC, (6, 6, 6))
    (record,) = caplog.records
    assert "(6, 6, 6), shifted by (1, 1, 1), lack the symmetry" in record.getMessage()
