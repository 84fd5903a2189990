"""Name a basis set in one word, such as ``"lean+small"`` or ``"etb-1.5"``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scdp_models.basis.even_tempered import even_tempered_basis
from scdp_models.basis.library import crystal_basis, lean_basis
from scdp_models.errors import BasisError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scdp_models.basis.shells import BasisSet

__all__ = ["basis_from_spec"]

_EXAMPLES = "lean, lean-1.8, lean-2.0-l13, lean+small, crystal, etb-2.0, etb-1.5-max60, etb-2.0+o"
_NUMBER = r"\d+(?:\.\d+)?"
_LEAN = re.compile(rf"lean(?:-(?P<beta>{_NUMBER}))?(?:-l(?P<lmax>\d\d))?(?:\+(?P<midpoints>\w+))?")
_CRYSTAL = re.compile(rf"crystal(?:-(?P<beta>{_NUMBER}))?(?:\+(?P<midpoints>\w+))?")
_EVEN = re.compile(
    rf"etb(?:-(?P<beta>{_NUMBER}))?(?:-max(?P<max>{_NUMBER}))?(?P<midpoints>\+(?:o|vo))?"
)


def basis_from_spec(spec: str, numbers: Iterable[int]) -> BasisSet:
    """Return the basis set that a short text names.

    Parameters
    ----------
    spec
        ``lean[-BETA][-lHX][+MIDPOINTS]``: the lean valence basis, with highest degree H on
        hydrogen and X on the other elements, and a named bond-midpoint set;
        ``crystal[-BETA][+MIDPOINTS]``: the basis for pseudo-densities of crystals;
        ``etb[-BETA][-maxEXPONENT][+o]``: the published even-tempered basis, without exponents
        above a number of bohr^-2, and with the oxygen set on bond midpoints, as published
        (``+vo`` means the same). BETA is the ratio
        of neighbouring exponents, 2.0 when left out.
    numbers
        Atomic numbers that the basis must cover.

    Raises
    ------
    BasisError
        If the text names no basis, or the basis lacks an element.

    Examples
    --------
    >>> basis_from_spec("lean+small", [1, 8]).name
    'lean-b2-small'
    >>> basis_from_spec("etb-1.5", [1]).name
    'etb-b1.5'
    """
    text = spec.strip().lower()
    if found := _LEAN.fullmatch(text):
        lmax = found["lmax"]
        return lean_basis(
            numbers,
            beta=float(found["beta"] or 2.0),
            lmax=(int(lmax[0]), int(lmax[1])) if lmax else None,
            midpoints=found["midpoints"] or "none",
        )
    if found := _CRYSTAL.fullmatch(text):
        return crystal_basis(
            numbers,
            beta=float(found["beta"] or 2.0),
            midpoints=found["midpoints"] or "none",
        )
    if found := _EVEN.fullmatch(text):
        return even_tempered_basis(
            numbers,
            beta=float(found["beta"] or 2.0),
            max_exponent=float(found["max"] or "inf"),
            midpoints=found["midpoints"] is not None,
        )
    msg = f"{spec!r} names no basis; expected something like {_EXAMPLES}"
    raise BasisError(msg)
