"""Matrices on the grid are those of PySCF's own, slower way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scdp_flows.dft.pyscf_crystals.grid import CrystalGrid
from scdp_flows.errors import CalculationError

pytestmark = pytest.mark.requires("pyscf")


def test_the_density_holds_the_electrons_with_and_without_orbitals(silicon_run: Any) -> None:
    grid, dm = silicon_run.system.grid, silicon_run.run.dm
    rho = grid.density(dm)
    assert rho.mean() * silicon_run.system.cell.vol == pytest.approx(8.0, abs=1e-6)
    np.testing.assert_allclose(grid.density(np.asarray(dm)), rho, atol=1e-12)


def test_core_and_total_energy_agree_with_pyscf(silicon_run: Any) -> None:
    from pyscf.pbc.dft import krks

    system, run = silicon_run.system, silicon_run.run
    stock = krks.KRKS(system.cell, system.kpts, xc="PBE")
    core = stock.get_hcore()
    np.testing.assert_allclose(system.core, core, atol=1e-7)
    # PySCF takes gradients from the orbitals, we from the density: equal on a fine grid only.
    energy = stock.energy_tot(run.dm, core, stock.get_veff(system.cell, run.dm))
    assert energy == pytest.approx(run.energy_ha, abs=2e-5)


@pytest.mark.parametrize("mesh", [(3, 1, 1), (1, 3, 2)], ids=str)
def test_opposite_points_share_their_orbitals(silicon_run: Any, mesh: Any) -> None:
    cell = silicon_run.system.cell
    kpts = cell.make_kpts(mesh)
    grid = CrystalGrid(cell, kpts, "PBE", max_memory_gb=1.0)
    potential = np.random.default_rng(0).normal(size=grid.n_points)
    points = cell.get_uniform_grids(cell.mesh)
    for found, ao in zip(
        grid.matrices(potential), cell.pbc_eval_gto("PBCGTOval", points, kpts=kpts), strict=True
    ):
        exact = ao.conj().T @ (potential[:, None] * ao) * cell.vol / grid.n_points
        np.testing.assert_allclose(found, exact, atol=1e-10)


def test_the_potential_is_the_derivative_of_the_energy(silicon_run: Any) -> None:
    grid, cell = silicon_run.system.grid, silicon_run.system.cell
    rho = grid.density(silicon_run.run.dm)
    step = 1e-3 * rho * np.cos(np.arange(rho.size))
    plus, minus = grid.potential(rho + step), grid.potential(rho - step)
    energy = [found.coulomb_ha + found.xc_ha for found in (plus, minus)]
    slope = 2 * float(grid.potential(rho).values @ step) * cell.vol / rho.size
    assert energy[0] - energy[1] == pytest.approx(slope, rel=5e-3)


def test_refuses_what_does_not_fit_into_memory(silicon_run: Any) -> None:
    system = silicon_run.system
    with pytest.raises(CalculationError, match="max_memory_gb"):
        CrystalGrid(system.cell, system.kpts, "PBE", max_memory_gb=1e-3)
