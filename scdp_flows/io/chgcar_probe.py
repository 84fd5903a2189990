"""Judge from its first lines and its size whether a CHGCAR can be complete."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.compression import COMPRESSED_SUFFIXES
from scdp_flows.io.grid_text import open_lines
from scdp_flows.io.poscar import read_poscar_header

if TYPE_CHECKING:
    import os

__all__ = ["probe_chgcar"]

# VASP writes 18 characters per number, CHG 12; dense packing shrinks them by less than this.
_LEAST_BYTES = 10
_LEAST_PACKED_BYTES = 0.05


def probe_chgcar(path: str | os.PathLike[str]) -> str | None:
    """Return why a file cannot be a complete density, None if it may be one.

    Only the header is read: a thousand runs are looked at in seconds.
    """
    file = Path(path)
    try:
        with open_lines(file) as lines:
            read_poscar_header(lines)
            words = lines.require("grid shape").split()
            while not words:
                words = lines.require("grid shape").split()
            if len(words) != 3 or not all(word.isdecimal() for word in words):
                return "no grid follows the structure"
            n_points = prod(int(word) for word in words)
    except DensityFormatError as error:
        return "is empty" if file.stat().st_size == 0 else f"no CHGCAR: {error.field or 'damaged'}"
    is_packed = file.name.endswith(COMPRESSED_SUFFIXES)
    least = n_points * (_LEAST_PACKED_BYTES if is_packed else _LEAST_BYTES)
    return "is cut: smaller than its grid" if file.stat().st_size < least else None
