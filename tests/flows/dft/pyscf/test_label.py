"""Labels of molecules."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pymatgen.core import Molecule

from scdp_flows.dft.pyscf.label import label_structure
from scdp_flows.errors import CalculationError
from scdp_flows.units import HARTREE_TO_EV
from scdp_models.basis.library import lean_basis
from scdp_models.density.evaluate import evaluate_on_grid

if TYPE_CHECKING:
    from scdp_flows.dft.pyscf.inputs import PyscfSettings

pytestmark = pytest.mark.requires("pyscf")


def test_label_of_water(converged_water: Any, cheap: PyscfSettings) -> None:
    label = label_structure(converged_water.structure, cheap, converged_water.basis)
    assert label.density.integral() - 8 == pytest.approx(label.integral_error)
    assert abs(label.integral_error) < cheap.charge_tolerance
    assert label.density.kind == cheap.kind()
    assert label.scf.energy_ev == pytest.approx(converged_water.run.energy_ha * HARTREE_TO_EV)
    assert label.fit is not None
    assert label.fit.info.coulomb_error_ha == pytest.approx(
        converged_water.fit.info.coulomb_error_ha, rel=1e-2
    )
    assert label.fit.info.nmae_percent is not None
    assert 0.05 < label.fit.info.nmae_percent < 0.6


def test_without_a_basis_there_is_no_fit(hydrogen: Molecule, cheap: PyscfSettings) -> None:
    label = label_structure(hydrogen, cheap)
    assert label.fit is None
    assert label.density.magnetization is None


def test_follows_a_translation(hydrogen: Molecule, cheap: PyscfSettings) -> None:
    moved = hydrogen.copy()
    moved.translate_sites(vector=[1.0, -2.0, 0.5])
    here, there = label_structure(hydrogen, cheap), label_structure(moved, cheap)
    np.testing.assert_allclose(there.density.origin - here.density.origin, [1.0, -2.0, 0.5])
    np.testing.assert_allclose(there.density.values, here.density.values, atol=1e-6)


def test_refines_a_grid_that_does_not_hold_the_electrons(
    hydrogen: Molecule, cheap: PyscfSettings
) -> None:
    coarse = replace(cheap, spacing=0.28, padding=4.0, charge_tolerance=1e-3)
    label = label_structure(hydrogen, coarse)
    assert abs(label.integral_error) < 1e-3
    assert label.density.spacing.max() < 0.27


def test_says_what_to_change_where_no_grid_holds_the_electrons(
    hydrogen: Molecule, cheap: PyscfSettings
) -> None:
    tight = replace(cheap, padding=0.8, charge_tolerance=1e-3)
    with pytest.raises(CalculationError, match=r"expected 2 within 0\.001; raise padding"):
        label_structure(hydrogen, tight)


def test_refuses_what_does_not_converge(hydrogen: Molecule, cheap: PyscfSettings) -> None:
    with pytest.raises(CalculationError, match="did not converge"):
        label_structure(hydrogen, replace(cheap, max_cycle=1))


def test_open_shell_has_a_magnetization(cheap: PyscfSettings) -> None:
    radical = Molecule(["O", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.97]])
    label = label_structure(radical, replace(cheap, spin="unrestricted"), lean_basis([1, 8]))
    assert label.density.magnetization is not None
    moment = label.density.magnetization.sum() * label.density.voxel_volume
    assert moment == pytest.approx(1, abs=0.01)
    assert label.density.integral() == pytest.approx(7, abs=0.02)
    assert label.fit is not None
    spin = label.fit.spin
    assert spin is not None
    assert spin.n_electrons() == pytest.approx(1, abs=1e-9)
    grid = label.density
    assert grid.magnetization is not None
    fitted = evaluate_on_grid(spin, grid.origin, grid.cell, grid.shape)
    error = np.abs(fitted - grid.magnetization).sum() * grid.voxel_volume
    assert error < 0.1
    assert 0 < (label.fit.info.spin_coulomb_error_ha or 0) < 1e-3


def test_all_electrons_are_counted_beside_the_cores(
    converged_water: Any, all_electrons: PyscfSettings
) -> None:
    settings = replace(all_electrons, spacing=0.25)
    label = label_structure(converged_water.structure, settings, converged_water.basis)
    assert label.n_electrons == 10
    assert abs(label.integral_error) < 0.01
    # The core of O, on so coarse a grid.
    assert abs(label.density.integral() - 10) > 2 * abs(label.integral_error)
    assert label.fit is not None
    assert label.fit.density.n_electrons() == pytest.approx(10)
    assert label.fit.info.coulomb_error_ha < 5e-5


def test_a_second_try_is_recorded(hydrogen: Molecule, cheap: PyscfSettings) -> None:
    assert label_structure(hydrogen, cheap).scf.correction is None
    label = label_structure(hydrogen, replace(cheap, max_cycle=3))
    assert "second-order steps" in (label.scf.correction or "")
