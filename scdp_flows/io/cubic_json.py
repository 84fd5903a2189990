"""Read the crystals of the "Cubic" set of Wang and co-workers (2022), one JSON file each.

Every key holds a list whose first element counts. Lengths are in Å; values are density times cell
volume in rows of ten texts, the first index running fastest. Rows behind those of the grid belong
to other blocks of the CHG file that it was made of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.density import ChargeDensity
from scdp_flows.errors import DensityFormatError
from scdp_flows.io.elements import atomic_number
from scdp_flows.io.json_text import load_json, number_array
from scdp_flows.io.reading import COPY_ANEW, format_errors

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["CubicJsonFormat", "read_cubic_json"]

_PERIODIC = (True, True, True)
_PER_ROW = 10
_KEYS = ("vector", "lattice", "elements", "elements_number", "coordinates", "FFTgrid")
_HEAD = re.compile(rf"""\s*\{{.*"(?:{"|".join(_KEYS)}|chargedensity)"\s*:\s*\[""", re.DOTALL)

_MOST_ATOMS = 100_000


@dataclass(frozen=True)
class CubicJsonFormat:
    """Make the files of the set known to ``read_density``."""

    def sniff(self, head: str) -> bool:
        """Tell by its first characters whether a file is of this format."""
        return _HEAD.match(head) is not None

    def read(self, path: str | os.PathLike[str]) -> ChargeDensity:
        """Read a file."""
        return read_cubic_json(path)


def read_cubic_json(path: str | os.PathLike[str]) -> ChargeDensity:
    """Read a file, also compressed.

    Raises
    ------
    DensityFormatError
        If the file is missing or damaged, or a value has overflowed its columns. The common reader
        of this set takes overflowed values for zero, which makes holes at the nuclei.
    """
    content = load_json(path)
    file = str(path)
    if not isinstance(content, Mapping):
        raise DensityFormatError("holds no object", file=path, fix=COPY_ANEW)
    with format_errors(path):
        scale = number_array(_first(content, "vector", file), (None,), file=file, field="vector")
        rows = number_array(_first(content, "lattice", file), (3, 3), file=file, field="lattice")
        cell = scale[0] * rows
        numbers = _read_elements(content, file)
        fractional = number_array(
            _first(content, "coordinates", file), (len(numbers), 3), file=file, field="coordinates"
        )
        volume = abs(np.linalg.det(cell))
        if not 0 < volume < np.inf:
            raise DensityFormatError("no volume", file=path, field="lattice", fix=COPY_ANEW)
        return ChargeDensity(
            _read_values(content, file) / volume,
            cell,
            np.zeros(3),
            np.array(numbers),
            fractional @ cell,
            pbc=_PERIODIC,
        )


def _first(content: Mapping[str, Any], key: str, file: str) -> Any:
    """Return the element of a list that counts."""
    value = content.get(key)
    if not isinstance(value, list) or not value:
        raise DensityFormatError(
            f"is missing or empty; the file holds {sorted(content)}",
            file=file,
            field=key,
            fix=COPY_ANEW,
        )
    return value[0]


def _read_elements(content: Mapping[str, Any], file: str) -> list[int]:
    """Return an atomic number per atom."""
    labels = _first(content, "elements", file)
    counts = number_array(
        _first(content, "elements_number", file), (None,), file=file, field="elements_number"
    )
    kinds = [atomic_number(str(label)) for label in labels] if isinstance(labels, list) else []
    are_counts = (counts >= 1).all() and not (counts % 1).any() and counts.sum() <= _MOST_ATOMS
    if len(kinds) != len(counts) or not all(kinds) or not are_counts:
        raise DensityFormatError(
            f"found {labels} and {counts.tolist()}", file=file, field="elements", fix=COPY_ANEW
        )
    return list(chain.from_iterable(map(repeat, kinds, counts.astype(int).tolist())))


def _read_values(content: Mapping[str, Any], file: str) -> NDArray[np.float64]:
    """Return the grid, (n1, n2, n3), in electrons."""
    sizes = number_array(_first(content, "FFTgrid", file), (3,), file=file, field="FFTgrid")
    n1, n2, n3 = (int(size) for size in sizes)
    n_rows = -(-n1 * n2 * n3 // _PER_ROW)
    rows = _first(content, "chargedensity", file)
    if min(n1, n2, n3) < 1 or not isinstance(rows, list) or len(rows) < n_rows:
        found = len(rows) if isinstance(rows, list) else "no"
        raise DensityFormatError(
            f"{found} rows of values, expected {n_rows} for {n1}x{n2}x{n3}",
            file=file,
            field="chargedensity",
            fix=COPY_ANEW,
        )
    words = [str(word) for row in rows[:n_rows] for word in (row if isinstance(row, list) else [])]
    overflowed = sum(word.startswith("*") for word in words)
    if overflowed:
        raise DensityFormatError(
            f"{overflowed} values have overflowed their columns",
            file=file,
            field="chargedensity",
            fix="leave the crystal out: what these values were is lost",
        )
    flat = number_array(words[: n1 * n2 * n3], (n1 * n2 * n3,), file=file, field="chargedensity")
    return flat.reshape((n1, n2, n3), order="F")
