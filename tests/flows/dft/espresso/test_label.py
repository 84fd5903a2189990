"""Labels of crystals."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scdp_flows.dft.espresso.label import label_structure
from scdp_flows.dft.plane_waves.atoms import atomic_reference
from scdp_models.basis.library import crystal_basis
from scdp_models.density.evaluate import evaluate_on_grid

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from scdp_flows.dft.espresso.inputs import EspressoSettings


@pytest.mark.requires("espresso")
def test_grid_and_fit_are_one_density(distorted: Structure, cheap: EspressoSettings) -> None:
    label = label_structure(distorted, cheap, (atomic_reference(cheap, [14]), crystal_basis([14])))
    assert label.fit is not None
    assert label.fit.info.nmae_percent is not None
    assert abs(label.integral_error) < 1e-9
    assert label.density.kind == cheap.kind()
    grid = label.density
    values = evaluate_on_grid(label.fit.density, grid.origin, grid.cell, grid.shape)
    error = 100 * abs(values - grid.values).sum() / grid.values.sum()
    # The grid ends where the density's cut-off does; the Gaussians go on.
    assert error == pytest.approx(label.fit.info.nmae_percent, abs=0.5)
    assert label.scf.n_orbitals > 100
    assert label.cpu_s >= label.scf.cpu_s


@pytest.mark.requires("espresso")
def test_a_second_try_is_recorded(distorted: Structure, cheap: EspressoSettings) -> None:
    label = label_structure(distorted, replace(cheap, max_cycle=15, mixing_beta=5.0))
    assert "mixing_beta is now 0.3" in (label.scf.correction or "")
