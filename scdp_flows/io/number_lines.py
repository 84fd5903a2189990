"""Read short lines of numbers in text files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scdp_flows.io.grid_text import Lines

__all__ = ["read_row"]


def read_row(lines: Lines, count: int, *, field: str, fix: str) -> list[float]:
    """Read the next line, which must hold so many finite numbers.

    Parameters
    ----------
    lines
        The file.
    count
        How many numbers.
    field
        What they are, for the message.
    fix
        What the user can do if they are something else.

    Raises
    ------
    DensityFormatError
        If the line holds anything else.
    """
    text = lines.require(field)
    try:
        values = [float(word.replace("D", "E").replace("d", "e")) for word in text.split()]
    except ValueError:
        values = []
    if len(values) != count or not np.isfinite(values).all():
        raise lines.error(f"found {text[:60]!r}, expected {count} numbers", field=field, fix=fix)
    return values
