from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.errors import DensityError
from scdp_flows.io.chgcar import open_chgcar_slabs, write_chgcar
from scdp_flows.io.cube import open_cube_slabs, write_cube
from scdp_flows.io.kernels import compiled
from scdp_flows.io.slabs import DensitySlabs, iter_slabs, slabs_of

if TYPE_CHECKING:
    from pathlib import Path

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


def _evaluated(n: int, axis: int) -> DensitySlabs:
    """Give a molecule's density that is evaluated slab by slab along an axis of a cube."""
    from scdp_models.basis.shells import BasisSet, ElementBasis
    from scdp_models.density import evaluate
    from scdp_models.density.orbital import OrbitalDensity

    basis = BasisSet("two s", {1: ElementBasis((0, 0), (0.8, 3.0))})
    numbers, places = np.array([1, 1]), np.array([[4.1, 4.0, 3.2], [3.9, 4.2, 4.7]])
    density = OrbitalDensity.from_basis(basis, numbers, places, coefficients=[1.0, 0.2, 0.5, 0.9])
    cell = 8.0 * np.eye(3)
    # The grid's axes in reverse order: its last one then comes first.
    edges = cell if axis == 0 else cell[::-1]
    slabs = evaluate.iter_slabs(density, np.zeros(3), edges, (n, n, n), thickness=4)
    grid = (slab if axis == 0 else slab.transpose(2, 1, 0) for slab in slabs)
    return DensitySlabs((grid,), (n, n, n), axis, cell, np.zeros(3), numbers, places)


def _stream(path: Path, n: int) -> float:
    """Evaluate a density into a file and read that, in slabs; return its electrons."""
    if path.name == "CHGCAR":
        write_chgcar(_evaluated(n, 2), path)
        opened = open_chgcar_slabs(path, voxels=4 * n * n)
    else:
        write_cube(_evaluated(n, 0), path)
        opened = open_cube_slabs(path, pbc=(False,) * 3, voxels=4 * n * n)
    with opened as read:
        return sum(float(slab.sum()) for slab in read.checked(0)) * (8.0 / n) ** 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["CHGCAR", "rho.cube", "CHGCAR.zst"])
def test_a_kernel_streams_into_files_in_the_memory_of_slabs(name: str, tmp_path: Path) -> None:
    compiled()
    electrons = _stream(tmp_path / name, 40)  # loads all kernels
    n = 128
    tracemalloc.start()
    found = _stream(tmp_path / name, n)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == pytest.approx(electrons, abs=1e-4)
    # A few slabs of 0.5 MB and buffers, of the 17 MB of the grid and the 38 MB of its text.
    assert peak < 6e6
