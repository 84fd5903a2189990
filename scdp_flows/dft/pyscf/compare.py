"""Converge one molecule from several starts and record what each was worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.dft.base import NoDensity, ScfStart, SpinDensities, made_density
from scdp_flows.dft.pyscf.auxiliary import coulomb_error, to_auxmol
from scdp_flows.dft.pyscf.fock import focks_of_density_matrix
from scdp_flows.dft.pyscf.molecule import build_molecule, quiet_pyscf
from scdp_flows.dft.pyscf.scf import check_converged, run_scf
from scdp_flows.dft.pyscf.seed import density_start, diagonalised_start, run_seeded
from scdp_flows.errors import SettingsError
from scdp_flows.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from scdp_flows.dft.base import GivenDensity
    from scdp_flows.dft.pyscf.inputs import PyscfSettings
    from scdp_flows.dft.pyscf.scf import ScfRun
    from scdp_flows.dft.pyscf.seed import SeededRun
    from scdp_flows.io.structures import AtomicStructure
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["Comparison", "StartErrors", "seeded_comparison", "seeded_starts"]

_BLOCK = 36 * 56


@dataclass(frozen=True)
class Comparison:
    """Say what is compared, and how."""

    conv_tol_ha: float = 1e-9
    """Convergence threshold of all calculations, Hartree."""
    grid_level: int = 0
    """Grid of the first potential; see :func:`scdp_flows.dft.pyscf.seed.seed_density_matrix`."""
    exact: bool = True
    """Whether to start from the converged density too, by the same route: the best possible."""
    forces: bool = False
    """Whether to compare forces, which cost as much as several Fock builds."""


class StartErrors:
    """Measure densities against a converged one.

    Parameters
    ----------
    run
        The converged calculation. Its quadrature grid is used, at least of level 1.

    Attributes
    ----------
    mean_field
        PySCF's object of the calculation.
    """

    def __init__(self, run: ScfRun) -> None:
        from pyscf.dft import Grids

        self.mean_field, self._dm = run.mf, run.dm
        self._grids = Grids(run.mf.mol)
        self._grids.level = max(1, run.mf.grids.level)
        self._grids.build()
        self._exact = self._orbital_density(self._dm)
        self._energy = self._coulomb_energy(self._dm)

    def nmae(self, density: OrbitalDensity) -> float:
        """Return the NMAE of a density in percent."""
        auxiliary = to_auxmol(density)
        coefficients = auxiliary.to_pyscf(density.coefficients)
        points = self._grids.coords
        blocks = [
            auxiliary.mol.eval_gto("GTOval_sph", points[begin : begin + _BLOCK]) @ coefficients
            for begin in range(0, len(points), _BLOCK)
        ]
        return self._percent(np.concatenate(blocks))

    def nmae_of_matrix(self, dm: NDArray[np.float64]) -> float:
        """Return the NMAE in percent of a density matrix (both spins together)."""
        return self._percent(self._orbital_density(dm))

    def coulomb(self, density: OrbitalDensity) -> float:
        """Return (d|d)/2 in Hartree of a density's error d, exactly."""
        mol, energy = self.mean_field.mol, self._energy
        return coulomb_error(mol, density, self._dm, coulomb_energy_ha=energy)

    def coulomb_of_matrix(self, dm: NDArray[np.float64]) -> float:
        """Return (d|d)/2 in Hartree of a density matrix's error d."""
        return self._coulomb_energy(np.asarray(dm) - self._dm)

    def _percent(self, values: NDArray[np.float64]) -> float:
        weights = self._grids.weights
        return 100 * float(weights @ abs(values - self._exact) / (weights @ abs(self._exact)))

    def _coulomb_energy(self, dm: NDArray[np.float64]) -> float:
        return 0.5 * float(np.einsum("ij,ji->", self.mean_field.get_j(self.mean_field.mol, dm), dm))

    def _orbital_density(self, dm: NDArray[np.float64]) -> NDArray[np.float64]:
        points, out = self._grids.coords, []
        for begin in range(0, len(points), _BLOCK):
            ao = self.mean_field.mol.eval_gto("GTOval_sph", points[begin : begin + _BLOCK])
            out.append(np.einsum("pi,pi->p", ao @ dm, ao))
        return np.concatenate(out)


def seeded_comparison(
    structure: AtomicStructure,
    settings: PyscfSettings,
    densities: Mapping[str, GivenDensity],
    how: Comparison = Comparison(),
) -> list[ScfStart]:
    """Converge a molecule from the default guess, from each density, and from the exact one.

    Every calculation computes its own integrals, so that the times are honest.

    Parameters
    ----------
    structure
        The molecule.
    settings
        How to compute.
    densities
        Name → total density to start from; for open shells with the spin density.
    how
        Threshold, grid, and what else is compared.

    Returns
    -------
    list of ScfStart
        ``"default"`` first, then `densities` in their order, ``"exact"`` last.

    Raises
    ------
    StructureError
        If the molecule cannot be computed.
    CalculationError
        If it does not converge from the default guess.
    SettingsError
        If a density is named ``"default"`` or ``"exact"``.
    """
    taken = {"default", "exact"} & set(densities)
    if taken:
        raise SettingsError(f"densities are named {sorted(taken)}; these names have a meaning")
    mol = build_molecule(structure, settings)
    default = run_scf(mol, settings, conv_tol_ha=how.conv_tol_ha)
    check_converged(default, structure.formula, how.conv_tol_ha)
    errors = StartErrors(default)
    forces = _forces(default) if how.forces else None
    starts = [_default_start(default, errors)]
    for name, density in densities.items():
        make = _maker(mol, density, grid_level=how.grid_level)
        run = run_seeded(mol, settings, make, conv_tol_ha=how.conv_tol_ha, default=default)
        start = _compared(_start(name, run), run, default, errors, forces=forces)
        # What was refused before it became a start (periodic, say) may not be measurable.
        if run.dm0 is not None and not isinstance(density, NoDensity):
            total = density.total if isinstance(density, SpinDensities) else density
            nmae, coulomb = errors.nmae(total), errors.coulomb(total)
            start = replace(start, nmae_percent=nmae, coulomb_error_ha=coulomb)
        starts.append(start)
    if how.exact:
        run = _from_converged(mol, settings, default, grid_level=how.grid_level)
        start = _compared(_start("exact", run), run, default, errors, forces=forces)
        known = run.dm0 is not None
        starts.append(replace(start, nmae_percent=0.0, coulomb_error_ha=0.0) if known else start)
    return starts


def seeded_starts(
    structure: AtomicStructure,
    settings: PyscfSettings,
    densities: Mapping[str, GivenDensity],
    how: Comparison = Comparison(),
) -> list[ScfStart]:
    """Converge a molecule from each density, without anything to compare with.

    Parameters
    ----------
    structure, settings, densities
        As in :func:`seeded_comparison`.
    how
        Threshold and grid.

    Raises
    ------
    StructureError
        If the molecule cannot be computed.
    """
    mol = build_molecule(structure, settings)
    return [
        _start(
            name,
            run_seeded(
                mol,
                settings,
                _maker(mol, density, grid_level=how.grid_level),
                conv_tol_ha=how.conv_tol_ha,
            ),
        )
        for name, density in densities.items()
    ]


def _maker(
    mol: Any, density: GivenDensity, *, grid_level: int
) -> Callable[[Any], NDArray[np.float64]]:
    """Return what makes a start, or raises the reason why there is no density."""

    def make(mf: Any) -> NDArray[np.float64]:
        return density_start(mol, made_density(density), grid_level=grid_level)(mf)

    return make


def _both_spins(dm: NDArray[np.float64]) -> NDArray[np.float64]:
    plain = np.asarray(dm)
    return plain if plain.ndim == 2 else np.asarray(plain.sum(axis=0))


def _default_start(run: ScfRun, errors: StartErrors) -> ScfStart:
    dm = _both_spins(run.mf.get_init_guess(run.mf.mol))
    return ScfStart(
        start="default",
        seed_used=False,
        fallback_reason=None,
        converged=run.converged,
        iterations=run.iterations,
        fock_builds=run.fock_builds,
        energy_ha=run.energy_ha,
        energy_ev=run.energy_ha * HARTREE_TO_EV,
        cpu_s=run.cpu_s,
        wall_s=run.wall_s,
        energy_difference_ha=0.0,
        nmae_percent=errors.nmae_of_matrix(dm),
        coulomb_error_ha=errors.coulomb_of_matrix(dm),
        gradient_norms=run.gradient_norms,
        energies_ha=run.energies_ha,
        fock_cpu_s=run.fock_cpu_s,
        moment=_moment(run),
        correction=run.correction,
    )


def _start(name: str, seeded: SeededRun) -> ScfStart:
    """Record a seeded run; what a discarded attempt cost is added."""
    runs = [seeded.result]
    if seeded.fallback_reason is not None and seeded.attempt is not None:
        runs.insert(0, seeded.attempt)
    result, dm0 = seeded.result, seeded.dm0
    return ScfStart(
        start=name,
        seed_used=seeded.fallback_reason is None,
        fallback_reason=seeded.fallback_reason,
        converged=result.converged,
        iterations=sum(run.iterations for run in runs),
        fock_builds=sum(run.fock_builds for run in runs) + (dm0 is not None),
        energy_ha=result.energy_ha,
        energy_ev=result.energy_ha * HARTREE_TO_EV,
        cpu_s=sum(run.cpu_s for run in runs) + seeded.seed_cpu_s + seeded.core_cpu_s,
        wall_s=sum(run.wall_s for run in runs) + seeded.seed_wall_s + seeded.core_wall_s,
        seed_cpu_s=seeded.seed_cpu_s,
        gradient_norms=tuple(g for run in runs for g in run.gradient_norms),
        energies_ha=tuple(e for run in runs for e in run.energies_ha),
        fock_cpu_s=result.fock_cpu_s,
        moment=_moment(result),
        correction=result.correction,
    )


def _compared(
    start: ScfStart,
    seeded: SeededRun,
    default: ScfRun,
    errors: StartErrors,
    *,
    forces: NDArray[np.float64] | None,
) -> ScfStart:
    """Add in what a seeded run differs from the default one."""
    dm0, moved = seeded.dm0, None
    if forces is not None:
        moved = float(abs(_forces(seeded.result) - forces).max())
    return replace(
        start,
        energy_difference_ha=seeded.result.energy_ha - default.energy_ha,
        nmae_dm0_percent=None if dm0 is None else errors.nmae_of_matrix(_both_spins(dm0)),
        force_difference_ev_ang=moved,
    )


def _forces(run: ScfRun) -> NDArray[np.float64]:
    """Return the forces, shape ``(n_atoms, 3)``, eV/Å."""
    with quiet_pyscf():
        gradients = run.mf.nuc_grad_method().kernel()
    return np.asarray(gradients) * (-HARTREE_TO_EV / BOHR_TO_ANGSTROM)


def _moment(run: ScfRun) -> float | None:
    """Return the spin moment in Bohr magnetons, which holds for a whole molecule."""
    spin_dm = run.spin_dm
    return None if spin_dm is None else float(np.vdot(spin_dm, run.mf.get_ovlp()))


def _from_converged(
    mol: Any, settings: PyscfSettings, default: ScfRun, *, grid_level: int
) -> SeededRun:
    """Start from the converged density by the route of all densities."""
    dm = np.asarray(default.mf.make_rdm1())

    def make(mf: Any) -> NDArray[np.float64]:
        # By the object that has the integrals: they are no cost of a start.
        focks = focks_of_density_matrix(default.mf, dm, grid_level=grid_level)
        return diagonalised_start(mol, mf, focks)

    tolerance = float(default.mf.conv_tol)
    return run_seeded(mol, settings, make, conv_tol_ha=tolerance, default=default)
