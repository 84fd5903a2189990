"""Read what ``pw.x`` prints."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PwOutput", "parse_output"]

_RYDBERG_PER_BOHR = 0.5 * HARTREE_TO_EV / BOHR_TO_ANGSTROM
_NUMBER = r"([-+]?\d+\.\d+(?:[EeDd][-+]?\d+)?)"


@dataclass(frozen=True, eq=False)
class PwOutput:
    """What a calculation printed."""

    converged: bool
    """Whether the threshold was met and the program ended well."""
    iterations: int
    """SCF cycles."""
    h_psi_calls: int
    """Applications of the Hamiltonian to a block of orbitals."""
    energies_ry: tuple[float, ...]
    """Total energy after each cycle and at the end, Rydberg."""
    accuracies_ry: tuple[float, ...]
    """Estimated error of each of them, Rydberg."""
    forces: NDArray[np.float64] | None
    """Shape ``(n_atoms, 3)``, eV/Å; None if they were not asked for."""
    magnetization: float | None
    """Total, Bohr magnetons per cell; None without spin."""
    density_was_read: bool
    """Whether the program says that it read its first density from a file."""
    starting_charge: float | None
    """Electrons of the first density if the program rescaled it, else None."""
    message: str | None
    """Why the program stopped; None if it ended well."""


def parse_output(text: str) -> PwOutput:
    """Read the output of one self-consistent calculation, also if it broke off.

    Parameters
    ----------
    text
        Standard output.
    """
    charge = re.search(rf"starting charge\s+{_NUMBER}, renormalised", text)
    calls = re.search(r"^\s+h_psi\s*:.*?\(\s*(\d+) calls\)", text, re.MULTILINE)
    magnetization = re.findall(rf"total magnetization\s+=\s+{_NUMBER}", text)
    message = _message(text)
    return PwOutput(
        converged=message is None and "convergence has been achieved" in text,
        iterations=len(re.findall(r"^\s+iteration #", text, re.MULTILINE)),
        h_psi_calls=int(calls[1]) if calls else 0,
        energies_ry=_all(rf"^!?\s+total energy\s+=\s*{_NUMBER} Ry", text),
        accuracies_ry=_all(rf"estimated scf accuracy\s+<\s*{_NUMBER} Ry", text),
        forces=_forces(text),
        magnetization=float(magnetization[-1]) if magnetization else None,
        density_was_read="The initial density is read from file" in text,
        starting_charge=float(charge[1]) if charge else None,
        message=message,
    )


def _all(pattern: str, text: str) -> tuple[float, ...]:
    return tuple(float(number) for number in re.findall(pattern, text, re.MULTILINE))


def _message(text: str) -> str | None:
    """Return the program's complaint, or that it was cut short."""
    found = re.search(r"Error in routine\s+(.*?)%%%", text, re.DOTALL)
    if found:
        return "error in routine " + " ".join(found[1].split())
    return None if "JOB DONE" in text else "the output ends early"


def _forces(text: str) -> NDArray[np.float64] | None:
    block = text.partition("Forces acting on atoms")[2].partition("contribution")[0]
    rows = re.findall(rf"force =\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}", block)
    return np.array(rows, dtype=float) * _RYDBERG_PER_BOHR if rows else None
