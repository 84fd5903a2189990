"""Decide what magnetisation a seed for two spins may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core.periodic_table import Element

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["LARGEST_MOMENT", "why_no_moments"]

LARGEST_MOMENT = 0.6
"""Largest requested moment (µB) that atoms without d and f moments may start with."""


def why_no_moments(numbers: NDArray[np.int64], moments: Sequence[float]) -> str | None:
    """Tell why an atomic magnetisation is no start for a structure; None if it is one.

    Elements of the s and p blocks with small requested moments end without one: there the shape of
    the magnetisation hardly matters. Open d and f shells can converge to different states from
    different starts, so that their magnetisation must come from a calculation, or from the program.

    Parameters
    ----------
    numbers
        Atomic numbers (n_atoms,).
    moments
        What the input asks for, one number per atom, µB.
    """
    open_shells = sorted(
        {
            Element.from_Z(int(number)).symbol
            for number in numbers
            if Element.from_Z(int(number)).block in "df"
        }
    )
    if open_shells:
        return (
            f"spin with {', '.join(open_shells)}: moments of d and f shells are not predicted, and "
            "a poor start can end in another magnetic state"
        )
    largest = float(np.abs(moments).max(initial=0.0))
    if largest > LARGEST_MOMENT + 1e-9:
        return (
            f"a moment of {largest:g} µB is asked for; atomic magnetisations are a start up to "
            f"{LARGEST_MOMENT:g} µB"
        )
    return None
