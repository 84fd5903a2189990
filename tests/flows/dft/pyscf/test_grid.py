"""Orbitals on a uniform grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scdp_flows.dft.pyscf.grid import box_density
from scdp_flows.io.structures import molecule_box
from scdp_flows.units import BOHR_TO_ANGSTROM

pytestmark = pytest.mark.requires("pyscf")


def test_values_and_order_of_voxels(converged_water: Any) -> None:
    mol, mf = converged_water.mol, converged_water.run.mf
    box = molecule_box(converged_water.structure.cart_coords, spacing=0.9, padding=1.0)
    occupied = mf.mo_coeff[:, mf.mo_occ > 0] * 2**0.5
    values = box_density(mol, [occupied], box)[0]
    i, j, k = (n // 3 for n in box.shape)
    point = box.origin + np.array([i, j, k]) / box.shape @ box.cell
    ao = mol.eval_gto("GTOval_sph", point[None] / BOHR_TO_ANGSTROM)[0]
    expected = ao @ converged_water.run.dm @ ao / BOHR_TO_ANGSTROM**3
    assert values[i, j, k] == pytest.approx(expected, rel=1e-10)
    assert values.shape == box.shape


def test_integrates_to_the_electrons(converged_water: Any) -> None:
    mf = converged_water.run.mf
    box = molecule_box(converged_water.structure.cart_coords, spacing=0.15, padding=3.5)
    values = box_density(mf.mol, [mf.mo_coeff[:, mf.mo_occ > 0] * 2**0.5], box)
    electrons = values.sum() * np.linalg.det(box.cell) / np.prod(box.shape)
    assert electrons == pytest.approx(8, abs=3e-3)
