"""Say how Quantum ESPRESSO computes densities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from scdp_flows.dft.plane_waves.settings import PlaneWaveSettings

__all__ = ["EspressoSettings"]


@dataclass(frozen=True)
class EspressoSettings(PlaneWaveSettings):
    """Describe calculations of crystals with ``pw.x``.

    One unshifted k-point lets the program use real orbitals and one half of the waves.

    Raises
    ------
    SettingsError
        If a value is impossible or a pseudopotential file is missing.

    Examples
    --------
    >>> EspressoSettings({"Si": "Si.pbe-rrkj.UPF"}, ecutwfc_ry=24).kpoints  # doctest: +SKIP
    (1, 1, 1)
    """

    code: ClassVar[str] = "espresso"
    program: ClassVar[str] = "pw.x"
    positive: ClassVar[tuple[str, ...]] = (
        "ecutwfc_ry",
        "conv_thr_ry",
        "mixing_beta",
        *PlaneWaveSettings.positive,
    )

    ecutwfc_ry: float = 40.0
    """Cut-off of the orbitals, Rydberg."""
    ecutrho_ry: float | None = None
    """Cut-off of the density, Rydberg; four times that of the orbitals when None."""
    degauss_ry: float = 0.02
    """Width of the smearing, Rydberg."""
    conv_thr_ry: float = 1e-9
    """Estimated energy error at which a calculation counts as converged, Rydberg."""
    mixing_beta: float = 0.7
    """Mixing factor."""
    diagonalization: Literal["david", "cg"] = "david"
    """Block Davidson, or the slower and safer conjugate gradients."""
    command: str = "pw.x"
    """How to start the program, such as ``mpirun -n 4 pw.x``."""

    @property
    def orbital_cutoff_ry(self) -> float:
        """Cut-off of the orbitals, Rydberg."""
        return self.ecutwfc_ry

    @property
    def cutoff_ry(self) -> float:
        """Cut-off of the density, Rydberg."""
        return self.ecutrho_ry or 4 * self.ecutwfc_ry
