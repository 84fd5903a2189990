"""Densities start a crystal, or are refused with a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scdp_flows.dft.plane_waves.seed import run_seeded
from scdp_flows.dft.pyscf_crystals.label import crystal_atoms
from scdp_flows.dft.pyscf_crystals.seed import (
    CrystalCalculation,
    density_seed,
    grid_seed,
    grid_waves,
)
from scdp_flows.errors import CalculationError
from scdp_flows.io.espresso_waves import waves_on_grid

pytestmark = pytest.mark.requires("pyscf")


def _atoms(silicon: Any, factor: float = 1.0) -> Any:
    structure = silicon.structure
    reference = crystal_atoms(silicon.settings, [14])
    atoms = reference.superposition(
        [14, 14], structure.cart_coords, structure.lattice.matrix, (True, True, True)
    )
    return atoms.scaled(factor)


def test_the_exact_density_saves_all_but_the_last_iterations(silicon_run: Any) -> None:
    system, settings, default = silicon_run.system, silicon_run.settings, silicon_run.run
    calculation = CrystalCalculation(system, 1e-9)
    rho = system.grid.density(default.dm)
    seeded = run_seeded(calculation, lambda: grid_seed(system, settings, rho), default=default)
    assert seeded.fallback_reason is None
    assert seeded.seed_effort.hamiltonian_calls == 1
    assert seeded.result.iterations <= default.iterations - 3
    assert seeded.result.energy_ha == pytest.approx(default.energy_ha, abs=1e-7)


def test_superposed_atoms_hold_the_electrons_and_lead_to_the_same_energy(silicon_run: Any) -> None:
    system, settings, default = silicon_run.system, silicon_run.settings, silicon_run.run
    calculation = CrystalCalculation(system, 1e-9)
    # A small excess is scaled away.
    seed = density_seed(system, settings, _atoms(silicon_run, 1.01))
    values = waves_on_grid(seed.waves, seed.waves.components[0], system.grid.shape)
    assert values.mean() * system.cell.vol == pytest.approx(8.0)
    assert calculation.run(seed).energy_ha == pytest.approx(default.energy_ha, abs=1e-7)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_refuses_wrong_electron_counts(silicon_run: Any, factor: float) -> None:
    with pytest.raises(CalculationError, match="electrons"):
        density_seed(silicon_run.system, silicon_run.settings, _atoms(silicon_run, factor))


def test_refuses_molecular_densities(silicon_run: Any) -> None:
    reference = crystal_atoms(silicon_run.settings, [14])
    molecule = reference.superposition([14, 14], silicon_run.structure.cart_coords)
    with pytest.raises(CalculationError, match="not periodic"):
        density_seed(silicon_run.system, silicon_run.settings, molecule)


def test_refuses_what_is_not_finite(silicon_run: Any) -> None:
    values = np.full(silicon_run.system.grid.n_points, np.nan)
    with pytest.raises(CalculationError, match="not finite"):
        grid_seed(silicon_run.system, silicon_run.settings, values)


def test_waves_of_a_grid_give_it_back(silicon_run: Any) -> None:
    system = silicon_run.system
    rho = system.grid.density(silicon_run.run.dm)
    waves = grid_waves(system, silicon_run.settings, rho)
    back = waves_on_grid(waves, waves.components[0], system.grid.shape).ravel()
    assert np.abs(back - rho).sum() < 2e-3 * rho.sum()  # the corners beyond the cut-off
