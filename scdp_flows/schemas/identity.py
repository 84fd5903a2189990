"""Turn contents into identifiers, so that the same thing is recognised wherever it was made."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.errors import StructureError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

__all__ = ["content_hash", "hill_formula", "structure_hash", "symbols"]

# Digits kept of positions and cells, in Å: far below any physical meaning, far above the noise of
# writing a file and reading it back.
_DIGITS = 6

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


def structure_hash(
    numbers: ArrayLike,
    positions: ArrayLike,
    *,
    cell: ArrayLike | None = None,
    pbc: Sequence[bool] = (False, False, False),
    charge: int = 0,
    spin_multiplicity: int = 1,
) -> str:
    """Return a name for a structure as given: same atoms, order, frame, charge and spin.

    A rotated or translated copy has another name: its density lies elsewhere.

    Parameters
    ----------
    numbers
        Atomic numbers, shape ``(n_atoms,)``.
    positions
        Positions in Å, shape ``(n_atoms, 3)``; compared to 1e-6 Å.
    cell
        Cell vectors in Å, shape ``(3, 3)``, or None.
    pbc
        Whether the structure repeats along each cell vector.
    charge
        Total charge in e.
    spin_multiplicity
        2S + 1.

    Returns
    -------
    str
        24 hexadecimal digits.
    """
    content = {
        "numbers": np.asarray(numbers, dtype=int).tolist(),
        "positions": _rounded(positions),
        # A cell without periodicity is a box that somebody drew; it does not make another molecule.
        "cell": _rounded(cell) if cell is not None and any(pbc) else None,
        "pbc": [bool(flag) for flag in pbc],
        "charge": int(charge),
        "spin_multiplicity": int(spin_multiplicity),
    }
    return content_hash(content)[:24]


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


def _rounded(values: ArrayLike) -> list[Any]:
    # Adding zero turns -0.0 into 0.0, which would otherwise be two names for one structure.
    rounded: list[Any] = (np.round(np.asarray(values, dtype=float), _DIGITS) + 0.0).tolist()
    return rounded
