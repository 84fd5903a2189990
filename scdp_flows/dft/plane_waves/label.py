"""Make a label of a converged crystal: check its density and fit it by Gaussian shells."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from scdp_flows.dft.base import Label
from scdp_flows.dft.plane_waves.fit import fit_waves
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from scdp_flows.density import ChargeDensity
    from scdp_flows.dft.base import ScfInfo
    from scdp_flows.dft.plane_waves.program import ScfRun
    from scdp_flows.dft.plane_waves.structure import Crystal
    from scdp_flows.io.espresso_waves import EspressoWaves
    from scdp_flows.kind import DensityKind
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference

__all__ = ["LabelSettings", "crystal_label"]


class LabelSettings(Protocol):
    """What settings say of labels, in every code."""

    @property
    def charge_tolerance(self) -> float:
        """Largest difference of a label's integral from the electron count, electrons."""

    def kind(self) -> DensityKind:
        """Return which density the settings produce."""


class LabelClock:
    """Count the time of a label from now on, what its program takes included."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.thread_time(), time.perf_counter()

    def timed(self, label: Label, run: ScfRun) -> Label:
        """Return a label with the time until now and that of its program."""
        return replace(
            label,
            cpu_s=time.thread_time() - self._cpu + run.cpu_s,
            wall_s=time.perf_counter() - self._wall,
        )


def crystal_label(
    crystal: Crystal,
    settings: LabelSettings,
    density: ChargeDensity,
    waves: EspressoWaves,
    scf: ScfInfo,
    fit_to: tuple[AtomicReference, BasisSet] | None,
) -> Label:
    """Check a density, fit it, and return it as a label; its times are those of the calculation.

    Parameters
    ----------
    crystal, settings
        What was computed, and how.
    density
        On the grid of the program.
    waves
        The same as waves.
    scf
        How the calculation went.
    fit_to
        Spherical atoms and the basis of the difference to them; None leaves the fit out.

    Raises
    ------
    CalculationError
        If the density does not hold the electrons.
    """
    error = density.integral() - crystal.n_electrons
    if abs(error) > settings.charge_tolerance:
        raise CalculationError(
            f"{crystal.formula}: the density holds {crystal.n_electrons + error:.5f} electrons, "
            f"expected {crystal.n_electrons:g} within {settings.charge_tolerance}"
        )
    fit = None if fit_to is None else fit_waves(crystal, waves, *fit_to, density.shape)
    return Label(
        density=replace(density, kind=settings.kind()),
        scf=scf,
        fit=fit,
        n_electrons=crystal.n_electrons,
        integral_error=error,
        cpu_s=scf.cpu_s,
        wall_s=scf.wall_s,
    )
