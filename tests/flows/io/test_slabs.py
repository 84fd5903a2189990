from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.errors import DensityError
from scdp_flows.io.slabs import iter_slabs, slabs_of

if TYPE_CHECKING:
    from scdp_flows.density import ChargeDensity


@pytest.mark.parametrize("axis", [0, 2])
@pytest.mark.parametrize("voxels", [1, 1000, 10**9])
def test_slabs_make_up_the_grid_without_a_copy(
    axis: int, voxels: int, molecule_density: ChargeDensity
) -> None:
    values = molecule_density.values
    slabs = list(iter_slabs(values, axis, voxels=voxels))
    assert np.array_equal(np.concatenate(slabs, axis=axis), values)
    assert all(np.shares_memory(slab, values) for slab in slabs)
    assert all(slab.size <= max(voxels, values.size // values.shape[axis]) for slab in slabs)


def test_a_density_becomes_slabs_of_all_its_grids(molecule_density: ChargeDensity) -> None:
    vector = np.stack([molecule_density.values] * 3)
    slabs = slabs_of(replace(molecule_density, magnetization_vector=vector), 2)
    assert len(slabs.grids) == 4
    assert slabs.volume == pytest.approx(molecule_density.volume)
    assert np.array_equal(np.concatenate(list(slabs.checked(3)), axis=2), vector[2])


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(18, 21, 20)], "the slabs end after 20 of 24 layers"),
        ([(18, 21, 20), (18, 21, 5)], r"shape \(18, 21, 5\) after 20 of 24"),
        ([(17, 21, 24)], r"shape \(17, 21, 24\) after 0 of 24"),
        ([(18, 21)], r"shape \(18, 21\)"),
    ],
)
def test_slabs_that_do_not_fit_are_refused(
    shapes: list[tuple[int, ...]], message: str, molecule_density: ChargeDensity
) -> None:
    slabs = replace(slabs_of(molecule_density, 2), grids=([np.ones(shape) for shape in shapes],))
    with pytest.raises(DensityError, match=message):
        list(slabs.checked(0))


def test_values_that_are_not_finite_are_refused(molecule_density: ChargeDensity) -> None:
    slabs = replace(slabs_of(molecule_density, 2), grids=([np.full((18, 21, 24), np.nan)],))
    with pytest.raises(DensityError, match="layers up to 24 is not finite"):
        list(slabs.checked(0))


def test_axes_are_checked(molecule_density: ChargeDensity) -> None:
    with pytest.raises(DensityError, match="axis 1"):
        slabs_of(molecule_density, 1)
    with pytest.raises(DensityError, match="CHGCAR needs them along axis 2"):
        slabs_of(molecule_density, 0).require_axis(2, "CHGCAR")
    with pytest.raises(DensityError, match="3 grids"):
        replace(slabs_of(molecule_density, 0), grids=([], [], []))
