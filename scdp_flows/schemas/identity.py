"""Turn contents into identifiers and atomic numbers into formulas."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.errors import StructureError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["content_hash", "hill_formula", "symbols"]

_ELEMENTS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se "
    "Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb "
    "Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm "
    "Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og"
)
_SYMBOLS = _ELEMENTS.split()


def content_hash(content: Any) -> str:
    """Return the sha256 of JSON-safe content, independent of the order of its keys.

    Parameters
    ----------
    content
        Dictionaries, lists, strings, finite numbers, booleans and None.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    TypeError, ValueError
        If the content is not JSON-safe; NaN is not.

    Examples
    --------
    >>> content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def symbols(numbers: ArrayLike) -> list[str]:
    """Return the chemical symbols of atomic numbers, shape ``(n_atoms,)``.

    Raises
    ------
    StructureError
        If a number is not that of an element.
    """
    values = np.asarray(numbers, dtype=int).tolist()
    for index, number in enumerate(values):
        if not 1 <= number <= len(_SYMBOLS):
            raise StructureError(
                f"atom {index} has atomic number {number}, expected 1 to {len(_SYMBOLS)}; "
                "correct the element of that atom"
            )
    return [_SYMBOLS[number - 1] for number in values]


def hill_formula(numbers: ArrayLike) -> str:
    """Return the formula in Hill order: carbon, hydrogen, then the others alphabetically.

    Examples
    --------
    >>> hill_formula([8, 6, 1, 1, 1, 1])
    'CH4O'
    """
    counts = Counter(symbols(numbers))
    first = ["C", "H"] if "C" in counts else []
    order = [s for s in first if s in counts] + sorted(s for s in counts if s not in first)
    return "".join(f"{s}{counts[s] if counts[s] > 1 else ''}" for s in order)
