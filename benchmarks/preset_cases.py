"""Molecules, crystals and water boxes with the basis sets of the published presets.

All coefficients are random, so that nothing is screened away which a real density would hold.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scdp_models.basis.even_tempered import even_tempered_basis
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.virtual_nodes import bond_midpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["MOLECULES", "PRESETS", "Case", "cpu_median", "molecule", "random_density", "water_box"]

PADDING = 4.0
SPACING = 0.13

MOLECULES = {
    "water": "O 0 0 0.117  H 0 0.757 -0.471  H 0 -0.757 -0.471",
    "anisidine (QM9 size)": (
        "C 2.987 0.639 -0.893  O 2.329 -0.277 -0.027  C 0.965 -0.202 0.031  C 0.364 -1.119 0.893  "
        "C -1.026 -1.149 1.045  C -1.834 -0.232 0.372  N -3.227 -0.338 0.434  "
        "C -1.233 0.644 -0.534  C 0.159 0.676 -0.692  H 4.063 0.457 -0.817  H 2.695 0.474 -1.936  "
        "H 2.801 1.674 -0.588  H 0.979 -1.827 1.441  H -1.468 -1.896 1.698  H -3.568 -0.747 1.299  "
        "H -3.715 0.519 0.194  H -1.845 1.314 -1.131  H 0.574 1.389 -1.395"
    ),
    "aspirin": (
        "C 3.404 0.554 0.055  C 2.044 0.139 0.531  O 1.689 0.144 1.703  O 1.288 -0.266 -0.564  "
        "C -0.028 -0.585 -0.219  C -0.328 -1.942 -0.067  C -1.629 -2.330 0.248  "
        "C -2.626 -1.367 0.398  C -2.327 -0.011 0.227  C -1.022 0.397 -0.091  "
        "C -0.703 1.833 -0.303  O 0.361 2.305 -0.659  O -1.756 2.637 -0.059  "
        "H 3.924 -0.305 -0.374  H 3.984 0.930 0.903  H 3.311 1.356 -0.682  H 0.449 -2.692 -0.186  "
        "H -1.866 -3.384 0.378  "
        "H -3.641 -1.670 0.647  H -3.124 0.719 0.343  H -1.404 3.538 -0.219"
    ),
}
"""Symbols and coordinates (Å); force-field geometries."""

_NUMBERS = {"H": 1, "C": 6, "N": 7, "O": 8}


class Preset(NamedTuple):
    """A published choice of basis: ratio, midpoints, and whether exponents are scaled per atom."""

    beta: float
    midpoints: bool
    scaled: bool


PRESETS = {
    "a": Preset(2.0, midpoints=False, scaled=False),
    "b": Preset(2.0, midpoints=True, scaled=False),
    "c": Preset(1.3, midpoints=True, scaled=True),
}


class Case(NamedTuple):
    """A density and the grid to put it on."""

    name: str
    density: OrbitalDensity
    cell: NDArray[np.float64]
    shape: tuple[int, int, int]


def random_density(
    numbers: Sequence[int],
    positions: NDArray[np.float64],
    preset: str,
    *,
    cell: NDArray[np.float64],
    pbc: tuple[bool, bool, bool] = (False, False, False),
) -> OrbitalDensity:
    """Put the basis of a preset on a structure; midpoints are added."""
    choice = PRESETS[preset]
    if choice.midpoints:
        middles = bond_midpoints(numbers, positions, cell=cell, pbc=pbc).positions
        numbers = [*numbers, *[0] * len(middles)]
        positions = np.concatenate([positions, middles])
    basis = even_tempered_basis(numbers, beta=choice.beta, midpoints=choice.midpoints)
    empty = OrbitalDensity.from_basis(basis, numbers, positions, cell=cell, pbc=pbc)
    generator = np.random.default_rng(0)
    coefficients = generator.normal(scale=0.1, size=empty.n_functions)
    scaling = generator.uniform(0.8, 1.25, size=len(empty.shell_ls)) if choice.scaled else 1.0
    return replace(
        empty, coefficients=coefficients, shell_exponents=empty.shell_exponents * scaling
    )


def molecule(name: str, preset: str, *, spacing: float = SPACING) -> Case:
    """Put a molecule into a box with 4 Å on each side."""
    words = np.array(MOLECULES[name].split()).reshape(-1, 4)
    positions = words[:, 1:].astype(float)
    positions += PADDING - positions.min(axis=0)
    cell = np.diag(positions.max(axis=0) + PADDING)
    numbers = [_NUMBERS[symbol] for symbol in words[:, 0]]
    n_x, n_y, n_z = np.ceil(np.diag(cell) / spacing).astype(int).tolist()
    density = random_density(numbers, positions, preset, cell=cell)
    return Case(f"{name}, preset {preset}", density, cell, (n_x, n_y, n_z))


def water_box(n_molecules: int, preset: str, *, spacing: float, periodic: bool = True) -> Case:
    """Fill a cube with randomly turned water molecules at the density of the liquid."""
    generator = np.random.default_rng(1)
    length = float((n_molecules * 29.9) ** (1 / 3))
    per_axis = int(np.ceil(n_molecules ** (1 / 3)))
    places = np.stack(np.meshgrid(*[np.arange(per_axis)] * 3, indexing="ij"), -1).reshape(-1, 3)
    chosen = generator.permutation(len(places))[:n_molecules]
    one = np.array(MOLECULES["water"].split()).reshape(-1, 4)[:, 1:].astype(float)
    turns = np.linalg.qr(generator.normal(size=(n_molecules, 3, 3)))[0]
    positions = np.einsum("ad,nde->nae", one, turns)
    positions += ((places[chosen] + 0.5) * length / per_axis)[:, None]
    cell = length * np.eye(3)
    n = int(np.ceil(length / spacing))
    density = random_density(
        [8, 1, 1] * n_molecules, positions.reshape(-1, 3), preset, cell=cell, pbc=(periodic,) * 3
    )
    return Case(f"{3 * n_molecules} atoms of water", density, cell, (n, n, n))


def cpu_median(functions: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Run functions in turn, several times, and return the median CPU seconds of each."""
    times = np.zeros((repeats, len(functions)))
    for row in times:
        for n, function in enumerate(functions):
            start = time.process_time()
            function()
            row[n] = time.process_time() - start
    return [float(t) for t in np.median(times, axis=0)]
