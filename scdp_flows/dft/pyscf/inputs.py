"""Say how PySCF computes densities: a small value that travels in jobs and documents."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from monty.json import MSONable

from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from scdp_flows.kind import DensityKind

__all__ = ["PyscfSettings"]

_HIGHEST_GRID_LEVEL = 9


@dataclass(frozen=True)
class PyscfSettings(MSONable):
    """Describe molecular Kohn-Sham calculations, of valence electrons by default.

    The default basis has the smallest error for its cost with the default pseudopotentials
    (``docs/design/label_basis.md``).

    Raises
    ------
    SettingsError
        If a value is impossible.

    Examples
    --------
    >>> PyscfSettings(basis="gth-dzvp").kind().basis
    'gth-dzvp'
    >>> PyscfSettings(pseudopotential="none", basis="def2-svp").kind().electrons
    'all'
    """

    functional: str = "PBE"
    """Exchange-correlation functional, as PySCF names it."""
    pseudopotential: str = "gth-pbe"
    """Set of Goedecker-Teter-Hutter pseudopotentials, as PySCF names it; ``"none"`` treats all
    electrons, with bases such as def2-svp or cc-pvdz."""
    basis: str = "gth-tzvp"
    """Orbital basis, as PySCF names it."""
    spin: Literal["restricted", "unrestricted"] = "restricted"
    """Whether both spins share their orbitals."""
    grid_level: int = 1
    """PySCF's level of the exchange-correlation grid, 0 to 9."""
    conv_tol_ha: float = 1e-7
    """Change of the energy between cycles at which a label counts as converged, Hartree."""
    max_cycle: int = 100
    """Most SCF cycles."""
    spacing: float = 0.16
    """Largest distance of neighbouring points of the density grid, Å."""
    padding: float = 4.0
    """Smallest distance of an atom from the faces of the density grid, Å."""
    charge_tolerance: float = 1e-3
    """Largest difference of the grid's integral from the electron count, electrons. With all
    electrons: once the spherical atoms, whose cores no uniform grid resolves, are taken off."""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name in ("functional", "pseudopotential", "basis"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                raise SettingsError(f"{name} is {value!r}; expected a name known to PySCF")
        if self.spin not in ("restricted", "unrestricted"):
            raise SettingsError(f"spin is {self.spin!r}; expected restricted or unrestricted")
        for name in ("conv_tol_ha", "max_cycle", "spacing", "padding", "charge_tolerance"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} is {getattr(self, name)}; expected a positive number")
        if self.grid_level not in range(_HIGHEST_GRID_LEVEL + 1):
            raise SettingsError(f"grid_level is {self.grid_level}; expected 0 to 9")

    @property
    def all_electrons(self) -> bool:
        """Whether there are no pseudopotentials."""
        return self.pseudopotential.strip().lower() == "none"

    def kind(self) -> DensityKind:
        """Return which density these settings produce."""
        from scdp_flows.kind import DensityKind

        return DensityKind(
            electrons="all" if self.all_electrons else "valence",
            pseudopotential=self.pseudopotential,
            functional=self.functional,
            basis=self.basis,
            spin=self.spin,
            code="pyscf",
        )

    def settings_hash(self) -> str:
        """Return an identifier that is equal for equal settings, 16 hexadecimal digits."""
        text = json.dumps({"code": "pyscf", **asdict(self)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
