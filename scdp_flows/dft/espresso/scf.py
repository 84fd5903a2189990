"""Run ``pw.x`` once and record how it went."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scdp_flows.dft.espresso.files import RunFiles
from scdp_flows.dft.espresso.input_text import input_text
from scdp_flows.dft.espresso.output import PwOutput, parse_output
from scdp_flows.dft.plane_waves.program import SCRATCH_PREFIX, execute, require_program
from scdp_flows.dft.plane_waves.run import ProgramRun
from scdp_flows.dft.plane_waves.seed import Effort
from scdp_flows.scratch import scratch_folder

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.density import ChargeDensity
    from scdp_flows.dft.espresso.files import SeedFiles
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.plane_waves.structure import Crystal

__all__ = ["PwRun", "run_cycles", "run_scf"]

_INPUT = "pw.in"
_PACKAGE = "quantum-espresso"


@dataclass(frozen=True, eq=False)
class PwRun(ProgramRun[PwOutput]):
    """One calculation."""

    final: SeedFiles | None
    """Its last density; None if it did not converge."""
    density: ChargeDensity | None
    """The same on the grid; None unless asked for."""
    n_orbital_waves: int
    """Most plane waves of an orbital; 0 if it did not converge."""

    @property
    def converged(self) -> bool:
        """Whether the threshold was met and the program ended well."""
        return self.output.converged and self.final is not None

    @property
    def hamiltonian_calls(self) -> int:
        """Applications of the Hamiltonian to a block of orbitals (``h_psi``)."""
        return self.output.h_psi_calls

    @property
    def energies_ha(self) -> tuple[float, ...]:
        """Total energy after each cycle, Hartree."""
        return tuple(0.5 * energy for energy in self.output.energies_ry)

    @property
    def moment(self) -> float | None:
        """Total magnetic moment, Bohr magnetons per cell; None without spin."""
        return self.output.magnetization


def run_cycles(
    crystal: Crystal,
    settings: EspressoSettings,
    cycles: int,
    seed: SeedFiles | None = None,
) -> SeedFiles:
    """Stop after some cycles and return density, occupancies and what it took.

    Parameters
    ----------
    crystal, settings
        What to compute, and how.
    cycles
        How many; none gives the density that the program starts from.
    seed
        What to start from; the program's own guess when None.

    Raises
    ------
    MissingDependencyError
        If the program is not installed.
    CalculationError
        If it wrote no density.
    """
    words = require_program(settings, _PACKAGE)
    text = input_text(
        crystal,
        settings,
        from_file=seed is not None,
        cycles=cycles,
    )
    with scratch_folder(SCRATCH_PREFIX) as folder:
        files = RunFiles(folder)
        if seed is not None:
            files.write_seed(seed)
        (folder / _INPUT).write_text(text, encoding="utf-8")
        execution = execute([*words, "-in", _INPUT], folder)
        output = parse_output(execution.text)
        effort = Effort(output.iterations, output.h_psi_calls, execution.cpu_s)
        return files.read_seed()._replace(effort=effort)


def run_scf(
    crystal: Crystal,
    settings: EspressoSettings,
    seed: SeedFiles | None = None,
    *,
    diago_thr_init: float | None = None,
    on_grid: bool = False,
    keep_orbitals: Path | None = None,
) -> PwRun:
    """Converge a crystal in a temporary folder.

    A run that does not converge or stops with an error is returned, not raised: the caller knows
    what to do.

    Parameters
    ----------
    crystal, settings
        What to compute, and how.
    seed
        What to start from; the program's own guess when None.
    diago_thr_init
        Threshold of the first diagonalisation; that of the program when None.
    on_grid
        Whether to return the density on the grid too.
    keep_orbitals
        Folder to which the orbitals are moved if it converges.

    Raises
    ------
    MissingDependencyError
        If the program is not installed.
    """
    words = require_program(settings, _PACKAGE)
    text = input_text(
        crystal,
        settings,
        from_file=seed is not None,
        with_orbitals=seed is not None and seed.orbitals is not None,
        diago_thr_init=diago_thr_init,
    )
    with scratch_folder(SCRATCH_PREFIX) as folder:
        files = RunFiles(folder)
        cpu, wall = time.thread_time(), time.perf_counter()
        if seed is not None:
            files.write_seed(seed)
        cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
        (folder / _INPUT).write_text(text, encoding="utf-8")
        execution = execute([*words, "-in", _INPUT], folder)
        output = parse_output(execution.text)
        good = output.converged
        run = PwRun(
            output=replace(output, message=execution.explained(output.message)),
            cpu_s=execution.cpu_s + cpu,
            wall_s=execution.wall_s + wall,
            final=files.read_seed() if good else None,
            density=files.read_density() if good and on_grid else None,
            n_orbital_waves=files.n_orbital_waves() if good else 0,
        )
        if good and keep_orbitals is not None:
            files.keep_orbitals(keep_orbitals)
        return run
