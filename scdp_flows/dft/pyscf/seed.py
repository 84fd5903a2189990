"""Start a self-consistent calculation from a density, audited, with a way back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.dft.base import SpinDensities
from scdp_flows.dft.pyscf.exchange import fock_with_exchange, keep_integrals
from scdp_flows.dft.pyscf.fock import DensityFocks, diagonalised_density_matrix, focks_of_density
from scdp_flows.dft.pyscf.molecule import mean_field, quiet_pyscf
from scdp_flows.dft.pyscf.scf import run_scf
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scdp_flows.dft.base import StartDensity
    from scdp_flows.dft.pyscf.inputs import PyscfSettings
    from scdp_flows.dft.pyscf.scf import ScfRun
    from scdp_models.density.orbital import OrbitalDensity

__all__ = [
    "SeededRun",
    "check_seedable",
    "checked_start",
    "density_start",
    "diagonalised_start",
    "run_seeded",
    "scaled_to_molecule",
    "seed_density_matrix",
]

_LARGEST_EXCESS = 0.05
_LARGEST_SPIN_EXCESS = 0.05
_SAME_ENERGY_HA = 1e-7


@dataclass(frozen=True, eq=False)
class SeededRun:
    """A calculation that started from a density, or fell back to the code's own guess."""

    result: ScfRun
    """The calculation that counts."""
    attempt: ScfRun | None
    """The seeded calculation, also if it was discarded; None if the seed failed before it."""
    fallback_reason: str | None
    """Why the seeded calculation does not count; None if it does."""
    dm0: NDArray[np.float64] | None
    """Density matrix after the first diagonalisation; None if the seed failed."""
    seed_cpu_s: float
    """Processor time of making `dm0`, s."""
    seed_wall_s: float
    """Elapsed time of making `dm0`, s."""
    core_cpu_s: float = 0.0
    """Processor time of the core Hamiltonian, s: made before, and kept by, the attempt."""
    core_wall_s: float = 0.0
    """Elapsed time of the core Hamiltonian, s."""


def check_seedable(mol: Any, mf: Any, spin: OrbitalDensity | None = None) -> None:
    """Refuse what a total density cannot start.

    Parameters
    ----------
    mol, mf
        PySCF molecule and mean-field object.
    spin
        Spin density at hand, up less down.

    Raises
    ------
    CalculationError
        For open shells without a spin density, which may converge to another, higher state, or
        with one of another number of unpaired electrons.
    """
    if (mol.spin != 0 or _unrestricted(mf)) and spin is None:
        raise CalculationError(
            "open shells are not seeded: a total density without spin density may lead to another "
            "state; the code's own guess is used"
        )
    held = 0.0 if spin is None else spin.n_electrons()
    if not abs(held - mol.spin) <= _LARGEST_SPIN_EXCESS:
        raise CalculationError(
            f"the starting spin density holds {held:.4f} unpaired electrons, the molecule "
            f"{mol.spin}; was it made for another state?"
        )


def scaled_to_molecule(density: OrbitalDensity, mol: Any) -> OrbitalDensity:
    """Scale a total density to the electron count; a prediction is off by some 1e-3 electrons.

    Parameters
    ----------
    density
        Total density of the molecule.
    mol
        PySCF molecule.

    Raises
    ------
    CalculationError
        If the density is periodic or does not hold about the right number of electrons.
    """
    if any(density.pbc):
        raise CalculationError("the starting density is periodic; this is a molecule")
    held = density.n_electrons()
    if not abs(held - mol.nelectron) <= _LARGEST_EXCESS * mol.nelectron:
        raise CalculationError(
            f"the starting density holds {held:.4f} electrons, the molecule {mol.nelectron}; was "
            "it made for another pseudopotential, charge or molecule?"
        )
    return density.scaled(mol.nelectron / held)


def seed_density_matrix(
    mol: Any,
    mf: Any,
    density: OrbitalDensity,
    *,
    spin: OrbitalDensity | None = None,
    grid_level: int = 0,
) -> NDArray[np.float64]:
    """Turn a density into a starting density matrix by one diagonalisation per spin.

    Hybrids get a second one with exact exchange, where that is cheap. The density is first scaled
    to the electron count.

    Parameters
    ----------
    mol, mf
        PySCF molecule and mean-field object.
    density
        Total density of the molecule.
    spin
        Spin density, up less down, which open shells need.
    grid_level
        Of the exchange-correlation grid for this one potential.

    Raises
    ------
    CalculationError
        If the density is periodic or does not hold about the right number of electrons, the
        spin density is missing or holds a wrong number of unpaired ones, or both lead
        to a Fock or density matrix that cannot be right.
    """
    check_seedable(mol, mf, spin)
    with quiet_pyscf(), np.errstate(over="ignore", invalid="ignore"):
        scaled = scaled_to_molecule(density, mol)
        # An unrestricted singlet starts as one, from two equal potentials.
        needed = spin if mol.spin else None
        focks = focks_of_density(mf, scaled, spin=needed, grid_level=grid_level)
    return diagonalised_start(mol, mf, focks)


def diagonalised_start(mol: Any, mf: Any, focks: DensityFocks) -> NDArray[np.float64]:
    """Diagonalise what a density says of a Fock matrix, again with exchange where that is cheap.

    Parameters
    ----------
    mol, mf
        PySCF molecule and mean-field object.
    focks
        Of the density; one for both spins will do.

    Raises
    ------
    CalculationError
        As :func:`checked_start`.
    """
    if _unrestricted(mf) and focks.semilocal.ndim == 2:
        rest = focks.without_exchange
        focks = DensityFocks(
            np.stack([focks.semilocal] * 2), None if rest is None else np.stack([rest] * 2)
        )
    dm = checked_start(mol, mf, focks.semilocal)
    with quiet_pyscf():
        fock = fock_with_exchange(mf, focks, dm)
    return dm if fock is None else checked_start(mol, mf, fock)


def checked_start(mol: Any, mf: Any, fock: NDArray[np.float64]) -> NDArray[np.float64]:
    """Diagonalise a Fock matrix into a starting density matrix, and check both.

    Parameters
    ----------
    mol, mf
        PySCF molecule and mean-field object.
    fock
        Shape ``(n, n)``, Hartree; ``(2, n, n)`` for an unrestricted object.

    Raises
    ------
    CalculationError
        If the Fock matrix is not finite or the density matrix does not hold the electrons.
    """
    if not np.isfinite(fock).all():
        raise CalculationError("the Fock matrix of the starting density is not finite")
    dm = diagonalised_density_matrix(mf, fock)
    held = float(np.vdot(np.reshape(dm, (-1, mol.nao, mol.nao)).sum(axis=0), mf.get_ovlp()))
    if not abs(held - mol.nelectron) < 1e-6 * mol.nelectron:
        raise CalculationError(
            f"the first diagonalisation holds {held} electrons, expected {mol.nelectron}"
        )
    return dm


def run_seeded(
    mol: Any,
    settings: PyscfSettings,
    make_dm0: Callable[[Any], NDArray[np.float64]],
    *,
    conv_tol_ha: float | None = None,
    default: ScfRun | None = None,
) -> SeededRun:
    """Converge a molecule from a seed; fall back to the code's own guess if that goes wrong.

    Parameters
    ----------
    mol
        PySCF molecule.
    settings
        How to compute.
    make_dm0
        Gives the starting density matrix for a mean-field object, or raises CalculationError.
    conv_tol_ha
        Overrides the label's threshold, Hartree.
    default
        The calculation from the code's own guess, if known: the seeded one must not end above it.
        It is run only if it is needed.
    """
    cpu, wall = time.process_time(), time.perf_counter()
    dm0 = reason = attempt = None
    # The calculation goes on with the object of its seed, and with all integrals that has.
    prepared = mean_field(mol, settings, conv_tol_ha=conv_tol_ha)
    with quiet_pyscf():
        core = prepared.get_hcore()
        keep_integrals(prepared)
    prepared.get_hcore = lambda *_: core
    core_cpu, core_wall = time.process_time() - cpu, time.perf_counter() - wall
    try:
        dm0 = make_dm0(prepared)
    except CalculationError as error:
        reason = str(error)
    seed_cpu = time.process_time() - cpu - core_cpu
    seed_wall = time.perf_counter() - wall - core_wall
    if dm0 is not None:
        attempt = run_scf(mol, settings, dm0, prepared=prepared)
        del prepared.get_hcore  # the kept matrix; the method of the class is behind it
        reason = _why_not(attempt, default)
    if attempt is None or reason is not None:
        result = default or run_scf(mol, settings, conv_tol_ha=conv_tol_ha)
    else:
        result = attempt
    costs = seed_cpu, seed_wall, core_cpu, core_wall
    return SeededRun(result, attempt, reason, dm0, *costs)


def density_start(
    mol: Any, density: StartDensity, *, grid_level: int = 0
) -> Callable[[Any], NDArray[np.float64]]:
    """Return what :func:`run_seeded` needs to start from a density.

    Parameters
    ----------
    mol, grid_level
        As in :func:`seed_density_matrix`.
    density
        The total density, for open shells with the spin density.
    """
    total, spin = density if isinstance(density, SpinDensities) else (density, None)
    return lambda mf: seed_density_matrix(mol, mf, total, spin=spin, grid_level=grid_level)


def _unrestricted(mf: Any) -> bool:
    from pyscf.scf.uhf import UHF

    return isinstance(mf, UHF)


def _why_not(attempt: ScfRun, default: ScfRun | None) -> str | None:
    """Say why a seeded calculation cannot be accepted."""
    if not attempt.converged:
        return f"the seeded calculation did not converge in {attempt.iterations} cycles"
    if default is not None and default.converged:
        above = attempt.energy_ha - default.energy_ha
        if above > _SAME_ENERGY_HA:
            return f"the seeded calculation converged {above:.2e} Ha above the unseeded one"
    return None
