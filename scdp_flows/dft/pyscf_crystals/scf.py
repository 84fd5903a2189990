"""Run self-consistent calculations of one crystal and record how they went."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.dft.pyscf.handlers import converge
from scdp_flows.dft.pyscf.molecule import quiet_pyscf
from scdp_flows.dft.pyscf_crystals.grid import CrystalGrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_flows.dft.pyscf_crystals.cell import PyscfCrystal
    from scdp_flows.dft.pyscf_crystals.inputs import PyscfCrystalSettings

__all__ = ["CrystalRun", "CrystalSystem"]


@dataclass(frozen=True, eq=False)
class CrystalRun:
    """One self-consistent calculation of a crystal."""

    converged: bool
    """Whether the energy changed by less than the threshold."""
    iterations: int
    """SCF cycles."""
    hamiltonian_calls: int
    """Fock matrices built, the initial and the closing one included, one for all k-points;
    second-order steps by their products with second derivatives too."""
    energies_ha: tuple[float, ...]
    """Total energy after each cycle, Hartree."""
    energy_ha: float
    """Total energy, Hartree per cell."""
    cpu_s: float
    """Processor time, that of the orbitals on the grid included, s."""
    wall_s: float
    """Elapsed time, the same included, s."""
    gradient_norms: tuple[float, ...]
    """Norm of the orbital gradient after each cycle, Hartree."""
    fock_cpu_s: float | None
    """Median processor time of one build, s."""
    dm: NDArray[np.complex128] = field(repr=False)
    """Density matrices with their orbitals, shape ``(n_k, n, n)``."""
    correction: str | None = None
    """What was changed so that it converges; what failed before is counted above."""
    message: str | None = None
    """PySCF raises where a program would stop."""
    moment: float | None = None
    """Both spins share their orbitals."""
    forces: NDArray[np.float64] | None = None
    """Not computed."""


class CrystalSystem:
    """One crystal with what all its calculations share: orbitals on the grid, fixed integrals.

    Parameters
    ----------
    crystal
        From :func:`scdp_flows.dft.pyscf_crystals.cell.build_cell`.
    settings
        How to compute.

    Raises
    ------
    CalculationError
        If the orbitals need more memory than the settings grant.

    Attributes
    ----------
    grid
        The grid with its orbitals.
    core, overlap
        Matrices at each k-point, shape ``(n_k, n, n)``.
    cpu_s, wall_s
        What all this took, s; every calculation counts it as its own.
    """

    def __init__(self, crystal: PyscfCrystal, settings: PyscfCrystalSettings) -> None:
        cpu, wall = time.process_time(), time.perf_counter()
        self.crystal, self.cell, self._settings = *crystal, settings
        self.kpts = self.cell.make_kpts(settings.kpoints)
        with quiet_pyscf():
            self.grid = CrystalGrid(
                self.cell,
                self.kpts,
                settings.functional,
                max_memory_gb=settings.max_memory_gb,
            )
            self.core = self.grid.core(self.kpts)
            overlap = self.cell.pbc_intor("int1e_ovlp", hermi=1, kpts=self.kpts)
        self.overlap = np.asarray(overlap)
        self.cpu_s, self.wall_s = time.process_time() - cpu, time.perf_counter() - wall

    def mean_field(self, conv_tol_ha: float) -> Any:
        """Return an unconverged PySCF object that builds its matrices on our grid."""
        from pyscf.pbc.dft import krks
        from pyscf.pbc.scf.addons import smearing_

        mf = krks.KRKS(self.cell, self.kpts, xc=self._settings.functional)
        file = getattr(mf, "_chkfile", None)
        if file is not None:  # PySCF opens a temporary one for each object
            file.close()
        mf._chkfile = mf.chkfile = None  # noqa: SLF001 - PySCF has no switch of its own per object
        mf.exxdiv = None
        mf.conv_tol, mf.max_cycle = conv_tol_ha, self._settings.max_cycle
        if self._settings.smearing != "none":
            mf = smearing_(mf, self._settings.sigma_ha, method=self._settings.smearing)
        mf.get_hcore = lambda *_, **__: self.core
        mf.get_ovlp = lambda *_, **__: self.overlap
        mf.get_veff = self._veff
        return mf

    def _veff(self, _: Any = None, dm: Any = None, *__: Any, **___: Any) -> Any:
        """Return the potential matrices with their energies, as PySCF wants them."""
        from pyscf import lib

        found = self.grid.potential(self.grid.density(dm))
        return lib.tag_array(
            self.grid.matrices(found.values),
            ecoul=found.coulomb_ha,
            exc=np.float64(found.xc_ha),
            vj=None,
            vk=None,
        )

    def run(
        self, dm0: NDArray[np.complex128] | None = None, *, conv_tol_ha: float | None = None
    ) -> CrystalRun:
        """Converge, by default from PySCF's own guess: by second-order steps if need be.

        Parameters
        ----------
        dm0
            Starting density matrices, shape ``(n_k, n, n)``.
        conv_tol_ha
            Overrides the label's threshold, Hartree.
        """
        cpu, wall = time.process_time(), time.perf_counter()
        mf = self.mean_field(conv_tol_ha or self._settings.conv_tol_ha)
        seconds: list[float] = []
        cycles: list[tuple[float, float]] = []
        responses: list[None] = []

        def counted(*args: Any, **keywords: Any) -> Any:
            start = time.process_time()
            built = self._veff(*args, **keywords)
            seconds.append(time.process_time() - start)
            return built

        mf.get_veff = counted
        mf.callback = lambda now: cycles.append((float(now["e_tot"]), float(now["norm_gorb"])))
        with quiet_pyscf():
            correction = converge(mf, dm0, lambda: responses.append(None))
        return CrystalRun(
            converged=bool(mf.converged),
            iterations=len(cycles),
            hamiltonian_calls=len(seconds) + len(responses),
            energies_ha=tuple(energy for energy, _ in cycles),
            energy_ha=float(mf.e_tot),
            cpu_s=time.process_time() - cpu + self.cpu_s,
            wall_s=time.perf_counter() - wall + self.wall_s,
            gradient_norms=tuple(norm for _, norm in cycles),
            fock_cpu_s=statistics.median(seconds[1:]) if len(seconds) > 1 else None,
            dm=mf.make_rdm1(),
            correction=correction,
        )

    def diagonalised(self, density: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Build F0 of a density at each k-point and occupy its lowest orbitals.

        Parameters
        ----------
        density
            Shape ``(n_points,)``, e/bohr^3.

        Returns
        -------
        numpy.ndarray
            Density matrices, shape ``(n_k, n, n)``, tagged with their orbitals.
        """
        mf = self.mean_field(self._settings.conv_tol_ha)
        fock = self.core + self.grid.matrices(self.grid.potential(density).values)
        with quiet_pyscf():
            energies, orbitals = mf.eig(fock, self.overlap)
            found: NDArray[np.complex128] = mf.make_rdm1(orbitals, mf.get_occ(energies, orbitals))
        return found
