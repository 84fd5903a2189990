"""Turn predicted coefficients into values on a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.density import ChargeDensity
from scdp_flows.errors import DensityError
from scdp_flows.io.structures import as_arrays, molecule_box

if TYPE_CHECKING:
    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.kind import DensityKind
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["render", "render_like"]


def render(
    density: OrbitalDensity,
    structure: AtomicStructure,
    *,
    spacing: float = 0.16,
    padding: float = 4.0,
    kind: DensityKind | None = None,
) -> ChargeDensity:
    """Evaluate a density on a uniform grid: in a box around a molecule, in the cell of a crystal.

    Parameters
    ----------
    density
        What to evaluate.
    structure
        Its atoms.
    spacing
        Largest distance of neighbouring points, Å.
    padding
        Smallest distance of a molecule's atoms from the faces of its box, Å.
    kind
        What the density is.

    Raises
    ------
    DensityError
        If the density and the structure do not belong together, or the spacing is impossible.
    """
    numbers, positions, cell, pbc = as_arrays(structure)
    if any(pbc) and cell is not None:
        if not spacing > 0:
            raise DensityError(f"grid spacing is {spacing} Å; expected a positive number")
        lengths = np.linalg.norm(cell, axis=1)
        n1, n2, n3 = (int(n) for n in np.ceil(lengths / spacing - 1e-9))
        origin, edges, shape = np.zeros(3), cell, (n1, n2, n3)
    else:
        origin, edges, shape = molecule_box(positions, spacing=spacing, padding=padding)
    grid = ChargeDensity(np.zeros(shape), edges, origin, numbers, positions, pbc=pbc, kind=kind)
    return render_like(density, grid)


def render_like(density: OrbitalDensity, grid: ChargeDensity) -> ChargeDensity:
    """Evaluate a density on the grid of another one, whose atoms and kind it takes.

    Raises
    ------
    DensityError
        If the density cannot be evaluated there.
    """
    from dataclasses import replace

    from scdp_models.density.evaluate import evaluate_on_grid
    from scdp_models.errors import ScdpModelsError

    try:
        values = evaluate_on_grid(density, grid.origin, grid.cell, grid.shape)
    except ScdpModelsError as error:
        raise DensityError(f"the density cannot be put on the grid: {error}") from error
    return replace(
        grid, values=values, magnetization=None, magnetization_vector=None, augmentation=None
    )
