"""Run ABINIT once and record how it went."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scdp_flows.dft.abinit.files import RunFiles, waves_of
from scdp_flows.dft.abinit.input_text import input_text
from scdp_flows.dft.abinit.output import AbinitOutput, parse_output
from scdp_flows.dft.plane_waves.program import SCRATCH_PREFIX, execute, require_program
from scdp_flows.dft.plane_waves.run import ProgramRun
from scdp_flows.scratch import scratch_folder

if TYPE_CHECKING:
    from scdp_flows.density import ChargeDensity
    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_flows.dft.plane_waves.structure import Crystal
    from scdp_flows.io.espresso_waves import EspressoWaves

__all__ = ["AbinitRun", "run_scf"]


@dataclass(frozen=True, eq=False)
class AbinitRun(ProgramRun[AbinitOutput]):
    """One calculation."""

    density: ChargeDensity | None
    """Its last density on the grid; None if it did not converge."""
    waves: EspressoWaves | None
    """The same as waves."""

    @property
    def converged(self) -> bool:
        """Whether the threshold was met and the program ended well."""
        return self.output.converged and self.density is not None

    @property
    def hamiltonian_calls(self) -> int:
        """Applications of the Hamiltonian to a band (``getghc``)."""
        return self.output.hamiltonian_calls

    @property
    def energies_ha(self) -> tuple[float, ...]:
        """Total energy after each cycle, Hartree."""
        return self.output.energies_ha

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
    with scratch_folder(SCRATCH_PREFIX) as folder:
        files = RunFiles(folder)
        cpu, wall = time.thread_time(), time.perf_counter()
        if seed is not None:
            files.write_seed(crystal, settings, seed)
        cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
        text = input_text(crystal, settings, None if seed is None else seed_tolwfr)
        files.input.write_text(text, encoding="utf-8")
        execution = execute([*words, files.input.name], folder)
        output = parse_output(execution.text, files.read_output())
        density = files.read_density() if output.converged else None
    waves = None if density is None else waves_of(crystal, settings, density)
    output = replace(output, message=execution.explained(output.message))
    cpu, wall = execution.cpu_s + cpu, execution.wall_s + wall
    return AbinitRun(output, cpu, wall, density, waves)
