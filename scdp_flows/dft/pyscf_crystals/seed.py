"""Turn a density into the start of a crystal's calculation, and guard it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scdp_flows.dft.plane_waves.seed import Calculation, Effort, seed_waves
from scdp_flows.dft.plane_waves.wave_list import reciprocal_vectors, wave_list
from scdp_flows.dft.pyscf_crystals.scf import CrystalRun
from scdp_flows.errors import CalculationError
from scdp_flows.io.espresso_waves import EspressoWaves, waves_on_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_flows.dft.base import StartDensity
    from scdp_flows.dft.pyscf_crystals.inputs import PyscfCrystalSettings
    from scdp_flows.dft.pyscf_crystals.scf import CrystalSystem

__all__ = ["CrystalCalculation", "CrystalSeed", "density_seed", "grid_seed", "grid_waves"]


class CrystalSeed(NamedTuple):
    """What a calculation starts from."""

    waves: EspressoWaves
    """The density as waves, one of each pair G and -G, e/bohr^3."""
    dm0: NDArray[np.complex128]
    """Density matrices after one diagonalisation at each k-point, shape ``(n_k, n, n)``."""


class CrystalCalculation(Calculation[CrystalRun, CrystalSeed]):
    """One crystal as PySCF computes it.

    Parameters
    ----------
    system
        The crystal with its integrals.
    conv_tol_ha
        Convergence threshold, Hartree.
    """

    def __init__(self, system: CrystalSystem, conv_tol_ha: float) -> None:
        self._system, self._conv_tol_ha = system, conv_tol_ha

    def run(self, seed: CrystalSeed | None = None) -> CrystalRun:
        """Converge from a seed, or from PySCF's own guess."""
        dm0 = None if seed is None else seed.dm0
        return self._system.run(dm0, conv_tol_ha=self._conv_tol_ha)

    def objection(self, attempt: CrystalRun, seed: CrystalSeed) -> str | None:  # noqa: ARG002
        """Object to nothing: a density matrix that is passed on in memory cannot get lost."""
        return None

    def effort_of(self, seed: CrystalSeed) -> Effort:  # noqa: ARG002
        """Count the first Fock matrix as one build; its time is that of the seed."""
        return Effort(hamiltonian_calls=1)


def density_seed(
    system: CrystalSystem, settings: PyscfCrystalSettings, density: StartDensity
) -> CrystalSeed:
    """Render a density on the grid and diagonalise the Fock matrices that belong to it.

    It is averaged over the space group of the crystal, and its constant wave set to the electron
    count.

    Parameters
    ----------
    system, settings
        What is computed, and how.
    density
        Total density of this very crystal.

    Raises
    ------
    CalculationError
        If the density is of another cell, does not hold about the right number of electrons, or
        leads to matrices that cannot be right.
    """
    waves = seed_waves(system.crystal, settings, density)
    values = waves_on_grid(waves, waves.components[0], system.grid.shape)
    return CrystalSeed(waves, _checked(system, values.ravel()))


def grid_seed(
    system: CrystalSystem, settings: PyscfCrystalSettings, values: NDArray[np.float64]
) -> CrystalSeed:
    """Start from a density on the grid, as it is.

    Parameters
    ----------
    system, settings
        What is computed, and how.
    values
        Shape ``(n_points,)``, e/bohr^3.

    Raises
    ------
    CalculationError
        If it leads to matrices that cannot be right.
    """
    return CrystalSeed(grid_waves(system, settings, values), _checked(system, values))


def grid_waves(
    system: CrystalSystem, settings: PyscfCrystalSettings, values: NDArray[np.float64]
) -> EspressoWaves:
    """Return the waves below the cut-off of a density on the grid.

    Parameters
    ----------
    system, settings
        What is computed, and how.
    values
        Shape ``(n_points,)``, e/bohr^3.
    """
    crystal = system.crystal
    indices = wave_list(crystal, settings)
    spectrum = np.fft.fftn(values.reshape(system.grid.shape)) / len(values)
    found = [spectrum[tuple(indices.T)]]
    return EspressoWaves(settings.gamma_only, reciprocal_vectors(crystal.cell_bohr), indices, found)


def _checked(system: CrystalSystem, values: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Diagonalise once and count the electrons."""
    if not np.isfinite(values).all():
        raise CalculationError("the starting density is not finite on the grid")
    dm0 = system.diagonalised(values)
    held = float(np.einsum("kij,kji->", dm0, system.overlap).real) / len(system.overlap)
    expected = system.crystal.n_electrons
    if not abs(held - expected) < 1e-6 * expected:
        raise CalculationError(
            f"the first diagonalisation holds {held} electrons, expected {expected:g}"
        )
    return dm0
