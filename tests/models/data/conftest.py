"""A label that lies in the span of a small basis."""

from __future__ import annotations

import numpy as np
import pytest

from scdp_models.basis.shells import BasisSet, ElementBasis, shell_charge
from scdp_models.data.samples import GridLabel
from scdp_models.density.atomic import AtomicDensity, AtomicReference
from scdp_models.density.evaluate import evaluate_on_grid
from scdp_models.density.orbital import OrbitalDensity

WATER = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.96], [0.93, 0.0, -0.24]])


@pytest.fixture
def basis() -> BasisSet:
    """Give s, p and d shells for hydrogen and oxygen, and an s set for midpoints."""
    shells = ElementBasis((0, 0, 1, 2), (0.4, 1.3, 0.8, 1.0))
    return BasisSet("small", {1: shells, 8: shells})


@pytest.fixture
def reference() -> AtomicReference:
    """Give spherical atoms of one Gaussian each."""
    charge = float(shell_charge(0, 0.9))
    atoms = {z: AtomicDensity(n, (0.9,), (n / charge,)) for z, n in ((1, 1.0), (8, 6.0))}
    return AtomicReference("one Gaussian", atoms)


@pytest.fixture
def difference(basis: BasisSet, rng: np.random.Generator) -> OrbitalDensity:
    """Give a random neutral density of water in the basis."""
    density = OrbitalDensity.from_basis(basis, [8, 1, 1], WATER)
    coefficients = rng.normal(scale=0.1, size=density.n_functions)
    charges = density.charges
    coefficients -= charges * (charges @ coefficients) / (charges @ charges)
    return OrbitalDensity.from_basis(basis, [8, 1, 1], WATER, coefficients=coefficients)


@pytest.fixture
def label(difference: OrbitalDensity, reference: AtomicReference) -> OrbitalDensity:
    """Give the total density of which `difference` is the difference to the atoms."""
    return reference.superposition([8, 1, 1], WATER) + difference


@pytest.fixture
def grid(label: OrbitalDensity) -> GridLabel:
    """Give the label on a coarse grid."""
    origin, cell, shape = np.array([-2.0, -2.1, -2.2]), np.diag([5.0, 4.5, 4.8]), (12, 11, 10)
    values = evaluate_on_grid(label, origin, cell, shape, tolerance=1e-10)
    return GridLabel(values.astype(np.float32), origin, cell)
