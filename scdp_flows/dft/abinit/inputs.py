"""Say how ABINIT computes densities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from scdp_flows.dft.plane_waves.settings import PlaneWaveSettings
from scdp_flows.errors import SettingsError

__all__ = ["AbinitSettings"]


@dataclass(frozen=True)
class AbinitSettings(PlaneWaveSettings):
    """Describe calculations of crystals with ABINIT and norm-conserving pseudopotentials.

    Files are of the kind ``pspcod`` 10, which :func:`scdp_flows.dft.plane_waves.gth.write_gth`
    writes, or UPF.

    Raises
    ------
    SettingsError
        If a value is impossible, or a pseudopotential file is missing or not norm-conserving.
    """

    code: ClassVar[str] = "abinit"
    program: ClassVar[str] = "abinit"
    positive: ClassVar[tuple[str, ...]] = (
        "ecut_ha",
        "tolvrs",
        "diemac",
        *PlaneWaveSettings.positive,
    )

    ecut_ha: float = 20.0
    """Cut-off of the orbitals, Hartree; that of the density is four times as high."""
    tsmear_ha: float = 0.01
    """Width of the smearing, Hartree."""
    mixing: Literal["density", "potential"] = "density"
    """What is mixed. The program's own choice is the potential, whose residual hardly notices that
    a density is good: a fit that misses 0.7 % starts it only 30 times lower, that of the density
    2000 times."""
    tolvrs: float = 1e-10
    """Squared residual of what is mixed at which a calculation counts as converged."""
    diemac: float = 1e6
    """Dielectric constant of the model that preconditions the mixing; about 12 for silicon."""
    command: str = "abinit"
    """How to start the program, such as ``mpirun -n 4 abinit``."""

    def __post_init__(self) -> None:
        """Refuse impossible values and pseudopotentials that ABINIT cannot use."""
        super().__post_init__()
        if self.mixing not in ("density", "potential"):
            raise SettingsError(f"mixing is {self.mixing!r}; expected density or potential")
        for pseudo in self.all_pseudopotentials():
            if pseudo.kind != "NC":
                raise SettingsError(
                    f"the pseudopotential {pseudo.name} of {pseudo.symbol} is of the kind "
                    f"{pseudo.kind}; ABINIT is run with norm-conserving files (NC) only"
                )

    @property
    def orbital_cutoff_ry(self) -> float:
        """Cut-off of the orbitals, Rydberg."""
        return 2 * self.ecut_ha

    @property
    def cutoff_ry(self) -> float:
        """Cut-off of the density, Rydberg."""
        return 8 * self.ecut_ha
