"""Give the first Fock matrix of a hybrid its exact exchange, where that is cheap.

A density tells no exchange matrix. The density matrix after one diagonalisation does, and where the
repulsion integrals are kept in memory, for the calculation needs them anyway, its exchange matrix
costs a fraction of a Fock build. A second diagonalisation then saves an iteration. Where integrals
are computed anew in each cycle, exchange costs as much as the iteration that it saves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_flows.dft.pyscf.fock import DensityFocks

__all__ = ["fock_with_exchange", "keep_integrals", "keeps_integrals"]

_SHARE_OF_MEMORY = 0.9


def keeps_integrals(mf: Any) -> bool:
    """Tell whether PySCF keeps all repulsion integrals of an object in memory.

    Parameters
    ----------
    mf
        PySCF mean-field object.
    """
    return bool(mf.mol.nao**4 / 1e6 < _SHARE_OF_MEMORY * mf.max_memory)


def keep_integrals(mf: Any) -> None:
    """Compute the repulsion integrals of a hybrid now, where its calculation keeps them anyway.

    PySCF computes them in the first Fock build, of whatever start. Done before, they are no cost of
    a start that asks for exchange.

    Parameters
    ----------
    mf
        PySCF mean-field object.
    """
    if _share(mf) and keeps_integrals(mf):
        mf._eri = mf.mol.intor("int2e", aosym="s8")  # noqa: SLF001


def _share(mf: Any) -> float:
    """Return the share of exact exchange."""
    return float(mf._numint.rsh_and_hybrid_coeff(str(mf.xc))[1])  # noqa: SLF001


def fock_with_exchange(
    mf: Any, focks: DensityFocks, dm: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return the Fock matrix of a hybrid with the exchange of a density matrix, Hartree.

    Parameters
    ----------
    mf
        PySCF mean-field object.
    focks
        Of the density.
    dm
        After one diagonalisation, in PySCF's form for the spin treatment.

    Returns
    -------
    numpy.ndarray or None
        Shape of `dm`; None where there is no exact exchange, or it is not cheap.
    """
    rest = focks.without_exchange
    if rest is None or not keeps_integrals(mf):
        return None
    # A matrix of both spins holds twice the orbitals that exchange.
    per_spin = 0.5 if np.ndim(dm) == 2 else 1.0
    return np.asarray(rest - per_spin * _share(mf) * np.asarray(mf.get_k(mf.mol, dm)))
