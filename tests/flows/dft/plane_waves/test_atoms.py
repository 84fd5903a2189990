"""Atoms of pseudopotential files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.dft.espresso.scf import run_scf
from scdp_flows.dft.plane_waves.atoms import (
    atomic_reference,
    form_factor,
    given_reference,
    superposed_waves,
)
from scdp_flows.dft.plane_waves.wave_list import reciprocal_vectors, wave_list
from scdp_flows.errors import SettingsError
from scdp_models.basis.shells import shell_charge

if TYPE_CHECKING:
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.plane_waves.structure import Crystal


def test_the_transform_of_a_gaussian(toy: EspressoSettings) -> None:
    lengths = np.array([0.0, 0.7, 3.0, 0.7])
    found = form_factor(toy.pseudopotential("Si"), lengths)
    np.testing.assert_allclose(found, 4 * np.exp(-(lengths**2) / 2), atol=1e-5)


def test_a_gaussian_is_fitted_by_gaussians(toy: EspressoSettings) -> None:
    atom = atomic_reference(toy, [14]).atom(14)
    exponents = np.array(atom.exponents)
    lengths = np.linspace(0, 6, 40)
    weights = np.array(atom.coefficients) * shell_charge(0, exponents)
    fitted = np.exp(-(lengths[:, None] ** 2) / (4 * exponents)) @ weights
    np.testing.assert_allclose(fitted, 4 * np.exp(-(lengths**2) / 2), atol=2e-4)
    assert atom.n_electrons == 4.0


def test_superposed_atoms_hold_the_electrons(toy_crystal: Crystal, toy: EspressoSettings) -> None:
    indices = wave_list(toy_crystal, toy)
    values = superposed_waves(toy_crystal, toy, indices) * toy_crystal.volume_bohr
    assert values[0] == pytest.approx(8.0, abs=1e-12)
    lengths = np.linalg.norm(indices @ reciprocal_vectors(toy_crystal.cell_bohr), axis=1)
    assert (np.abs(values) <= 8 * np.exp(-(lengths**2) / 2) + 1e-4).all()


def test_given_atoms(toy: EspressoSettings) -> None:
    document = atomic_reference(toy, [14]).to_dict()
    assert list(given_reference(document, [14, 14]).atoms) == [14]
    with pytest.raises(SettingsError, match="atomic number 8"):
        given_reference(document, [8])


def test_analytical_pseudopotentials_have_no_atom(toy: EspressoSettings) -> None:
    pseudo = toy.pseudopotential("Si")
    with pytest.raises(SettingsError, match="field `reference`"):
        form_factor(replace(pseudo, radii=None), np.zeros(1))


@pytest.mark.requires("espresso")
@pytest.mark.parametrize("kshift", [(0, 0, 0), (1, 1, 1)], ids=["half the waves", "all waves"])
def test_the_program_starts_from_the_same_density(
    converged: tuple[Crystal, EspressoSettings, object], kshift: tuple[int, int, int]
) -> None:
    """One cycle without mixing: from our file and from its own guess to the same energy."""
    crystal, settings, _ = converged
    from scdp_flows.dft.espresso.files import SeedFiles
    from scdp_flows.io.espresso_waves import EspressoWaves

    once = replace(settings, max_cycle=1, kshift=kshift)
    indices = wave_list(crystal, once)
    waves = EspressoWaves(
        once.gamma_only,
        reciprocal_vectors(crystal.cell_bohr),
        indices,
        [superposed_waves(crystal, once, indices)],
    )
    own, ours = (
        run_scf(crystal, once, seed, diago_thr_init=1e-10) for seed in (None, SeedFiles(waves))
    )
    assert ours.output.density_was_read
    assert ours.output.starting_charge is None
    assert ours.energy_ha == pytest.approx(own.energy_ha, abs=1e-8)
