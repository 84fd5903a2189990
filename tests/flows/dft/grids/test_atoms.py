"""Spherical atoms are found that a set of densities is closest to."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.dft.grids.atoms import atoms_of, project_atoms, solve_atoms, valence_electrons
from scdp_flows.errors import DatasetError
from scdp_flows.io.chgcar import read_chgcar
from scdp_models.density.evaluate import evaluate_on_grid

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = {"name": "", "atoms": {}}


def test_valence_electrons_follow_from_the_densities() -> None:
    counts = [(Counter({26: 2}), 16.0), (Counter({26: 6, 8: 8}), 96.0003)]
    assert valence_electrons(counts, {}) == {26: 8.0, 8: 6.0}
    assert valence_electrons(counts[:1], {26: 14.0}) == {26: 14.0}


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        ([(Counter({11: 1, 17: 1}), 8.0), (Counter({3: 1}), 1.0)], "each of Na, Cl has"),
        ([(Counter({1: 1, 3: 1}), 4.0), (Counter({3: 1}), 1.0)], "H=3, Li=1 come closest"),
        ([(Counter({14: 1}), 4.0), (Counter({14: 2}), 7.5)], "1 densities hold others"),
    ],
)
def test_what_does_not_tell_is_said(counts: list[tuple[Counter[int], float]], why: str) -> None:
    with pytest.raises(DatasetError, match=why):
        valence_electrons(counts, {})


def test_atoms_of_iron_hold_their_electrons_and_explain_most_of_it(repository: Path) -> None:
    density = read_chgcar(repository / "tests" / "data" / "vasp" / "Fe2_cubic_CHGCAR.gz")
    part = project_atoms(density, atoms_of(NOTHING))
    assert part is not None
    found = solve_atoms([part], {26: 8.0}, atoms_of(NOTHING))
    superposed = found.superposition(density.numbers, density.positions, density.cell, density.pbc)
    assert superposed.n_electrons() == pytest.approx(16)
    values = evaluate_on_grid(superposed, np.zeros(3), density.cell, density.shape)
    nmae = np.abs(values - density.values).sum() / np.abs(density.values).sum()
    assert nmae == pytest.approx(0.06, abs=0.04)
    assert project_atoms(density, found) is None
