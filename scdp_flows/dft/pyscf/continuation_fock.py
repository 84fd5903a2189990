"""Correct the first Fock matrix by what earlier geometries of a path taught.

At every geometry of a path the Fock matrix of the prediction, F0, and, afterwards, the converged
one, F, are at hand. Their difference holds all that is wrong with F0: the error of the model, the
shells it cannot be better than, the coarse grid, and in hybrids the exchange. It changes slowly and
lives in orbitals that move with the atoms, so that earlier differences, combined so as to reproduce
the new overlap matrix, are added to the new F0. Overlaps as coordinates of a geometry,
with weights by least squares, follow Polack, Dusson, Stamm and Lipparini, J. Chem. Theory Comput.
17, 6965 (2021), who extrapolate density matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scdp_flows.dft.base import SpinDensities
from scdp_flows.dft.path import weights_to_one
from scdp_flows.dft.pyscf.continuation_base import Start
from scdp_flows.dft.pyscf.continuation_plain import PreviousMatrixStart
from scdp_flows.dft.pyscf.fock import fock_of_density
from scdp_flows.dft.pyscf.molecule import quiet_pyscf
from scdp_flows.dft.pyscf.seed import check_seedable, checked_start, scaled_to_molecule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scdp_flows.dft.base import StartDensity
    from scdp_flows.dft.pyscf.continuation_base import Geometry, PathSettings
    from scdp_flows.dft.pyscf.scf import ScfRun

__all__ = ["FockStart", "converged_fock", "extrapolation_weights", "orbital_error"]


@dataclass(frozen=True, eq=False)
class _Past:
    """One converged geometry."""

    overlap: NDArray[np.float64]
    correction: NDArray[np.float64]
    """Converged Fock matrix less that of the prediction."""
    positions: NDArray[np.float64]


class _Candidates(NamedTuple):
    """What could have been started from at one geometry."""

    overlap: NDArray[np.float64]
    focks: dict[str, NDArray[np.float64]]


class FockStart:
    """Start from predictions, corrected if the policy says so, or by the better of both.

    With ``"auto"`` all candidates of a geometry are judged once it has converged, which needs no
    further calculation: the error of each is the norm of its Fock matrix between occupied and empty
    converged orbitals, the first order of the error of the density. The next geometry starts from
    what is expected to be best: the error of a correction grows with the distance to move.

    Parameters
    ----------
    path
        Policy, grid and history.
    """

    def __init__(self, path: PathSettings) -> None:
        self._path = path
        self._past: list[_Past] = []
        self._now: _Candidates | None = None
        self._errors: dict[str, float] = {}
        self._last_move = 0.0
        self._plain = PreviousMatrixStart()

    def forget(self) -> None:
        """Drop the history."""
        self._past, self._errors, self._now = [], {}, None
        self._plain.forget()

    def start(self, geometry: Geometry) -> Start:
        """Say how to start at a geometry.

        Without a prediction it is PySCF's own guess, with ``"auto"`` the last density matrix.
        """
        self._now = None
        prediction = geometry.prediction
        if prediction is None:
            own = Start("default", None)
            return self._plain.start(geometry) if self._path.policy == "auto" else own
        name = self._choose(geometry)

        def make(mf: Any) -> NDArray[np.float64]:
            candidates = self._candidates(mf, prediction)
            dm = checked_start(mf.mol, mf, candidates.focks[name])
            # The first Fock matrix is good enough to be extrapolated from.
            mf.diis_start_cycle = 0
            self._now = candidates
            return dm

        return Start(name, make)

    def learn(self, geometry: Geometry, run: ScfRun) -> None:
        """Compare the converged Fock matrix with what could have been started from."""
        self._plain.learn(geometry, run)
        if self._now is None:
            return
        fock = converged_fock(run.mf)
        overlap, focks = self._now
        self._errors = {name: orbital_error(run.mf, one - fock) for name, one in focks.items()}
        positions = np.array(geometry.structure.cart_coords)
        self._last_move = _distance(self._past, positions)
        if self._path.policy != "prediction":
            self._past.append(_Past(overlap, fock - focks["prediction"], positions))
            del self._past[: -self._path.history]

    def _choose(self, geometry: Geometry) -> str:
        if self._path.policy == "prediction" or not self._past:
            return "prediction"
        best = "corrected" if len(self._past) == 1 else "extrapolated"
        if self._path.policy == "corrected":
            return best
        growth = 1.0
        if self._last_move > 0:
            growth = _distance(self._past, geometry.structure.cart_coords) / self._last_move
        expected = {
            name: error if name == "prediction" else growth * error
            for name, error in self._errors.items()
        }
        # What was never tried is taken where its neighbour would be.
        if best not in expected:
            expected[best] = expected.get("corrected", 0.0)
        return min(expected, key=expected.__getitem__)

    def _candidates(self, mf: Any, prediction: StartDensity) -> _Candidates:
        focks = {"prediction": _predicted_fock(mf, prediction, self._path.grid_level)}
        overlap = np.asarray(mf.get_ovlp())
        if self._past:
            focks["corrected"] = focks["prediction"] + self._past[-1].correction
        if len(self._past) > 1:
            weights = extrapolation_weights(overlap, [past.overlap for past in self._past])
            added = zip(weights, self._past, strict=True)
            focks["extrapolated"] = focks["prediction"] + sum(
                (weight * past.correction for weight, past in added),
                np.zeros_like(focks["prediction"]),
            )
        return _Candidates(overlap, focks)


def _distance(past: Sequence[_Past], positions: NDArray[np.float64]) -> float:
    """Return the root mean square distance of the atoms from the last geometry, Å."""
    if not past:
        return 0.0
    return float(np.sqrt(((positions - past[-1].positions) ** 2).sum(axis=1).mean()))


def _predicted_fock(mf: Any, density: StartDensity, grid_level: int) -> NDArray[np.float64]:
    """Return the Fock matrix of a prediction, one per spin where spins have their own."""
    from pyscf.scf.uhf import UHF

    total, spin = density if isinstance(density, SpinDensities) else (density, None)
    check_seedable(mf.mol, mf, spin)
    needed = spin if mf.mol.spin else None
    with quiet_pyscf(), np.errstate(over="ignore", invalid="ignore"):
        scaled = scaled_to_molecule(total, mf.mol)
        fock = fock_of_density(mf, scaled, spin=needed, grid_level=grid_level)
    return np.stack([fock, fock]) if isinstance(mf, UHF) and fock.ndim == 2 else fock


def extrapolation_weights(
    overlap: NDArray[np.float64], earlier: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return weights that sum to one and combine earlier overlap matrices to a new one.

    Parameters
    ----------
    overlap
        New overlap matrix, shape ``(n, n)``.
    earlier
        Those of earlier geometries, the newest last.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_earlier,)``.
    """
    newest = earlier[-1]
    if len(earlier) == 1:
        return np.ones(1)
    directions = np.stack([(one - newest).ravel() for one in earlier[:-1]])
    return weights_to_one(directions @ directions.T, directions @ (overlap - newest).ravel())


def converged_fock(mf: Any) -> NDArray[np.float64]:
    """Return the Fock matrix of a converged calculation from its orbitals, without building it.

    F = S C e C^T S, one per spin where spins have their own orbitals, Hartree.

    Parameters
    ----------
    mf
        Converged PySCF object.
    """
    weighted = np.asarray(mf.get_ovlp()) @ np.asarray(mf.mo_coeff)
    energies = np.asarray(mf.mo_energy)[..., None, :]
    return np.asarray((weighted * energies) @ np.swapaxes(weighted, -1, -2))


def orbital_error(mf: Any, difference: NDArray[np.float64]) -> float:
    """Return the norm of a Fock matrix's error between occupied and empty orbitals, Hartree.

    Parameters
    ----------
    mf
        Converged PySCF object.
    difference
        Error of the Fock matrix, one per spin where spins have their own orbitals.
    """
    coefficients, occupations = np.asarray(mf.mo_coeff), np.asarray(mf.mo_occ)
    n_ao, n_orbitals = coefficients.shape[-2:]
    spins = zip(
        coefficients.reshape(-1, n_ao, n_orbitals),
        occupations.reshape(-1, n_orbitals),
        difference.reshape(-1, n_ao, n_ao),
        strict=True,
    )
    squares = [float(((c[:, n > 0].T @ d @ c[:, n == 0]) ** 2).sum()) for c, n, d in spins]
    return float(np.sqrt(sum(squares)))
