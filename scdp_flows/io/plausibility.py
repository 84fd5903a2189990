"""Doubt densities that are well-formed and cannot be what they claim to be.

Potentials, localisation functions, single orbitals, probability densities of ions and all-electron
cores on coarse grids are found in files of the same syntax as valence densities. No single number
gives them away for certain, so the reasons are returned for a person, or a policy, to decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scdp_flows.density import ChargeDensity

__all__ = ["check_plausible"]

# Silicon's PAW pseudo-density, the most negative real one met, is 0.14 % negative; an H2O all-
# electron density on a grid of 0.5 Å reaches 17 % and a potential 100 %.
_NEGATIVE_FRACTION = 0.05
_WHOLE_NUMBER = 0.02
_SPACING = 0.35
_EXPECTED = 1e-2


def check_plausible(density: ChargeDensity, *, n_electrons: float | None = None) -> list[str]:
    """Return the reasons to doubt that this is the density of its atoms.

    Parameters
    ----------
    density
        The density.
    n_electrons
        The number of electrons it should hold, if it is known.

    Returns
    -------
    list of str
        Empty if there is nothing to doubt. Slightly negative values are none: the pseudo-densities
        of projector-augmented waves have them.
    """
    reasons = [*_doubts_about_shape(density), *_doubts_about_number(density)]
    found = density.integral()
    if n_electrons is not None and abs(found - n_electrons) > _EXPECTED:
        reasons.append(f"it holds {found:.4f} electrons and not {n_electrons:g}")
    return reasons


def _doubts_about_shape(density: ChargeDensity) -> list[str]:
    """Look at single values and at the grid."""
    reasons = []
    values = density.values
    magnitude = float(np.abs(values).sum(dtype=np.float64))
    negative = -float(values.sum(dtype=np.float64, where=values < 0))
    if magnitude == 0:
        reasons.append("it is zero everywhere")
    elif negative > _NEGATIVE_FRACTION * magnitude:
        share = 100 * negative / magnitude
        reasons.append(f"{share:.0f} % of it is negative, as if it were a potential or difference")
    coarsest = float(density.spacing.max())
    if coarsest > _SPACING:
        reasons.append(
            f"its grid spacing of {coarsest:.2f} Å is too coarse (expected below {_SPACING} Å)"
        )
    return reasons


def _doubts_about_number(density: ChargeDensity) -> list[str]:
    """Compare the number of electrons with the atoms and the magnetisation."""
    reasons = []
    found = density.integral()
    n_atoms, n_protons = len(density.numbers), int(density.numbers.sum())
    if found < 0.9 * n_atoms:
        reasons.append(f"it holds {found:.4f} electrons for {n_atoms} atoms, less than one each")
    if found > n_protons + max(2.0, 0.02 * n_protons):
        reasons.append(f"it holds {found:.4f} electrons, more than all {n_protons} of its atoms")
    if abs(found - round(found)) > _WHOLE_NUMBER:
        reasons.append(f"it holds {found:.4f} electrons, which is no whole number")
    if density.magnetization is not None:
        moment = float(density.magnetization.sum(dtype=np.float64)) * density.voxel_volume
        if abs(moment) > abs(found) + _WHOLE_NUMBER:
            reasons.append(f"its magnetisation {moment:.4f} exceeds its {found:.4f} electrons")
    return reasons
