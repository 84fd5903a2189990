"""Run ABINIT once and record how it went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scdp_flows.dft.abinit.files import RunFiles, waves_of
from scdp_flows.dft.abinit.input_text import input_text
from scdp_flows.dft.abinit.output import parse_output
from scdp_flows.dft.plane_waves.program import execute, require_program, scratch
from scdp_flows.units import HARTREE_TO_EV

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scdp_flows.density import ChargeDensity
    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_flows.dft.abinit.output import AbinitOutput
    from scdp_flows.dft.plane_waves.structure import Crystal
    from scdp_flows.io.espresso_waves import EspressoWaves

__all__ = ["AbinitRun", "run_scf"]


@dataclass(frozen=True, eq=False)
class AbinitRun:
    """One calculation."""

    output: AbinitOutput
    """What the program printed."""
    cpu_s: float
    """Processor time of the whole program, s."""
    wall_s: float
    """Elapsed time of the whole program, s."""
    density: ChargeDensity | None
    """Its last density on the grid; None if it did not converge."""
    waves: EspressoWaves | None
    """The same as waves."""

    @property
    def converged(self) -> bool:
        """Whether the threshold was met and the program ended well."""
        return self.output.converged and self.density is not None

    @property
    def message(self) -> str | None:
        """Why the program stopped; None if it ended well."""
        return self.output.message

    @property
    def iterations(self) -> int:
        """SCF cycles."""
        return self.output.iterations

    @property
    def hamiltonian_calls(self) -> int:
        """Applications of the Hamiltonian to a band (``getghc``)."""
        return self.output.hamiltonian_calls

    @property
    def energies_ha(self) -> tuple[float, ...]:
        """Total energy after each cycle, Hartree."""
        return self.output.energies_ha

    @property
    def energy_ha(self) -> float:
        """Last total energy, Hartree; NaN if there is none."""
        return self.energies_ha[-1] if self.energies_ha else float("nan")

    @property
    def energy_ev(self) -> float:
        """Last total energy, eV; NaN if there is none."""
        return self.energy_ha * HARTREE_TO_EV

    @property
    def forces(self) -> NDArray[np.float64] | None:
        """Shape ``(n_atoms, 3)``, eV/Å; None if they were not asked for."""
        return self.output.forces

    @property
    def moment(self) -> float | None:
        """Total magnetic moment, Bohr magnetons per cell; None without spin."""
        if self.density is None or self.density.magnetization is None:
            return None
        return float(self.density.magnetization.sum()) * self.density.voxel_volume


def run_scf(
    crystal: Crystal,
    settings: AbinitSettings,
    seed: EspressoWaves | None = None,
    *,
    seed_tolwfr: float = 1e-5,
) -> AbinitRun:
    """Converge a crystal in a temporary folder.

    A run that does not converge or stops with an error is returned, not raised: the caller knows
    what to do.

    Parameters
    ----------
    crystal, settings
        What to compute, and how.
    seed
        What to start from; the program's own guess when None.
    seed_tolwfr
        Squared residual to which orbitals are converged for a seed, before the self-consistent
        part.

    Raises
    ------
    MissingDependencyError
        If the program is not installed.
    """
    words = require_program(settings, "abinit")
    with scratch() as folder:
        files = RunFiles(folder)
        if seed is not None:
            files.write_seed(crystal, settings, seed)
        text = input_text(crystal, settings, None if seed is None else seed_tolwfr)
        files.input.write_text(text, encoding="utf-8")
        execution = execute([*words, files.input.name], folder)
        output = parse_output(execution.text, files.read_output())
        density = files.read_density() if output.converged else None
    waves = None if density is None else waves_of(crystal, settings, density)
    return AbinitRun(output, execution.cpu_s, execution.wall_s, density, waves)
