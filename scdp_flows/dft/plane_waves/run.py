"""Hold one calculation of a program with what it printed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from scdp_flows.units import HARTREE_TO_EV

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ProgramOutput", "ProgramRun"]


class ProgramOutput(Protocol):
    """What is read alike of what all programs print."""

    @property
    def message(self) -> str | None:
        """Why the program stopped; None if it ended well."""

    @property
    def iterations(self) -> int:
        """SCF cycles."""

    @property
    def forces(self) -> NDArray[np.float64] | None:
        """Shape ``(n_atoms, 3)``, eV/Å; None if they were not asked for."""


O = TypeVar("O", bound=ProgramOutput)


@dataclass(frozen=True, eq=False)
class ProgramRun(ABC, Generic[O]):
    """One calculation; the programs add what they wrote."""

    output: O
    """What the program printed."""
    cpu_s: float
    """Processor time of the whole program and of writing what it starts from, s."""
    wall_s: float
    """Elapsed time of the same, s."""

    @property
    @abstractmethod
    def energies_ha(self) -> tuple[float, ...]:
        """Total energy after each cycle, Hartree."""

    @property
    def message(self) -> str | None:
        """Why the program stopped; None if it ended well."""
        return self.output.message

    @property
    def iterations(self) -> int:
        """SCF cycles."""
        return self.output.iterations

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
