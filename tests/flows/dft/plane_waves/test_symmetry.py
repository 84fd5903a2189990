"""Symmetric densities."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.dft.plane_waves.atoms import superposed_waves
from scdp_flows.dft.plane_waves.structure import as_crystal
from scdp_flows.dft.plane_waves.symmetry import space_group, symmetrised
from scdp_flows.dft.plane_waves.wave_list import reciprocal_vectors, wave_list
from scdp_flows.errors import CalculationError
from scdp_flows.io.espresso_waves import EspressoWaves

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from scdp_flows.dft.espresso.inputs import EspressoSettings


@pytest.mark.parametrize("shift", [0, 1], ids=["half the waves", "all waves"])
def test_symmetric_part_of_a_density(
    silicon: Structure, toy: EspressoSettings, rng: np.random.Generator, shift: int
) -> None:
    settings = replace(toy, kshift=(shift,) * 3)
    crystal = as_crystal(silicon, settings)
    indices = wave_list(crystal, settings)
    waves = EspressoWaves(settings.gamma_only, reciprocal_vectors(crystal.cell_bohr), indices, [])
    group = space_group(crystal)
    assert len(group) == 48
    atoms = superposed_waves(crystal, settings, indices)
    np.testing.assert_allclose(symmetrised(waves, atoms, group), atoms, atol=1e-10)
    noise = atoms + 1e-2 * (rng.normal(size=len(atoms)) + 1j * rng.normal(size=len(atoms)))
    once = symmetrised(waves, noise, group)
    np.testing.assert_allclose(symmetrised(waves, once, group), once, atol=1e-12)
    assert np.linalg.norm(once - atoms) < 0.5 * np.linalg.norm(noise - atoms)


def test_a_magnetisation_that_the_symmetry_forbids_is_refused(
    silicon: Structure, toy: EspressoSettings
) -> None:
    crystal = as_crystal(silicon, toy)
    indices = wave_list(crystal, toy)
    waves = EspressoWaves(toy.gamma_only, reciprocal_vectors(crystal.cell_bohr), indices, [])
    group = space_group(crystal)
    first, second = np.exp(-1j * indices @ (2 * np.pi * silicon.frac_coords.T)).T
    shape = np.exp(-0.1 * ((indices @ waves.reciprocal) ** 2).sum(axis=1))
    parallel = shape * (first + second)
    np.testing.assert_allclose(symmetrised(waves, parallel, group), parallel, atol=1e-10)
    with pytest.raises(CalculationError, match="opposite moments of one element"):
        symmetrised(waves, shape * (first - second), group)


def test_a_distorted_crystal_has_few_operations(
    distorted: Structure, toy: EspressoSettings
) -> None:
    assert len(space_group(as_crystal(distorted, toy))) < 48
