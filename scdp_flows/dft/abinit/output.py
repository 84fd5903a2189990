"""Read what ABINIT prints."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AbinitOutput", "parse_output"]

_NUMBER = r"([-+]?\d+\.\d+(?:[EeDd][-+]?\d+)?)"
_READ, _INTERPOLATED = "read_rhor completed", "fourier interpolation"
_HARTREE_PER_BOHR = HARTREE_TO_EV / BOHR_TO_ANGSTROM


@dataclass(frozen=True, eq=False)
class AbinitOutput:
    """What a calculation printed."""

    converged: bool
    """Whether the threshold was met and the program ended well."""
    iterations: int
    """SCF cycles; sweeps for the orbitals of a given density are none."""
    hamiltonian_calls: int
    """Applications of the Hamiltonian to a band, those for a given density included."""
    energies_ha: tuple[float, ...]
    """Total energy after each cycle, Hartree."""
    residuals: tuple[float, ...]
    """Squared residual of the potential after each cycle."""
    forces: NDArray[np.float64] | None
    """Shape ``(n_atoms, 3)``, eV/Å; None if they were not asked for."""
    density_was_read: bool
    """Whether the program read its first density from a file, as it was."""
    n_orbital_waves: int
    """Most plane waves of an orbital; 0 if it is not stated."""
    message: str | None
    """Why the program stopped; None if it ended well."""


def parse_output(log: str, output: str) -> AbinitOutput:
    """Read the output of one self-consistent calculation, also if it broke off.

    Parameters
    ----------
    log
        Standard output.
    output
        Content of the main output file; empty if there is none.
    """
    rows = re.findall(rf"^ ETOT\s*\d+\s+{_NUMBER}\s+\S+\s+\S+\s+{_NUMBER}", output, re.MULTILINE)
    calls = re.findall(rf"^- getghc\s+(?:{_NUMBER}\s+){{4}}(\d+)", output, re.MULTILINE)
    waves = re.search(r"\bmpw =\s+(\d+)", output)
    message = _message(log, output)
    return AbinitOutput(
        converged=message is None and bool(re.search(r"At SCF step.*=>\s*converged", output)),
        iterations=len(rows),
        hamiltonian_calls=max((int(found[-1]) for found in calls), default=0),
        energies_ha=tuple(float(energy) for energy, _ in rows),
        residuals=tuple(float(residual) for _, residual in rows),
        forces=_forces(output),
        density_was_read=_READ in log and _INTERPOLATED not in log.lower(),
        n_orbital_waves=int(waves[1]) if waves else 0,
        message=message,
    )


def _message(log: str, output: str) -> str | None:
    """Return the program's complaint, or that it was cut short."""
    # Complaints about the input come as plain text before the block that ends the run.
    for pattern in (
        r"chkinp: ERROR -\n(.*?)\n\n",
        r"--- !(?:ERROR|BUG)\n.*?message: \|\n(.*?)\.\.\.",
    ):
        found = re.search(pattern, log, re.DOTALL)
        if found:
            return " ".join(found[1].split())
    return None if "Calculation completed" in output else "the output ends early"


def _forces(output: str) -> NDArray[np.float64] | None:
    block = output.partition("cartesian forces (hartree/bohr) at end:")[2].partition("frms")[0]
    rows = re.findall(rf"^\s+\d+\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}", block, re.MULTILINE)
    return np.array(rows, dtype=float) * _HARTREE_PER_BOHR if rows else None
