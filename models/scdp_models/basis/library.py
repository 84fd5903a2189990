"""Lean valence basis sets: only the exponents a pseudopotential density can show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scdp_models.basis.shells import MIDPOINT, BasisSet, ElementBasis
from scdp_models.errors import BasisError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CRYSTAL_ELEMENTS", "LEAN_ELEMENTS", "MIDPOINT_SETS", "crystal_basis", "lean_basis"]

Range = tuple[float, float]

# Smallest exponent and the value the largest must reach, per degree s, p, d, f, g (bohr^-2).
# H, C, N, O: ranges found by dropping what a Coulomb fit of GTH-PBE valence densities does not
# miss. The other elements scale them by the exponents of their GTH valence orbitals.
_RANGES: dict[int, tuple[Range, ...]] = {
    1: ((0.15, 9.0), (0.3, 4.0), (0.5, 2.5)),
    6: ((0.16, 9.0), (0.25, 6.0), (0.3, 4.0), (0.5, 2.5), (0.7, 1.6)),
    7: ((0.2, 14.0), (0.3, 9.0), (0.35, 5.0), (0.6, 3.0), (0.9, 2.0)),
    8: ((0.22, 18.0), (0.35, 12.0), (0.4, 7.0), (0.7, 4.0), (1.0, 2.6)),
    9: ((0.26, 24.0), (0.4, 16.0), (0.45, 9.0), (0.8, 5.0), (1.1, 3.2)),
    14: ((0.1, 3.2), (0.12, 2.4), (0.14, 2.0), (0.24, 1.4), (0.35, 0.9)),
    15: ((0.12, 4.0), (0.14, 3.0), (0.17, 2.4), (0.28, 1.7), (0.4, 1.1)),
    16: ((0.14, 5.0), (0.17, 3.6), (0.2, 2.8), (0.32, 2.0), (0.45, 1.3)),
    17: ((0.16, 6.0), (0.2, 4.4), (0.22, 3.4), (0.36, 2.4), (0.5, 1.6)),
}
LEAN_ELEMENTS = tuple(_RANGES)
"""Atomic numbers with lean ranges."""

# The same for the pseudo-densities of crystals: found by fits of plane-wave densities of bulk Si,
# SiC, Al and MgO. Bonds need l = 4 and diffuse functions; nothing tight is seen.
_CRYSTAL_RANGES: dict[int, tuple[Range, ...]] = {
    6: ((0.16, 9.0), (0.25, 6.0), (0.3, 4.0), (0.4, 2.5), (0.6, 1.6)),
    8: ((0.2, 18.0), (0.3, 12.0), (0.4, 7.0), (0.6, 4.0), (1.0, 2.6)),
    12: ((0.08, 3.0), (0.1, 2.0), (0.14, 1.2), (0.2, 0.8)),
    13: ((0.08, 2.0), (0.1, 1.6), (0.12, 1.2), (0.15, 0.8), (0.2, 0.6)),
    14: ((0.1, 1.75), (0.12, 1.5), (0.14, 1.1), (0.16, 0.75), (0.25, 0.5)),
}
CRYSTAL_ELEMENTS = tuple(_CRYSTAL_RANGES)
"""Atomic numbers with ranges for crystals."""

MIDPOINT_SETS: dict[str, tuple[tuple[float, ...], ...]] = {
    "small": ((0.4, 0.88, 1.936), (0.5, 1.1), (0.8,)),
    "smaller": ((0.4, 0.88, 1.936), (0.8,)),
}
"""Exponents (bohr^-2) per degree of the named bond-midpoint sets: s3p2d1 and s3p1."""


def _series(bounds: Range, beta: float) -> list[float]:
    """List low * beta^i, i = 0, 1, ..., ending with the first value not below the upper bound."""
    low, high = bounds
    values = [low]
    while values[-1] < high:
        values.append(values[-1] * beta)
    return values


def _shells(ranges: tuple[Range, ...], beta: float, lmax: int | None = None) -> ElementBasis:
    ls: list[int] = []
    exponents: list[float] = []
    for l, bounds in enumerate(ranges):
        if lmax is not None and l > lmax:
            break
        series = _series(bounds, beta)
        ls.extend([l] * len(series))
        exponents.extend(series)
    return ElementBasis(tuple(ls), tuple(exponents))


def _midpoint_shells(name: str) -> ElementBasis:
    if name not in MIDPOINT_SETS:
        msg = f"unknown midpoint set {name!r}; known: none, {', '.join(MIDPOINT_SETS)}"
        raise BasisError(msg)
    shells = [(l, a) for l, series in enumerate(MIDPOINT_SETS[name]) for a in series]
    return ElementBasis(tuple(l for l, _ in shells), tuple(a for _, a in shells))


def lean_basis(
    numbers: Iterable[int],
    *,
    beta: float = 2.0,
    lmax: tuple[int, int] | None = None,
    midpoints: str = "none",
) -> BasisSet:
    """Return the lean valence basis for some elements.

    Parameters
    ----------
    numbers
        Atomic numbers (0 is ignored).
    beta
        Ratio of neighbouring exponents.
    lmax
        Highest degree on hydrogen and on the other elements; the full ranges when None.
    midpoints
        ``"none"``, or a key of :data:`MIDPOINT_SETS`.

    Raises
    ------
    BasisError
        If an element has no range, or the midpoint set is unknown.

    Examples
    --------
    >>> lean_basis([1, 6, 8]).for_species(6).n_functions
    105
    """
    species = {}
    for number in {int(z) for z in numbers} - {MIDPOINT}:
        if number not in _RANGES:
            known = ", ".join(map(str, LEAN_ELEMENTS))
            msg = (
                f"no lean valence range for atomic number {number} (there are {known}); "
                "use even_tempered_basis, which covers H to Kr"
            )
            raise BasisError(msg)
        limit = None if lmax is None else lmax[0 if number == 1 else 1]
        species[number] = _shells(_RANGES[number], beta, limit)
    name = f"lean-b{beta:g}"
    if lmax is not None:
        name += f"-l{lmax[0]}{lmax[1]}"
    if midpoints != "none":
        species[MIDPOINT] = _midpoint_shells(midpoints)
        name += f"-{midpoints}"
    return BasisSet(name, species)


def crystal_basis(
    numbers: Iterable[int], *, beta: float = 2.0, midpoints: str = "none"
) -> BasisSet:
    """Return the basis for pseudo-densities of crystals for some elements.

    Parameters
    ----------
    numbers
        Atomic numbers (0 is ignored).
    beta
        Ratio of neighbouring exponents.
    midpoints
        ``"none"``, or a key of :data:`MIDPOINT_SETS`.

    Raises
    ------
    BasisError
        If an element has no range, or the midpoint set is unknown.

    Examples
    --------
    >>> crystal_basis([14]).for_species(14).n_functions
    87
    """
    species = {}
    for number in {int(z) for z in numbers} - {MIDPOINT}:
        if number not in _CRYSTAL_RANGES:
            known = ", ".join(map(str, CRYSTAL_ELEMENTS))
            msg = (
                f"no range for crystals of atomic number {number} (there are {known}); use "
                "lean_basis or even_tempered_basis"
            )
            raise BasisError(msg)
        species[number] = _shells(_CRYSTAL_RANGES[number], beta)
    name = f"crystal-b{beta:g}"
    if midpoints != "none":
        species[MIDPOINT] = _midpoint_shells(midpoints)
        name += f"-{midpoints}"
    return BasisSet(name, species)
