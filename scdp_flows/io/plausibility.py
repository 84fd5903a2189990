"""Doubt densities that are well-formed and cannot be what they claim to be.

Potentials, localisation functions, single orbitals, probability densities of ions and all-electron
cores on coarse grids are found in files of the same syntax as valence densities. No single number
gives them away for certain, so nothing is repaired: the reasons are returned, and what is doubted
stays outside until a person, or a policy, lets it in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.errors import StructureError
from scdp_flows.io.base import read_density
from scdp_flows.io.quantity import Quantity, guess_quantity
from scdp_flows.io.structures import check_structure, structure_from_arrays

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from scdp_flows.density import ChargeDensity

__all__ = ["THRESHOLDS", "Thresholds", "Verdict", "check_plausible", "examine", "judge"]


@dataclass(frozen=True)
class Thresholds:
    """Hold what densities are measured against, with the evidence for it."""

    negative_fraction: float = 0.05
    """Largest share of negative values. Silicon's PAW pseudo-density, the most negative real one
    met, has 0.14 %; an all-electron density of water on a grid of 0.5 Å 17 %, a potential 100 %."""
    spacing: float = 0.35
    """Largest distance of grid points, Å; VASP's coarsest settings give 0.25."""
    points: int = 6
    """Fewest grid points along an edge."""
    whole_number: float = 0.02
    """Largest distance of the electrons from a whole number; real CHGCARs keep within 2e-4."""
    whole_number_fraction: float = 1e-5
    """The same in addition, per electron, for large boxes."""
    anion: float = 1.5
    """Largest number of electrons that the valence shells hold in addition."""
    per_atom: float = 0.9
    """Fewest electrons per atom. A probability density of Li in Li24P4S20Cl4 had 0.13."""
    expected: float = 0.01
    """Largest difference from a number of electrons that is known."""
    all_electron: float = 0.2
    """Largest relative difference of the integral of an all-electron density from the number of
    electrons: uniform grids miss the cores; C3H4N2 had 41.0 for 36."""
    magnetisation: float = 1.02
    """Largest integral of the magnetisation's size, relative to that of the density's."""
    moment: float = 0.01
    """Largest integral of the magnetisation's size of a spin-restricted density, electrons."""
    atom_volume: float = 2.0
    """Smallest volume per atom of a crystal, Å^3; diamond has 5.7."""


THRESHOLDS = Thresholds()
"""What is used unless something else is given."""

# Electrons that no pseudopotential in use leaves out, by the first element that has them.
_CORES = ((87, 60), (55, 46), (37, 28), (19, 10), (5, 2), (1, 0))


@dataclass(frozen=True)
class Verdict:
    """Say whether a density may be used, and why not."""

    reasons: tuple[str, ...]
    """What speaks against it, as sentences that begin with "it"."""

    @property
    def accepted(self) -> bool:
        """Whether nothing speaks against it; else it is to be quarantined."""
        return not self.reasons

    def __str__(self) -> str:
        """Return the verdict as a line of text."""
        return "accepted" if self.accepted else f"quarantined: {'; '.join(self.reasons)}"


def examine(
    path: str | os.PathLike[str],
    *,
    n_electrons: float | None = None,
    all_electron: bool = False,
    thresholds: Thresholds = THRESHOLDS,
) -> tuple[ChargeDensity, Verdict]:
    """Read a density of any format and judge it, also by the name and comments of its file.

    Parameters
    ----------
    path
        The file.
    n_electrons, all_electron, thresholds
        As in :func:`judge`.

    Raises
    ------
    DensityFormatError
        If the file is no density or malformed.
    """
    density = read_density(path)
    quantity = guess_quantity(path)
    verdict = judge(
        density,
        quantity=quantity,
        n_electrons=n_electrons,
        all_electron=all_electron,
        thresholds=thresholds,
    )
    return density, verdict


def judge(
    density: ChargeDensity,
    *,
    quantity: Quantity = Quantity.DENSITY,
    n_electrons: float | None = None,
    all_electron: bool = False,
    thresholds: Thresholds = THRESHOLDS,
) -> Verdict:
    """Judge whether this is the density of its atoms.

    Parameters
    ----------
    density
        The density.
    quantity
        What its file claims to hold.
    n_electrons
        The number of valence electrons it should hold, if it is known.
    all_electron
        Whether densities of all electrons are wanted, as for learning a difference of densities;
        so it is, too, if the kind of the density says so.
    thresholds
        What to measure against.

    Returns
    -------
    Verdict
        Slightly negative values do not count against a density: the pseudo-densities of
        projector-augmented waves have them.
    """
    all_electron |= density.kind is not None and density.kind.electrons == "all"
    reasons = []
    wanted = {Quantity.DENSITY, Quantity.ALL_ELECTRON} if all_electron else {Quantity.DENSITY}
    if quantity not in wanted:
        reasons.append(f"it is {quantity.value}, by its name or comment")
    count = _doubts_about_all if all_electron else _doubts_about_valence
    checks: tuple[Callable[..., Iterator[str]], ...] = (
        _doubts_about_values,
        _doubts_about_grid,
        count,
        _doubts_about_spin,
        _doubts_about_structure,
    )
    for check in checks:
        reasons.extend(check(density, thresholds))
    found = density.integral()
    is_known = n_electrons is not None and not all_electron
    if is_known and abs(found - (n_electrons or 0.0)) > thresholds.expected:
        reasons.append(f"it holds {found:.4f} electrons and not {n_electrons:g}")
    return Verdict(tuple(reasons))


def check_plausible(density: ChargeDensity, *, n_electrons: float | None = None) -> list[str]:
    """Return the reasons of :func:`judge` alone."""
    return list(judge(density, n_electrons=n_electrons).reasons)


def _doubts_about_values(density: ChargeDensity, limits: Thresholds) -> Iterator[str]:
    """Look at single values."""
    values = density.values
    magnitude = float(np.abs(values).sum(dtype=np.float64))
    negative = -float(values.sum(dtype=np.float64, where=values < 0))
    if magnitude == 0:
        yield "it is zero everywhere"
    elif values.min() == values.max():
        yield "it is the same everywhere"
    elif negative > limits.negative_fraction * magnitude:
        share = 100 * negative / magnitude
        yield f"{share:.0f} % of it is negative, as if it were a potential or difference"


def _doubts_about_grid(density: ChargeDensity, limits: Thresholds) -> Iterator[str]:
    """Look at the grid."""
    coarsest = float(density.spacing.max())
    if coarsest > limits.spacing:
        limit = limits.spacing
        yield f"its grid spacing of {coarsest:.2f} Å is too coarse (expected below {limit} Å)"
    if min(density.shape) < limits.points:
        shape = " x ".join(map(str, density.shape))
        yield f"its grid has {shape} points (expected {limits.points} or more along each edge)"


def _doubts_about_valence(density: ChargeDensity, limits: Thresholds) -> Iterator[str]:
    """Compare the number of valence electrons with the atoms."""
    found, numbers = density.integral(), density.numbers
    n_protons = int(numbers.sum())
    cores = [next(core for first, core in _CORES if z >= first) for z in numbers.tolist()]
    most = n_protons - sum(cores)
    if found < limits.per_atom * len(numbers):
        yield f"it holds {found:.4f} electrons for {len(numbers)} atoms, less than one each"
    if found > n_protons + limits.anion:
        yield f"it holds {found:.4f} electrons, more than all {n_protons} of its atoms"
    elif found > most + limits.anion:
        yield (
            f"it holds {found:.4f} electrons, more than the {most} that are not in cores: it is an "
            "all-electron density, whose kind says electrons=all"
        )
    if abs(found - round(found)) > limits.whole_number + limits.whole_number_fraction * abs(found):
        yield f"it holds {found:.4f} electrons, which is no whole number"


def _doubts_about_all(density: ChargeDensity, limits: Thresholds) -> Iterator[str]:
    """Compare the number of all electrons with the atoms."""
    found, n_protons = density.integral(), int(density.numbers.sum())
    if abs(found - n_protons) > limits.all_electron * n_protons + 1:
        yield f"it holds {found:.4f} electrons, and its atoms have {n_protons}"


def _doubts_about_spin(density: ChargeDensity, limits: Thresholds) -> Iterator[str]:
    """Compare the magnetisation with the density."""
    if density.magnetization is not None:
        size = float(np.abs(density.magnetization).sum(dtype=np.float64))
    elif density.magnetization_vector is not None:
        size = float(np.linalg.norm(density.magnetization_vector, axis=0).sum(dtype=np.float64))
    else:
        return
    magnitude = float(np.abs(density.values).sum(dtype=np.float64))
    moment = size * density.voxel_volume
    if moment > limits.moment and density.kind is not None and density.kind.spin == "restricted":
        yield f"its magnetisation of {moment:.4f} belongs to no spin-restricted density"
    if size > limits.magnetisation * magnitude:
        found = magnitude * density.voxel_volume
        yield f"its magnetisation of {moment:.4f} exceeds its {found:.4f} electrons"


def _doubts_about_structure(density: ChargeDensity, limits: Thresholds) -> Iterator[str]:
    """Look at the atoms."""
    cell = density.cell if any(density.pbc) else None
    try:
        check_structure(
            structure_from_arrays(density.numbers, density.positions, cell, density.pbc)
        )
    except StructureError as error:
        yield f"it has an impossible structure: {error}"
    if all(density.pbc) and density.volume < limits.atom_volume * len(density.numbers):
        yield f"it has {density.volume / len(density.numbers):.2f} Å^3 for each atom"
    inverse = np.linalg.inv(density.cell)
    fractions = (density.positions - density.origin) @ inverse
    bounded = ~np.array(density.pbc)
    if ((fractions < -1e-6) | (fractions > 1 + 1e-6))[:, bounded].any():
        yield "it has atoms outside its box, as if lengths were in another unit"
