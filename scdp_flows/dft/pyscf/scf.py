"""Run one self-consistent calculation and record how it went."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.dft.pyscf.handlers import converge
from scdp_flows.dft.pyscf.molecule import mean_field, quiet_pyscf
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_flows.dft.pyscf.inputs import PyscfSettings

__all__ = ["ScfRun", "check_converged", "run_scf"]


@dataclass(frozen=True, eq=False)
class ScfRun:
    """One self-consistent calculation."""

    converged: bool
    """Whether the energy changed by less than the threshold."""
    iterations: int
    """SCF cycles."""
    fock_builds: int
    """Fock matrices built, the initial and the closing one included; second-order steps by their
    products with second derivatives too."""
    energy_ha: float
    """Total energy, Hartree."""
    cpu_s: float
    """Processor time of this process, s."""
    wall_s: float
    """Elapsed time, s."""
    energies_ha: tuple[float, ...]
    """Energy after each cycle, Hartree."""
    gradient_norms: tuple[float, ...]
    """Norm of the orbital gradient after each cycle, Hartree."""
    fock_cpu_s: float | None = None
    """Median processor time of one Fock build, s; None where there was only the first one."""
    correction: str | None = None
    """What was changed so that it converges; what failed before is counted above."""
    mf: Any = field(default=None, repr=False)
    """The PySCF object, with its orbitals."""

    @property
    def dm(self) -> NDArray[np.float64]:
        """Density matrix of both spins together."""
        dm = np.asarray(self.mf.make_rdm1())
        return dm if dm.ndim == 2 else dm.sum(axis=0)

    @property
    def spin_dm(self) -> NDArray[np.float64] | None:
        """Density matrix of spin up less that of spin down; None for closed shells."""
        if self.mf.mol.spin == 0:
            return None
        up, down = np.asarray(self.mf.make_rdm1())
        return np.asarray(up - down)


class _Recorder:
    """Count Fock builds and keep what PySCF tells after each cycle."""

    def __init__(self, mf: Any) -> None:
        self.seconds: list[float] = []
        self.energies: list[float] = []
        self.gradients: list[float] = []
        self.responses = 0
        self._build = mf.get_veff
        mf.get_veff = self._count
        mf.callback = self._note

    def _count(self, *args: Any, **keywords: Any) -> Any:
        cpu = time.process_time()
        built = self._build(*args, **keywords)
        self.seconds.append(time.process_time() - cpu)
        return built

    @property
    def fock_cpu_s(self) -> float | None:
        """Median time of a build; the first one includes the integrals."""
        return statistics.median(self.seconds[1:]) if len(self.seconds) > 1 else None

    @property
    def fock_builds(self) -> int:
        """Builds, and what costs as much."""
        return len(self.seconds) + self.responses

    def respond(self) -> None:
        """Count a product with second derivatives."""
        self.responses += 1

    def _note(self, environment: dict[str, Any]) -> None:
        self.energies.append(float(environment["e_tot"]))
        self.gradients.append(float(environment["norm_gorb"]))


def run_scf(
    mol: Any,
    settings: PyscfSettings,
    dm0: NDArray[np.float64] | None = None,
    *,
    conv_tol_ha: float | None = None,
    prepared: Any = None,
) -> ScfRun:
    """Converge a molecule, by default from PySCF's own guess.

    What does not converge from PySCF's guess is tried again by second-order steps. A run that does
    not converge is returned, not raised: the caller knows what to do.

    Parameters
    ----------
    mol
        From :func:`scdp_flows.dft.pyscf.molecule.build_molecule`.
    settings
        How to compute.
    dm0
        Starting density matrix in PySCF's form for the spin treatment.
    conv_tol_ha
        Overrides the label's threshold, Hartree.
    prepared
        PySCF object to use, with the integrals that it may have already; made anew by default.
    """
    cpu, wall = time.process_time(), time.perf_counter()
    with quiet_pyscf():
        mf = prepared or mean_field(mol, settings, conv_tol_ha=conv_tol_ha)
        recorder = _Recorder(mf)
        correction = converge(mf, dm0, recorder.respond)
    mf.callback = None
    del mf.get_veff  # the recorder's; the method of the class is behind it
    return ScfRun(
        converged=bool(mf.converged),
        iterations=len(recorder.energies),
        fock_builds=recorder.fock_builds,
        energy_ha=float(mf.e_tot),
        cpu_s=time.process_time() - cpu,
        wall_s=time.perf_counter() - wall,
        energies_ha=tuple(recorder.energies),
        gradient_norms=tuple(recorder.gradients),
        fock_cpu_s=recorder.fock_cpu_s,
        correction=correction,
        mf=mf,
    )


def check_converged(run: ScfRun, formula: str, conv_tol_ha: float) -> None:
    """Refuse a calculation that did not converge.

    Parameters
    ----------
    run
        The calculation.
    formula
        Of the molecule, for the message.
    conv_tol_ha
        The threshold, for the message.

    Raises
    ------
    CalculationError
        If it did not converge.
    """
    if not run.converged:
        raise CalculationError(
            f"{formula}: the energy did not converge to {conv_tol_ha} Ha in {run.iterations} "
            "cycles; raise max_cycle, check the geometry, or treat it with spin='unrestricted' if "
            "it is an open shell"
        )
