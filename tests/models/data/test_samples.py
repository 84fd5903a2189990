"""Targets made from labels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_models.basis.shells import MIDPOINT, BasisSet, ElementBasis
from scdp_models.data.samples import GridLabel, make_grid_sample, make_sample
from scdp_models.density.coulomb import coulomb_error, coulomb_matrix
from scdp_models.errors import DensityError
from scdp_models.virtual_nodes import bond_midpoints

if TYPE_CHECKING:
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.density.orbital import OrbitalDensity


def _with_midpoints(basis: BasisSet) -> BasisSet:
    return BasisSet("vo", {**basis.species, MIDPOINT: ElementBasis((0,), (0.6,))})


def test_a_difference_in_the_span_is_found_exactly(
    label: OrbitalDensity,
    difference: OrbitalDensity,
    basis: BasisSet,
    reference: AtomicReference,
) -> None:
    sample = make_sample("water", label, basis, reference)
    np.testing.assert_allclose(sample.template.coefficients, difference.coefficients, atol=1e-6)
    assert sample.template.n_electrons() == pytest.approx(0, abs=1e-12)


def test_a_total_density_in_the_span_is_found_exactly(
    difference: OrbitalDensity, basis: BasisSet, reference: AtomicReference
) -> None:
    sample = make_sample("water", difference, basis, reference, target="total")
    np.testing.assert_allclose(sample.template.coefficients, difference.coefficients, atol=1e-6)


def test_a_density_outside_the_span_is_projected_with_its_electrons(
    label: OrbitalDensity, basis: BasisSet, reference: AtomicReference
) -> None:
    sample = make_sample("water", label, basis, reference, target="total")
    best = coulomb_error(label, sample.template)
    assert sample.template.n_electrons() == pytest.approx(label.n_electrons(), abs=1e-10)
    assert best < 0.05
    step = np.zeros(sample.template.n_functions)
    step[2:5] = 0.01  # p functions of oxygen, which hold no charge
    for sign in (1, -1):
        moved = replace(sample.template, coefficients=sample.template.coefficients + sign * step)
        assert coulomb_error(label, moved) > best


def test_the_metric_is_that_of_the_template(
    label: OrbitalDensity, basis: BasisSet, reference: AtomicReference
) -> None:
    sample = make_sample("water", label, basis, reference)
    assert sample.metric is not None
    np.testing.assert_allclose(sample.metric, coulomb_matrix(sample.template), rtol=1e-6)
    assert sample.metric.dtype == np.float32


def test_midpoints_are_those_of_a_prediction(
    label: OrbitalDensity, basis: BasisSet, reference: AtomicReference
) -> None:
    stretched = replace(label, positions=label.positions * [[1], [1.28], [1]])
    sample = make_sample("water", stretched, _with_midpoints(basis), reference)
    middles = bond_midpoints([8, 1, 1], stretched.positions)
    np.testing.assert_array_equal(sample.template.numbers, [8, 1, 1, 0, 0])
    np.testing.assert_array_equal(sample.template.positions[3:], middles.positions)
    np.testing.assert_array_equal(sample.weights, [1, 1, 1, *middles.weights])
    assert 0 < sample.weights.min() < 1


def test_midpoints_of_a_label_are_left_out_where_the_basis_has_none(
    label: OrbitalDensity, basis: BasisSet, reference: AtomicReference
) -> None:
    wide = make_sample("water", label, _with_midpoints(basis), reference, target="total").template
    sample = make_sample("water", wide, basis, reference)
    np.testing.assert_array_equal(sample.template.numbers, [8, 1, 1])
    np.testing.assert_array_equal(sample.weights, 1)


def test_a_difference_in_a_crystal_is_found_exactly(
    label: OrbitalDensity,
    difference: OrbitalDensity,
    basis: BasisSet,
    reference: AtomicReference,
) -> None:
    crystal = replace(label, cell=np.diag([4.0, 4.2, 4.4]), pbc=(True, True, True))
    sample = make_sample("ice", crystal, basis, reference)
    np.testing.assert_allclose(sample.template.coefficients, difference.coefficients, atol=1e-5)
    assert sample.template.pbc == (True, True, True)


def test_slabs_are_refused(
    label: OrbitalDensity, basis: BasisSet, reference: AtomicReference
) -> None:
    slab = replace(label, cell=np.eye(3) * 9, pbc=(True, True, False))
    with pytest.raises(DensityError, match="three periodic lattice vectors"):
        make_sample("slab", slab, basis, reference)
    with pytest.raises(DensityError, match="'dleta' for label x; known: delta, total"):
        make_sample("x", label, basis, reference, target="dleta")


def test_flat_indices_address_voxels_of_a_skew_cell() -> None:
    cell = np.array([[2.0, 0, 0], [1.0, 3.0, 0], [0, 0.5, 4.0]])
    grid = GridLabel(np.zeros((2, 3, 4), np.float32), np.array([0.1, 0.2, 0.3]), cell)
    last = grid.points(np.array([0, 23]))
    np.testing.assert_allclose(last[0], grid.origin)
    np.testing.assert_allclose(last[1], grid.origin + np.array([1 / 2, 2 / 3, 3 / 4]) @ cell)


@pytest.mark.parametrize("periodic", [True, False])
def test_a_grid_needs_no_fit(label: OrbitalDensity, basis: BasisSet, *, periodic: bool) -> None:
    grid = GridLabel(np.ones((4, 4, 4), np.float32), np.zeros(3), np.diag([6.0, 6.5, 7.0]))
    atoms = ([8, 1, 1], label.positions[:3])
    wide = _with_midpoints(basis)
    sample = make_grid_sample("water", atoms, wide, grid, pbc=(periodic,) * 3)
    assert sample.metric is None
    assert not sample.template.coefficients.any()
    np.testing.assert_array_equal(sample.template.numbers, [8, 1, 1, 0, 0])
    assert len(sample.weights) == 5
    assert sample.template.pbc == (periodic,) * 3
    assert (sample.template.cell is None) != periodic
