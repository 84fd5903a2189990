"""Run ``pw.x`` once and record how it went."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scdp_flows.dft.espresso.files import RunFiles
from scdp_flows.dft.espresso.input_text import input_text
from scdp_flows.dft.espresso.output import parse_output
from scdp_flows.errors import CalculationError, MissingDependencyError
from scdp_flows.units import HARTREE_TO_EV

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scdp_flows.density import ChargeDensity
    from scdp_flows.dft.espresso.files import SeedFiles
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.espresso.output import PwOutput
    from scdp_flows.dft.espresso.structure import Crystal

__all__ = ["PwRun", "check_converged", "require_program", "run_scf"]

_INPUT, _OUTPUT, _ERRORS = "pw.in", "pw.out", "pw.err"
_TAIL = 400


@dataclass(frozen=True, eq=False)
class PwRun:
    """One calculation."""

    output: PwOutput
    """What the program printed."""
    cpu_s: float
    """Processor time of the whole program, s."""
    wall_s: float
    """Elapsed time of the whole program, s."""
    final: SeedFiles | None
    """Its last density; None if it did not converge."""
    density: ChargeDensity | None
    """The same on the grid; None unless asked for."""
    n_orbital_waves: int
    """Most plane waves of an orbital; 0 if it did not converge."""

    @property
    def energy_ha(self) -> float:
        """Last total energy, Hartree; NaN if there is none."""
        energies = self.output.energies_ry
        return 0.5 * energies[-1] if energies else float("nan")

    @property
    def energy_ev(self) -> float:
        """Last total energy, eV; NaN if there is none."""
        return self.energy_ha * HARTREE_TO_EV


def require_program(settings: EspressoSettings) -> list[str]:
    """Return the words of the command.

    Raises
    ------
    MissingDependencyError
        If there is no such program.
    """
    words = shlex.split(settings.command)
    if not words or shutil.which(words[0]) is None:
        raise MissingDependencyError(
            f"the program of command {settings.command!r} is not installed; on Debian and Ubuntu: "
            "apt-get install quantum-espresso"
        )
    return words


def run_scf(
    crystal: Crystal,
    settings: EspressoSettings,
    seed: SeedFiles | None = None,
    *,
    diago_thr_init: float | None = None,
    on_grid: bool = False,
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

    Raises
    ------
    MissingDependencyError
        If the program is not installed.
    """
    words = require_program(settings)
    text = input_text(crystal, settings, from_file=seed is not None, diago_thr_init=diago_thr_init)
    with _scratch() as folder:
        files = RunFiles(folder)
        if seed is not None:
            files.write_seed(seed)
        (folder / _INPUT).write_text(text, encoding="utf-8")
        wall = time.perf_counter()
        cpu = _execute([*words, "-in", _INPUT], folder)
        wall = time.perf_counter() - wall
        output = parse_output((folder / _OUTPUT).read_text(encoding="utf-8", errors="replace"))
        good = output.converged
        return PwRun(
            output=output,
            cpu_s=cpu,
            wall_s=wall,
            final=files.read_seed() if good else None,
            density=files.read_density() if good and on_grid else None,
            n_orbital_waves=files.n_orbital_waves() if good else 0,
        )


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="scdp-pw-") as name:
        yield Path(name)


def _execute(words: list[str], folder: Path) -> float:
    """Run a program with one thread and return the processor time that it and its children took."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (folder / _OUTPUT).open("wb") as out, (folder / _ERRORS).open("wb") as err:
        process = subprocess.Popen(  # noqa: S603 - the user's own command
            words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # ours to end where we are interrupted
            process.kill()
            process.wait()
            raise
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def check_converged(run: PwRun, formula: str, settings: EspressoSettings) -> None:
    """Refuse a calculation that did not converge.

    Raises
    ------
    CalculationError
        If it did not, with what the program said.
    """
    if run.output.converged:
        return
    if run.output.message is not None:
        raise CalculationError(f"{formula}: pw.x stopped: {run.output.message[:_TAIL]}")
    raise CalculationError(
        f"{formula}: not converged to {settings.conv_thr_ry} Ry in {run.output.iterations} cycles; "
        "raise max_cycle, lower mixing_beta, or set a smearing if it is a metal"
    )
