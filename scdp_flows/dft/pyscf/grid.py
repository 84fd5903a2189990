"""Evaluate converged orbitals on a uniform grid around the molecule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scdp_flows.io.structures import MoleculeBox

__all__ = ["box_density"]

_BLOCK = 8192


def box_density(
    mol: Any, orbitals: Sequence[NDArray[np.float64]], box: MoleculeBox
) -> NDArray[np.float64]:
    """Return the density of sets of orbitals on a grid.

    Parameters
    ----------
    mol
        PySCF molecule.
    orbitals
        One array per spin, shape ``(n_functions, n_occupied)``, each column times the square root
        of its occupation.
    box
        The grid.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_spins, n1, n2, n3)``, e/Å^3.
    """
    axes = [
        (box.origin[i] + np.arange(n) / n * box.cell[i, i]) / BOHR_TO_ANGSTROM
        for i, n in enumerate(box.shape)
    ]
    plane = np.stack(np.meshgrid(axes[1], axes[2], indexing="ij"), -1).reshape(-1, 2)
    out = np.empty((len(orbitals), len(axes[0]), len(plane)))
    for i, x in enumerate(axes[0]):
        for begin in range(0, len(plane), _BLOCK):
            part = plane[begin : begin + _BLOCK]
            points = np.column_stack([np.full(len(part), x), part])
            ao = mol.eval_gto("GTOval_sph", points)
            for spin, columns in enumerate(orbitals):
                values = ao @ columns
                out[spin, i, begin : begin + _BLOCK] = np.einsum("po,po->p", values, values)
    return out.reshape(len(orbitals), *box.shape) / BOHR_TO_ANGSTROM**3
