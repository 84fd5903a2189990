"""The Coulomb metric of crystals in reciprocal space."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_models.data.periodic import (
    HalfSphere,
    crystal_projection,
    function_waves,
    half_sphere,
    wave_projection,
)
from scdp_models.density.coulomb import coulomb_matrix
from scdp_models.density.fourier import rho_g
from scdp_models.errors import DensityError

if TYPE_CHECKING:
    from scdp_models.density.orbital import OrbitalDensity

CELL = np.array([[4.0, 0.3, 0.0], [0.2, 4.2, -0.4], [0.0, 0.5, 4.4]])


@pytest.fixture
def crystal(difference: OrbitalDensity) -> OrbitalDensity:
    """Give a neutral density in a skew cell."""
    return replace(difference, cell=CELL, pbc=(True, True, True))


def test_one_of_each_pair_without_the_constant() -> None:
    sphere = half_sphere(CELL, 4.0)
    both = np.concatenate([sphere.miller, -sphere.miller])
    assert len(np.unique(both, axis=0)) == len(both)
    assert not (both == 0).all(axis=1).any()
    assert np.linalg.norm(sphere.vectors, axis=1).max() <= 4.0
    volume = 4 / 3 * np.pi * 4.0**3 * abs(np.linalg.det(CELL)) / (0.529177**3 * (2 * np.pi) ** 3)
    assert len(both) == pytest.approx(volume, rel=0.05)


def test_functions_add_up_to_the_density(crystal: OrbitalDensity) -> None:
    sphere = half_sphere(CELL, 3.0)
    waves = function_waves(crystal, sphere.vectors) @ crystal.coefficients
    np.testing.assert_allclose(waves, rho_g(crystal, sphere.miller), atol=1e-12)


def test_a_wide_cell_has_the_metric_of_the_molecule(difference: OrbitalDensity) -> None:
    box = replace(difference, cell=np.eye(3) * 13.0, pbc=(True, True, True))
    neutral = [n for n in range(box.n_functions) if not box.charges[n]]
    metric, _ = crystal_projection(box, box)
    exact = coulomb_matrix(difference)
    block = np.ix_(neutral, neutral)
    # Dipoles see their images, which falls off with the third power of the distance.
    np.testing.assert_allclose(metric[block], exact[block], atol=1e-2)


def test_the_right_hand_side_belongs_to_the_metric(crystal: OrbitalDensity) -> None:
    metric, right = crystal_projection(crystal, crystal)
    np.testing.assert_allclose(metric @ crystal.coefficients, right, atol=1e-10)
    assert np.linalg.eigvalsh(metric).min() > 0


def test_given_waves_are_projected_alike(crystal: OrbitalDensity) -> None:
    sphere = HalfSphere.of(half_sphere(CELL, 5.0).miller, CELL)
    metric, right = wave_projection(crystal, sphere, rho_g(crystal, sphere.miller))
    np.testing.assert_allclose(metric @ crystal.coefficients, right, atol=1e-10)


def test_slabs_have_no_such_metric(crystal: OrbitalDensity) -> None:
    slab = replace(crystal, pbc=(True, True, False))
    with pytest.raises(DensityError, match="three periodic"):
        crystal_projection(slab, slab)
