"""Even-tempered density basis sets derived from an orbital basis, as in the published recipe.

The products of two orbitals of degrees l1 and l2 reach degree l1 + l2 and exponents near
2 sqrt(a1 a2); an even-tempered series emin beta^i covers that range for every degree (the
``aug_etb`` rule of PySCF; SCDP, NeurIPS 2024, appendix on basis sets).
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, log, sqrt
from typing import TYPE_CHECKING

import numpy as np

from scdp_models.basis.shells import MIDPOINT, BasisSet, ElementBasis
from scdp_models.errors import BasisError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ORBITAL_BASIS", "even_tempered_basis", "even_tempered_shells"]

ORBITAL_BASIS = "def2-QZVPPD"
_MIDPOINT_ELEMENT = 8
_SMALLEST_COEFFICIENT = 1e-3

Range = tuple[float, float]


@lru_cache(maxsize=128)
def _orbital_ranges(number: int) -> dict[int, Range]:
    """Return l → (smallest, largest) exponent of the orbital basis, tiny contractions left out."""
    import basis_set_exchange

    if not 1 <= number <= 36:
        msg = f"no {ORBITAL_BASIS} density basis for atomic number {number}; it covers H to Kr"
        raise BasisError(msg)
    document = basis_set_exchange.get_basis(
        ORBITAL_BASIS, elements=[number], uncontract_general=False
    )
    ranges: dict[int, list[float]] = {}
    for shell in document["elements"][str(number)]["electron_shells"]:
        exponents = np.array(shell["exponents"], dtype=float)
        largest = np.abs(np.array(shell["coefficients"], dtype=float)).max(axis=0)
        for l in shell["angular_momentum"]:
            ranges.setdefault(l, []).extend(exponents[largest > _SMALLEST_COEFFICIENT].tolist())
    return {l: (min(values), max(values)) for l, values in ranges.items()}


@lru_cache(maxsize=1024)
def even_tempered_shells(
    number: int,
    beta: float = 2.0,
    *,
    min_exponent: float = 0.0,
    max_exponent: float = float("inf"),
) -> ElementBasis:
    """Return the even-tempered density shells of one element.

    Parameters
    ----------
    number
        Atomic number, 1 to 36.
    beta
        Ratio of neighbouring exponents; the published sets use 2.0, 1.5 and 1.3.
    min_exponent, max_exponent
        Shells outside are dropped (bohr^-2). Exponents above about 60 are invisible in a valence
        density and alias on its grid.

    Raises
    ------
    BasisError
        If the element is not covered, `beta` is not above 1 or no shell is left.
    """
    if not beta > 1:
        msg = f"beta is {beta}; an even-tempered series needs a ratio above 1, for example 2.0"
        raise BasisError(msg)
    orbital = _orbital_ranges(number)
    # One degree above those occupied in the atom: p from boron, d from scandium on.
    limit = 2 + (number > 4) + (number > 20)
    kept = {l: r for l, r in orbital.items() if l < limit}
    ls: list[int] = []
    exponents: list[float] = []
    for total in range(2 * max(kept) + 1):
        pairs = [(a, b) for a in kept for b in kept if a + b == total]
        if not pairs:
            continue
        low = min(2 * sqrt(kept[a][0] * kept[b][0]) for a, b in pairs)
        high = max(2 * sqrt(kept[a][1] * kept[b][1]) for a, b in pairs)
        count = ceil(log((high + low) / low) / log(beta))
        series = [low * beta**i for i in reversed(range(count))]
        series = [a for a in series if min_exponent <= a <= max_exponent]
        ls.extend([total] * len(series))
        exponents.extend(series)
    if not ls:
        msg = f"no shell of element {number} lies between {min_exponent} and {max_exponent} bohr^-2"
        raise BasisError(msg)
    return ElementBasis(tuple(ls), tuple(exponents))


def even_tempered_basis(
    numbers: Iterable[int],
    *,
    beta: float = 2.0,
    max_exponent: float = float("inf"),
    midpoints: bool = False,
) -> BasisSet:
    """Return the published recipe's basis for some elements.

    Parameters
    ----------
    numbers
        Atomic numbers (0 is ignored).
    beta
        As in :func:`even_tempered_shells`.
    max_exponent
        Shells above are dropped (bohr^-2).
    midpoints
        Whether bond midpoints carry the oxygen set, as in the publication.

    Examples
    --------
    >>> basis = even_tempered_basis([1, 8])
    >>> basis.for_species(8).n_shells, basis.for_species(8).n_functions
    (57, 231)
    """
    species = {
        int(z): even_tempered_shells(int(z), beta, max_exponent=max_exponent)
        for z in numbers
        if int(z) != MIDPOINT
    }
    if midpoints:
        species[MIDPOINT] = even_tempered_shells(_MIDPOINT_ELEMENT, beta, max_exponent=max_exponent)
    suffix = "-vo" if midpoints else ""
    return BasisSet(f"etb-b{beta:g}{suffix}", species)
