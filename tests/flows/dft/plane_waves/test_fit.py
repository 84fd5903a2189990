"""Fits of plane-wave densities by Gaussian shells."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.dft.plane_waves.atoms import atomic_reference
from scdp_flows.dft.plane_waves.fit import fit_shells, fit_waves
from scdp_flows.dft.plane_waves.wave_list import reciprocal_vectors, wave_list
from scdp_flows.io.espresso_waves import EspressoWaves
from scdp_models.basis.library import crystal_basis
from scdp_models.basis.shells import BasisSet, ElementBasis
from scdp_models.density.fourier import rho_g

if TYPE_CHECKING:
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.plane_waves.structure import Crystal


@pytest.mark.parametrize("shift", [0, 1], ids=["half the waves", "all waves"])
def test_a_density_in_the_span_is_found(
    toy_crystal: Crystal, toy: EspressoSettings, rng: np.random.Generator, shift: int
) -> None:
    settings = replace(toy, kshift=(shift,) * 3, ecutrho_ry=40.0)
    basis = BasisSet("small", {14: ElementBasis((0, 1, 2), (0.4, 0.5, 0.6))})
    shells = fit_shells(toy_crystal, basis)
    coefficients = rng.normal(size=shells.n_functions) * (shells.charges == 0)
    reference = atomic_reference(settings, [14])
    atoms = reference.superposition([14, 14], toy_crystal.positions, toy_crystal.cell, (True,) * 3)
    density = atoms + replace(shells, coefficients=coefficients)
    indices = wave_list(toy_crystal, settings)
    values = rho_g(density, indices) / toy_crystal.volume_bohr
    spin = replace(shells, coefficients=rng.normal(size=shells.n_functions))
    magnetisation = rho_g(spin, indices) / toy_crystal.volume_bohr
    reciprocal = reciprocal_vectors(toy_crystal.cell_bohr)
    waves = EspressoWaves(settings.gamma_only, reciprocal, indices, [values])
    fit = fit_waves(toy_crystal, waves, reference, basis, (24, 24, 24))
    assert fit.spin is None
    np.testing.assert_allclose(fit.difference.coefficients, coefficients, atol=1e-4)
    assert fit.info.coulomb_error_ha < 1e-9
    assert fit.info.n_electrons == pytest.approx(8.0, abs=1e-10)
    assert fit.info.nmae_percent == pytest.approx(0.0, abs=1e-3)
    waves.components.append(magnetisation)
    both = fit_waves(toy_crystal, waves, reference, basis, (24, 24, 24))
    assert both.spin is not None
    np.testing.assert_allclose(both.spin.coefficients, spin.coefficients, atol=1e-4)
    assert both.spin.n_electrons() == pytest.approx(spin.n_electrons())
    assert (both.info.spin_coulomb_error_ha or 0.0) < 1e-9


def test_bonds_carry_shells_where_the_basis_has_them(toy_crystal: Crystal) -> None:
    shells = fit_shells(toy_crystal, crystal_basis([14], midpoints="smaller"))
    assert (shells.numbers == 14).sum() == 2
    assert (shells.numbers == 0).sum() == 4
    assert shells.pbc == (True, True, True)


@pytest.mark.requires("espresso")
def test_silicon_needs_degree_four(converged: tuple[Crystal, EspressoSettings, object]) -> None:
    crystal, settings, run = converged
    waves, shape = run.final.waves, run.density.shape  # type: ignore[attr-defined]
    reference = atomic_reference(settings, [14])
    full = crystal_basis([14])
    shells = full.for_species(14)
    lower = [(l, a) for l, a in zip(shells.ls, shells.exponents, strict=True) if l < 4]
    cut = BasisSet("l3", {14: ElementBasis(*map(tuple, zip(*lower, strict=True)))})
    errors = [fit_waves(crystal, waves, reference, basis, shape).info for basis in (full, cut)]
    assert errors[0].nmae_percent is not None
    assert errors[0].nmae_percent < 2
    assert errors[1].coulomb_error_ha > 5 * errors[0].coulomb_error_ha
