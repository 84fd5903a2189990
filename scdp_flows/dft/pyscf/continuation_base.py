"""Say what a path of geometries is, and what chooses the start of each calculation on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, get_args

from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from pymatgen.core import Molecule

    from scdp_flows.dft.base import StartDensity
    from scdp_flows.dft.pyscf.scf import ScfRun

__all__ = ["Geometry", "PathSettings", "Start", "StartPolicy", "Strategy", "check_policy"]

StartPolicy = Literal[
    "default",
    "previous_dm",
    "prediction",
    "previous_deformation",
    "corrected_density",
    "corrected",
    "auto",
]
"""What each calculation of a path starts from; see ``docs/guide/relaxation.md``."""


def check_policy(policy: str) -> None:
    """Refuse a policy that does not exist.

    Raises
    ------
    SettingsError
        With those that do.
    """
    known = get_args(StartPolicy)
    if policy not in known:
        raise SettingsError(f"start policy {policy!r} is not known; expected {', '.join(known)}")


@dataclass(frozen=True, eq=False)
class Geometry:
    """One geometry of a path and what is known before it is computed."""

    structure: Molecule
    """Positions in Å, charge, spin multiplicity."""
    mol: Any
    """``pyscf.gto.Mole`` of the same."""
    prediction: StartDensity | None = None
    """Predicted density; None where there is none."""


class Start(NamedTuple):
    """How one calculation starts."""

    name: str
    """What was chosen, such as ``"prediction"``."""
    make_dm0: Callable[[Any], NDArray[np.float64]] | None
    """Gives the starting density matrix for a mean-field object; None: PySCF's own guess."""


class Strategy(Protocol):
    """What turns the history of a path into the next start."""

    def start(self, geometry: Geometry) -> Start:
        """Say how to start at a geometry."""
        ...

    def learn(self, geometry: Geometry, run: ScfRun) -> None:
        """Take note of the converged calculation of that geometry."""
        ...

    def forget(self) -> None:
        """Drop the history."""
        ...


@dataclass(frozen=True)
class PathSettings:
    """Say how a path is continued."""

    policy: StartPolicy = "auto"
    """What each calculation starts from."""
    grid_level: int = 0
    """Grid on which a density becomes a potential."""
    history: int = 6
    """Most earlier geometries from which a correction is extrapolated."""
