"""Densities of files are fitted by shells to about a percent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.density import ChargeDensity
from scdp_flows.dft.grids.atoms import atoms_of, project_atoms, solve_atoms
from scdp_flows.dft.grids.fit import fit_grid
from scdp_flows.errors import DensityError
from scdp_flows.io.chgcar import read_chgcar
from scdp_models.basis.named import basis_from_spec
from scdp_models.basis.shells import shell_charge
from scdp_models.density.atomic import AtomicDensity, AtomicReference
from scdp_models.density.evaluate import evaluate_at_points

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def silicon(repository: Path) -> ChargeDensity:
    """Give the density of silicon that VASP wrote."""
    return read_chgcar(repository / "tests" / "data" / "vasp" / "Si2_24_CHGCAR.gz")


@pytest.fixture(scope="module")
def atoms(silicon: ChargeDensity) -> AtomicReference:
    """Give its spherical atoms."""
    nothing = atoms_of({"name": "", "atoms": {}})
    part = project_atoms(silicon, nothing)
    assert part is not None
    return solve_atoms([part], {14: 4.0}, nothing)


def test_a_crystal_is_fitted_to_a_percent(silicon: ChargeDensity, atoms: AtomicReference) -> None:
    fit = fit_grid(silicon, atoms, basis_from_spec("lean", [14]))
    assert fit.info.nmae_percent == pytest.approx(0.77, abs=0.1)
    assert fit.density.n_electrons() == pytest.approx(8)
    assert fit.density.pbc == (True, True, True)


def test_a_molecule_in_its_box_is_a_molecule_again() -> None:
    # One wide Gaussian for an atom, in a box with a corner elsewhere.
    gaussian = AtomicDensity(4.0, (0.6,), (4.0 / float(shell_charge(0, 0.6)),))
    reference = AtomicReference("one Gaussian", {14: gaussian})
    corner = np.array([3.0, -1.0, 0.0])
    place = corner + 4.0
    frame = ChargeDensity(
        np.zeros((30, 30, 30)), 8.0 * np.eye(3), corner, np.array([14]), place[None]
    )
    atom = reference.superposition([14], [place])
    values = evaluate_at_points(atom, frame.coordinates().reshape(-1, 3)).reshape(frame.shape)
    fit = fit_grid(replace(frame, values=values), reference, basis_from_spec("lean", [14]))
    assert fit.density.cell is None
    np.testing.assert_allclose(fit.density.positions[0], place)
    assert fit.info.coulomb_error_ha < 1e-6
    assert np.abs(fit.difference.coefficients).max() < 0.01


def test_ions_are_refused(silicon: ChargeDensity, atoms: AtomicReference) -> None:
    ion = replace(silicon, values=silicon.values * 7 / 8)
    with pytest.raises(DensityError, match=r"Si2: holds 7\.0.* electrons and neutral atoms have 8"):
        fit_grid(ion, atoms, basis_from_spec("lean", [14]))
