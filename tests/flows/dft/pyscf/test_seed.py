"""Starting from a density never changes the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pymatgen.core import Molecule

from scdp_flows.dft.base import SpinDensities
from scdp_flows.dft.pyscf.atoms import atomic_reference
from scdp_flows.dft.pyscf.label import fit_of_run
from scdp_flows.dft.pyscf.molecule import build_molecule, mean_field
from scdp_flows.dft.pyscf.scf import run_scf
from scdp_flows.dft.pyscf.seed import (
    check_seedable,
    checked_start,
    density_start,
    run_seeded,
    seed_density_matrix,
)
from scdp_flows.errors import CalculationError
from scdp_models.basis.library import lean_basis

if TYPE_CHECKING:
    from scdp_flows.dft.base import Fit
    from scdp_flows.dft.pyscf.inputs import PyscfSettings
    from scdp_flows.dft.pyscf.scf import ScfRun
    from scdp_flows.dft.pyscf.seed import SeededRun
    from scdp_models.density.orbital import OrbitalDensity

pytestmark = pytest.mark.requires("pyscf")


def _seeded(water: Any, density: OrbitalDensity, **options: Any) -> SeededRun:
    make = density_start(water.mol, density, grid_level=1)
    return run_seeded(water.mol, water.settings, make, conv_tol_ha=1e-9, **options)


def test_a_fit_saves_iterations_and_leads_to_the_same_energy(converged_water: Any) -> None:
    seeded = _seeded(converged_water, converged_water.fit.density)
    assert seeded.fallback_reason is None
    assert seeded.result is seeded.attempt
    assert seeded.result.iterations <= converged_water.run.iterations - 3
    assert seeded.result.energy_ha == pytest.approx(converged_water.run.energy_ha, abs=1e-8)


def test_a_small_excess_is_scaled_away(converged_water: Any) -> None:
    density = converged_water.fit.density
    mf = mean_field(converged_water.mol, converged_water.settings)
    exact = seed_density_matrix(converged_water.mol, mf, density)
    scaled = seed_density_matrix(converged_water.mol, mf, density.scaled(1.01))
    np.testing.assert_allclose(scaled, exact, atol=1e-9)


def _noise(water: Any) -> OrbitalDensity:
    density = water.fit.density
    values = np.random.default_rng(1).normal(size=density.n_functions)
    noisy = replace(density, coefficients=density.coefficients + 0.5 * values)
    scaled: OrbitalDensity = noisy.scaled(8 / noisy.n_electrons())
    return scaled


def _on_one_atom(water: Any) -> OrbitalDensity:
    atoms = water.reference.superposition([8], water.structure.cart_coords[:1])
    scaled: OrbitalDensity = atoms.scaled(8 / 6)
    return scaled


def _turned(water: Any) -> OrbitalDensity:
    density: OrbitalDensity = water.fit.density
    return density.rotated([[0, 1, 0], [0, 0, 1], [1, 0, 0]])


def _moved_away(water: Any) -> OrbitalDensity:
    density: OrbitalDensity = water.fit.density
    return density.translated([3.0, 0.0, 0.0])


@pytest.mark.parametrize("spoil", [_noise, _on_one_atom, _turned, _moved_away])
def test_bad_seeds_do_not_change_the_answer(spoil: Any, converged_water: Any) -> None:
    run = converged_water.run
    seeded = _seeded(converged_water, spoil(converged_water), default=run)
    assert seeded.result.converged
    assert seeded.result.energy_ha == pytest.approx(run.energy_ha, abs=1e-7)


def test_wrong_electron_count_falls_back(converged_water: Any) -> None:
    seeded = _seeded(converged_water, converged_water.fit.density.scaled(1.2))
    assert seeded.fallback_reason is not None
    assert "9.6000 electrons, the molecule 8" in seeded.fallback_reason
    assert seeded.attempt is None
    assert seeded.result.iterations == converged_water.run.iterations
    assert seeded.result.energy_ha == pytest.approx(converged_water.run.energy_ha, abs=1e-9)


def test_infinite_matrix_falls_back(converged_water: Any) -> None:
    density = converged_water.fit.density
    coefficients = density.coefficients.copy()
    coefficients[np.flatnonzero(density.charges == 0)] = 1e200
    seeded = _seeded(converged_water, replace(density, coefficients=coefficients))
    assert seeded.fallback_reason == "the Fock matrix of the starting density is not finite"
    assert seeded.result.converged


def test_periodic_density_falls_back(converged_water: Any) -> None:
    periodic = replace(converged_water.fit.density, cell=9 * np.eye(3), pbc=(True, True, True))
    seeded = _seeded(converged_water, periodic, default=converged_water.run)
    assert seeded.fallback_reason is not None
    assert "periodic" in seeded.fallback_reason
    assert seeded.result is converged_water.run


def test_a_higher_state_falls_back(converged_water: Any) -> None:
    default = replace(converged_water.run, energy_ha=converged_water.run.energy_ha - 5e-3)
    seeded = _seeded(converged_water, converged_water.fit.density, default=default)
    assert seeded.fallback_reason is not None
    assert "5.00e-03 Ha above" in seeded.fallback_reason
    assert seeded.result is default
    assert seeded.attempt is not None


def test_no_convergence_falls_back(converged_water: Any) -> None:
    limited = replace(converged_water.settings, max_cycle=2)
    make = density_start(converged_water.mol, converged_water.fit.reference)
    default = converged_water.run
    seeded = run_seeded(converged_water.mol, limited, make, conv_tol_ha=1e-9, default=default)
    assert seeded.fallback_reason == "the seeded calculation did not converge in 2 cycles"
    assert seeded.result is default


def test_open_shells_are_not_seeded(cheap: PyscfSettings, hydrogen: Molecule) -> None:
    settings = replace(cheap, spin="unrestricted")
    mol = build_molecule(hydrogen, settings)
    with pytest.raises(CalculationError, match="open shells are not seeded"):
        check_seedable(mol, mean_field(mol, settings))
    total = atomic_reference(cheap, [1]).superposition([1, 1], hydrogen.cart_coords)
    seeded = run_seeded(mol, settings, density_start(mol, total))
    assert seeded.fallback_reason is not None
    assert "open shells are not seeded" in seeded.fallback_reason
    assert seeded.result.energy_ha == pytest.approx(run_scf(mol, settings).energy_ha)


@pytest.fixture(scope="module")
def hydroxyl(cheap: PyscfSettings) -> tuple[Any, PyscfSettings, ScfRun, Fit]:
    """Give a converged OH radical and the fit of both its densities."""
    settings = replace(cheap, spin="unrestricted")
    # Turned out of the axes: in GTH-PBE the hole of OH picks a direction.
    radical = Molecule(["O", "H"], [[0.0, 0.1, 0.0], [0.3, 0.2, 0.92]], spin_multiplicity=2)
    mol = build_molecule(radical, settings)
    run = run_scf(mol, settings, conv_tol_ha=1e-9)
    return mol, settings, run, fit_of_run(run, radical, settings, lean_basis([1, 8]))


def test_both_densities_of_a_radical_save_iterations(
    hydroxyl: tuple[Any, PyscfSettings, ScfRun, Fit],
) -> None:
    mol, settings, run, fit = hydroxyl
    assert fit.spin is not None
    assert fit.spin.n_electrons() == pytest.approx(1, abs=1e-9)
    make = density_start(mol, SpinDensities(fit.density, fit.spin))
    seeded = run_seeded(mol, settings, make, conv_tol_ha=1e-9, default=run)
    assert seeded.fallback_reason is None
    assert seeded.result.iterations <= run.iterations - 2
    assert seeded.result.energy_ha == pytest.approx(run.energy_ha, abs=1e-7)


def test_a_spin_density_of_another_state_is_refused(
    hydroxyl: tuple[Any, PyscfSettings, ScfRun, Fit],
) -> None:
    mol, settings, run, fit = hydroxyl
    assert fit.spin is not None
    make = density_start(mol, SpinDensities(fit.density, fit.spin.scaled(3.0)))
    seeded = run_seeded(mol, settings, make, conv_tol_ha=1e-9, default=run)
    assert seeded.fallback_reason is not None
    assert "holds 3.0000 unpaired electrons" in seeded.fallback_reason
    assert seeded.result is run


def test_a_start_without_all_electrons_is_refused(converged_water: Any) -> None:
    mf = mean_field(converged_water.mol, converged_water.settings)
    fock = mf.get_hcore()
    mf.get_occ = lambda energies, _: np.where(np.arange(len(energies)) < 3, 2.0, 0.0)
    with pytest.raises(CalculationError, match="holds 6"):
        checked_start(converged_water.mol, mf, fock)
