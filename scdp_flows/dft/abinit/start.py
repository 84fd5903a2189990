"""Get the density that a calculation is to start from, with its magnetisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from scdp_flows.dft.base import SpinDensities, StartDensity
from scdp_flows.dft.moments import why_no_moments
from scdp_flows.errors import CalculationError
from scdp_flows.io.structures import as_arrays

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_flows.predictors.base import Predictor
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["Start", "starting_density"]


class Start(NamedTuple):
    """A density to start from."""

    density: StartDensity
    """Total density, with the spin density where there are two spins."""
    excess_electrons: float
    """Electrons by which the prediction was off before it was corrected."""
    magnetization: Literal["none", "source", "atoms"]
    """Where the spin density comes from."""


def starting_density(
    structure: Structure, predictor: Predictor, settings: AbinitSettings, moments: list[float]
) -> Start:
    """Predict a density; where there are two spins, with a spin density.

    The spin density is that of the predictor. One that knows none may start elements of the s and p
    blocks with small moments: these get the shape of the atoms.

    Parameters
    ----------
    structure
        The crystal.
    predictor
        Predicts its density.
    settings
        Tell whether there are two spins.
    moments
        What the input asks for, one number per atom, µB.

    Raises
    ------
    ScdpFlowsError
        If the predictor fails, or there is no spin density where one is needed.
    """
    found = next(iter(predictor.predict_many([structure])))
    if settings.spin == "restricted":
        return Start(found.density, found.excess_electrons, "none")
    if found.spin_density is not None:
        both = SpinDensities(found.density, found.spin_density)
        return Start(both, found.excess_electrons, "source")
    reason = why_no_moments(np.array(structure.atomic_numbers), moments)
    if reason is not None:
        raise CalculationError(reason)
    spin = _atomic_spin(structure, predictor, moments)
    return Start(SpinDensities(found.density, spin), found.excess_electrons, "atoms")


def _atomic_spin(
    structure: Structure, predictor: Predictor, moments: list[float]
) -> OrbitalDensity:
    """Return atoms that each hold their moment instead of their electrons."""
    atoms = predictor.atoms()
    if atoms is None:
        raise CalculationError(
            "two spins, and the predictor knows neither spin densities nor the atoms of its kind; "
            "compute with one spin, or use a predictor that does"
        )
    numbers, positions, cell, pbc = as_arrays(structure)
    parts = [
        atoms.superposition([z], [place], cell, pbc).scaled(moment / atoms.n_electrons([z]))
        for z, place, moment in zip(numbers.tolist(), positions, moments, strict=True)
    ]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
