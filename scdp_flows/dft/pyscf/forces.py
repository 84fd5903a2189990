"""Compute the forces of converged molecules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.dft.pyscf.molecule import quiet_pyscf
from scdp_flows.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["forces_of"]

_FIRST_PROJECTOR = 5
"""Place in PySCF's entry of a pseudopotential; how many there are stands before it."""
_RADIUS = 0.2


def forces_of(mf: Any) -> NDArray[np.float64]:
    """Return the forces on the atoms, ``(n_atoms, 3)``, eV/Å.

    Parameters
    ----------
    mf
        Converged PySCF object.
    """
    with quiet_pyscf():
        gradient = mf.nuc_grad_method()
        gradient.mol = _with_projector(gradient.mol)
        return -np.asarray(gradient.kernel()) * HARTREE_TO_EV / BOHR_TO_ANGSTROM


def _with_projector(mol: Any) -> Any:
    """Give a molecule a projector of no strength if its pseudopotentials have none.

    PySCF's gradient of the nonlocal part fails where there is nothing to derive, as in H2 and LiH.
    """
    entries = getattr(mol, "_pseudo", {})
    if not entries or any(len(entry) > _FIRST_PROJECTOR for entry in entries.values()):
        return mol
    symbol, entry = next(iter(entries.items()))
    with_one = [*entry[: _FIRST_PROJECTOR - 1], 1, [_RADIUS, 1, [[0.0]]]]
    copy = mol.copy()
    copy._pseudo = {**entries, symbol: with_one}  # noqa: SLF001 - where PySCF looks
    return copy
