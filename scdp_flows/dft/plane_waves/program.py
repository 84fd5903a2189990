"""Run a program in a folder of its own and count its processor time."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import time
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

from scdp_flows.errors import CalculationError, MissingDependencyError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from scdp_flows.dft.plane_waves.settings import PlaneWaveSettings

__all__ = ["SCRATCH_PREFIX", "Execution", "ScfRun", "check_converged", "execute", "require_program"]

SCRATCH_PREFIX = "scdp-pw-"
"""Beginning of the names of the folders in which programs run."""

OUTPUT, ERRORS = "scdp.out", "scdp.err"
_TAIL = 400


class ScfRun(Protocol):
    """What all codes tell of one self-consistent calculation."""

    @property
    def converged(self) -> bool:
        """Whether the threshold was met and the program ended well."""

    @property
    def message(self) -> str | None:
        """Why the program stopped; None if it ended well."""

    @property
    def iterations(self) -> int:
        """SCF cycles."""

    @property
    def hamiltonian_calls(self) -> int:
        """Work: applications of the Hamiltonian to orbitals, as the code counts them."""

    @property
    def energies_ha(self) -> tuple[float, ...]:
        """Total energy after each cycle, Hartree."""

    @property
    def energy_ha(self) -> float:
        """Last total energy, Hartree; NaN if there is none."""

    @property
    def moment(self) -> float | None:
        """Total magnetic moment, Bohr magnetons per cell; None without spin."""

    @property
    def forces(self) -> NDArray[np.float64] | None:
        """Shape ``(n_atoms, 3)``, eV/Å; None if they were not asked for."""

    @property
    def cpu_s(self) -> float:
        """Processor time of the whole program, s."""

    @property
    def wall_s(self) -> float:
        """Elapsed time of the whole program, s."""


class Execution(NamedTuple):
    """One run of a program."""

    text: str
    """What it printed."""
    cpu_s: float
    """Processor time of the program and its children, s."""
    wall_s: float
    """Elapsed time, s."""
    failure: str | None = None
    """Status of a program that did not end well, and the end of its standard error."""

    def explained(self, message: str | None) -> str | None:
        """Add what the system says to what the program complains of; None stays None."""
        return message if message is None or self.failure is None else f"{message} ({self.failure})"


def require_program(settings: PlaneWaveSettings, package: str) -> list[str]:
    """Return the words of the command.

    Parameters
    ----------
    settings
        Name the command.
    package
        Of Debian, for the message.

    Raises
    ------
    MissingDependencyError
        If there is no such program.
    """
    words = shlex.split(settings.command)
    if not words or shutil.which(words[0]) is None:
        raise MissingDependencyError(
            f"the program of command {settings.command!r} is not installed; on Debian and Ubuntu: "
            f"apt-get install {package}"
        )
    return words


def execute(words: list[str], folder: Path) -> Execution:
    """Run a program with one thread in a folder; it ends when this process does.

    Parameters
    ----------
    words
        The command.
    folder
        Where.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    wall = time.perf_counter()
    with (folder / OUTPUT).open("wb") as out, (folder / ERRORS).open("wb") as err:
        process = subprocess.Popen(  # noqa: S603 - the user's own command
            [*_leash(), *words],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # ours to end where we are interrupted
            process.kill()
            process.wait()
            raise
    process.returncode = os.waitstatus_to_exitcode(status)
    text = (folder / OUTPUT).read_text(encoding="utf-8", errors="replace")
    cpu, wall = usage.ru_utime + usage.ru_stime, time.perf_counter() - wall
    return Execution(text, cpu, wall, _failure(process.returncode, folder / ERRORS))


def _failure(status: int, errors: Path) -> str | None:
    """Say how a program ended; None if well."""
    if status == 0:
        return None
    said = errors.read_text(encoding="utf-8", errors="replace").strip()[-_TAIL:]
    ended = f"exit status {status}" if status > 0 else f"killed by {signal.Signals(-status).name}"
    return f"{ended}: {said}" if said else ended


@cache
def _leash() -> list[str]:
    """Return what lets a program end with this process, even if that is killed; nothing elsewhere.

    A batch system that ends a job does not wait for us to end what we started.
    """
    words = ["setpriv", "--pdeathsig", "TERM"]  # util-linux since 2.33
    try:
        done = subprocess.run([*words, "true"], check=False, capture_output=True)  # noqa: S603
    except OSError:
        return []
    return [] if done.returncode else words


def check_converged(run: ScfRun, formula: str, program: str, threshold: str) -> None:
    """Refuse a calculation that did not converge.

    Parameters
    ----------
    run
        The calculation.
    formula, program, threshold
        For the message.

    Raises
    ------
    CalculationError
        If it did not, with what the program said.
    """
    if run.converged:
        return
    if run.message is not None:
        raise CalculationError(f"{formula}: {program} stopped: {run.message[:_TAIL]}")
    raise CalculationError(
        f"{formula}: not converged to {threshold} in {run.iterations} cycles; raise max_cycle, "
        "mix less, or set a smearing if it is a metal"
    )
