"""The pairwise kernel against PySCF, finite differences and explicit lattice sums."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_models.density.reference import pairwise_density
from scdp_models.errors import DensityError
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_models.density.orbital import OrbitalDensity

    MakeDensity = Callable[..., OrbitalDensity]

TRICLINIC = np.array([[4.0, 0.2, 0.0], [1.1, 3.5, 0.1], [0.3, -0.9, 4.4]])


@pytest.mark.requires("pyscf")
def test_values_are_those_of_pyscf(random_density: MakeDensity, rng: np.random.Generator) -> None:
    from pyscf import gto

    density, points = random_density([[0.3, -0.2, 0.5]]), rng.normal(size=(30, 3))
    pairs = zip(density.shell_ls, density.shell_exponents, strict=True)
    basis = {"H": [[int(l), [float(a), 1.0]] for l, a in pairs]}
    mol = gto.M(atom=[("H", density.positions[0])], basis=basis, unit="Angstrom", spin=1, verbose=0)
    values = mol.eval_gto("GTOval_sph", points / BOHR_TO_ANGSTROM)
    coefficients = density.coefficients.copy()
    for offset in density.shell_offsets[density.shell_ls == 1]:
        # Ours are (y, z, x), those of PySCF (x, y, z).
        coefficients[offset : offset + 3] = coefficients[offset + np.array([2, 0, 1])]
    expected = values @ coefficients / BOHR_TO_ANGSTROM**3
    np.testing.assert_allclose(pairwise_density(density, points), expected, atol=1e-12)


@pytest.mark.parametrize("periodic", [False, True])
def test_gradient_is_the_derivative(
    random_density: MakeDensity, rng: np.random.Generator, periodic: bool
) -> None:
    density = random_density(cell=TRICLINIC, pbc=(periodic,) * 3, exponents=(0.3, 2.0))
    points, step = rng.normal(size=(10, 3)), 1e-4
    values, gradient = pairwise_density(density, points, gradient=True)
    np.testing.assert_allclose(values, pairwise_density(density, points), atol=1e-13)
    for axis in range(3):
        shift = step * np.eye(3)[axis]
        ends = [pairwise_density(density, points + s * shift) for s in (-2, -1, 1, 2)]
        numeric = np.array([1, -8, 8, -1]) @ np.array(ends) / (12 * step)
        np.testing.assert_allclose(gradient[:, axis], numeric, atol=1e-8)


@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True), (False, True, False)])
def test_images_are_summed(
    random_density: MakeDensity, rng: np.random.Generator, pbc: tuple[bool, bool, bool]
) -> None:
    periodic = random_density(cell=TRICLINIC, pbc=pbc, exponents=(0.8, 2.0))
    molecule = random_density(exponents=(0.8, 2.0))
    points = rng.uniform(-5, 5, size=(10, 3))
    images = product(*(range(-4, 5) if p else (0,) for p in pbc))
    shifted = points - (np.array(list(images)) @ TRICLINIC)[:, None]
    expected = pairwise_density(molecule, shifted.reshape(-1, 3)).reshape(-1, 10).sum(axis=0)
    np.testing.assert_allclose(pairwise_density(periodic, points), expected, atol=1e-11)


def test_lattice_translations_change_nothing(
    random_density: MakeDensity, rng: np.random.Generator
) -> None:
    density = random_density(cell=TRICLINIC, pbc=(True,) * 3)
    points = rng.normal(size=(10, 3))
    shifted = pairwise_density(density, points + np.array([2, -1, 3]) @ TRICLINIC)
    np.testing.assert_allclose(shifted, pairwise_density(density, points), atol=1e-11)


def test_cutoff_is_strict(random_density: MakeDensity) -> None:
    density = random_density([[0, 0, 0]])
    points = [[0, 0, 1.999999], [0, 0, 2.0]]
    near, at = pairwise_density(density, points, cutoff=2.0)
    assert near == pytest.approx(pairwise_density(density, points[:1])[0], abs=1e-14)
    assert at == 0.0


def test_chunks_change_nothing(random_density: MakeDensity, rng: np.random.Generator) -> None:
    density, points = random_density(), rng.normal(size=(25, 3))
    chunked = pairwise_density(density, points, chunk=4)
    np.testing.assert_allclose(chunked, pairwise_density(density, points), atol=1e-13)


def test_no_points(random_density: MakeDensity) -> None:
    values, gradient = pairwise_density(random_density(), np.zeros((0, 3)), gradient=True)
    assert values.shape == (0,)
    assert gradient.shape == (0, 3)


@pytest.mark.parametrize(
    ("points", "message"),
    [([1.0, 2.0, 3.0], r"\(3,\)"), ([[0.0, np.nan, 0.0], [0.0, 0.0, 0.0]], "1 of 2 points")],
)
def test_bad_points_are_refused(
    random_density: MakeDensity, points: list[object], message: str
) -> None:
    with pytest.raises(DensityError, match=message):
        pairwise_density(random_density(), points)  # type: ignore[arg-type]
