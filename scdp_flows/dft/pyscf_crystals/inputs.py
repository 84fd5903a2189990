"""Say how PySCF computes crystals: a small value that travels in jobs and documents."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from monty.json import MSONable

from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from scdp_flows.kind import DensityKind

__all__ = ["PyscfCrystalSettings"]

_POSITIVE = (
    "ke_cutoff_ha",
    "sigma_ha",
    "conv_tol_ha",
    "max_cycle",
    "charge_tolerance",
    "max_memory_gb",
)


@dataclass(frozen=True)
class PyscfCrystalSettings(MSONable):
    """Describe Kohn-Sham calculations of crystals with Gaussian orbitals and GTH pseudopotentials.

    Both spins share their orbitals; functionals are local or generalised-gradient ones.

    Raises
    ------
    SettingsError
        If a value is impossible.

    Examples
    --------
    >>> PyscfCrystalSettings(kpoints=(2, 2, 2)).kind().pseudopotential
    'gth-pbe'
    """

    functional: str = "PBE"
    """Exchange-correlation functional, as PySCF names it."""
    pseudopotential: str = "gth-pbe"
    """Pseudopotential set, as PySCF names it."""
    basis: str = "gth-dzvp-molopt-sr"
    """Orbital basis, as PySCF names it."""
    kpoints: tuple[int, int, int] = (1, 1, 1)
    """Grid of k-points with Gamma among them."""
    ke_cutoff_ha: float = 150.0
    """Kinetic energy of the shortest wave of the density grid, Hartree. Si and Al are content with
    40; O and F want 150."""
    smearing: Literal["none", "fermi", "gauss"] = "none"
    """Of the occupations; metals need one."""
    sigma_ha: float = 0.005
    """Width of the smearing, Hartree."""
    conv_tol_ha: float = 1e-8
    """Change of the energy between cycles at which a label counts as converged, Hartree."""
    max_cycle: int = 100
    """Most SCF cycles."""
    charge_tolerance: float = 2e-3
    """Largest difference of the grid's integral from the electron count, electrons."""
    max_memory_gb: float = 4.0
    """Most memory that the values of the orbitals on the grid may take, 10^9 bytes."""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name in ("functional", "pseudopotential", "basis"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                raise SettingsError(f"{name} is {value!r}; expected a name known to PySCF")
        if self.smearing not in ("none", "fermi", "gauss"):
            raise SettingsError(f"smearing is {self.smearing!r}; expected none, fermi or gauss")
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} is {getattr(self, name)}; expected a positive number")
        kpoints = tuple(int(n) for n in self.kpoints)  # JSON knows no tuples
        if len(kpoints) != 3 or min(kpoints) < 1:
            raise SettingsError(f"kpoints is {kpoints}; expected three whole numbers")
        object.__setattr__(self, "kpoints", kpoints)

    @property
    def spin(self) -> Literal["restricted", "unrestricted"]:
        """Both spins share their orbitals."""
        return "restricted"

    @property
    def n_spins(self) -> int:
        """Spin densities."""
        return 1

    @property
    def gamma_only(self) -> bool:
        """A density is real, so one wave of each pair G and -G says it all."""
        return True

    @property
    def cutoff_ry(self) -> float:
        """Cut-off of the density, Rydberg."""
        return 2 * self.ke_cutoff_ha

    def kind(self) -> DensityKind:
        """Return which density these settings produce."""
        from scdp_flows.kind import DensityKind

        return DensityKind(
            electrons="valence",
            pseudopotential=self.pseudopotential,
            functional=self.functional,
            basis=self.basis,
            spin="restricted",
            code="pyscf",
        )

    def settings_hash(self) -> str:
        """Return an identifier that is equal for equal settings, 16 hexadecimal digits."""
        values = {"code": "pyscf-crystals", **asdict(self)}
        del values["max_memory_gb"]  # how to run it, not what is computed
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
