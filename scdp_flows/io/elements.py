"""Read chemical elements from the labels that programs give to atoms."""

from __future__ import annotations

import re

from pymatgen.core.periodic_table import Element

__all__ = ["atomic_number"]

_LETTERS = re.compile(r"[A-Za-z]{1,2}")


def atomic_number(label: str) -> int:
    """Return the atomic number that a label stands for, zero if it is no element.

    Labels may carry a number or a suffix, as those of species with different magnetic moments do.

    Examples
    --------
    >>> [atomic_number(label) for label in ("Fe1", "O_down", "H", "26", "Xx")]
    [26, 8, 1, 26, 0]
    """
    text = label.strip()
    if text.isdecimal():
        return int(text) if 1 <= int(text) <= 118 else 0
    letters = _LETTERS.match(text)
    if letters is None:
        return 0
    # Two letters first: "Co" is cobalt. "CA" in capitals is calcium, "Hx" is hydrogen.
    for length in (2, 1):
        symbol = letters.group()[:length].capitalize()
        if Element.is_valid_symbol(symbol):
            return int(Element(symbol).Z)
    return 0
