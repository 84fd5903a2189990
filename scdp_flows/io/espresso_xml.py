"""Read what Quantum ESPRESSO's ``data-file-schema.xml`` says of the cell, atoms and grid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree as ET  # safe here: see _parse

import numpy as np

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.elements import atomic_number
from scdp_flows.io.reading import COPY_ANEW, read_bytes

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["SCHEMA_FILE", "EspressoRun", "read_schema"]

SCHEMA_FILE = "data-file-schema.xml"
"""Name of the file beside the density."""

_LARGEST = 2**26


class EspressoRun(NamedTuple):
    """What a run says of its structure; lengths in bohr."""

    cell: NDArray[np.float64]
    """Cell vectors as rows (3, 3)."""
    numbers: NDArray[np.int64]
    """Atomic numbers (n_atoms,)."""
    positions: NDArray[np.float64]
    """Cartesian positions (n_atoms, 3)."""
    shape: tuple[int, int, int]
    """The grid of the density."""
    n_electrons: float
    """Valence electrons."""


def read_schema(density_file: str | os.PathLike[str]) -> EspressoRun:
    """Read the file that stands beside a density.

    Parameters
    ----------
    density_file
        The file of the density, in a folder ``<prefix>.save``.

    Raises
    ------
    DensityFormatError
        If there is none, or it is damaged or incomplete.
    """
    path = Path(density_file).with_name(SCHEMA_FILE)
    if not path.is_file():
        raise DensityFormatError(
            f"holds neither atoms nor a grid, and there is no {SCHEMA_FILE} beside it",
            file=density_file,
            fix=f"keep the two files of the folder <prefix>.save together (looked for {path})",
        )
    output = _parse(path).find("output")
    if output is None:
        raise _error(path, "the run has no output", "output")
    grid = output.find("basis_set/fft_grid")
    atoms = output.findall("atomic_structure/atomic_positions/atom")
    try:
        sizes = [int(grid.get(f"nr{axis}", 0)) for axis in (1, 2, 3)] if grid is not None else []
        numbers = [atomic_number(atom.get("name", "")) for atom in atoms]
        positions = [_floats(atom) for atom in atoms]
        cell = [_floats(output.find(f"atomic_structure/cell/a{axis}")) for axis in (1, 2, 3)]
        n_electrons = float(output.findtext("band_structure/nelec", "nan"))
    except ValueError as error:
        raise _error(path, str(error), "output") from error
    _check(path, sizes, numbers, [*positions, *cell])
    n1, n2, n3 = sizes
    return EspressoRun(
        np.array(cell),
        np.array(numbers, dtype=np.int64),
        np.array(positions),
        (n1, n2, n3),
        n_electrons,
    )


def _parse(path: Path) -> ET.Element:
    """Parse a file that may not define entities, by which a small one could fill the memory."""
    # As text, whatever encoding it announces: in another one, entities would go unnoticed.
    content = read_bytes(path, limit=_LARGEST).decode("utf-8", errors="replace")
    if "<!" in content.replace("<!--", ""):
        raise _error(path, "declares a document type, which the program never writes", "prologue")
    try:
        return ET.fromstring(content)  # noqa: S314 - no entities, bounded size
    except ET.ParseError as error:
        raise _error(path, str(error), "XML") from error


def _floats(element: ET.Element | None) -> list[float]:
    """Read the numbers of an element."""
    return [float(word) for word in (element.text or "").split()] if element is not None else []


def _check(path: Path, sizes: list[int], numbers: list[int], rows: list[list[float]]) -> None:
    """Refuse what is missing or impossible."""
    if not numbers or not all(numbers):
        raise _error(path, "an atom is of no known element", "atomic_positions")
    if any(len(row) != 3 for row in rows) or not np.isfinite(rows).all():
        raise _error(path, "expected three coordinates of each vector", "atomic_structure")
    if len(sizes) != 3 or min(sizes) < 1:
        raise _error(path, "the grid is missing", "fft_grid")
    if abs(np.linalg.det(rows[-3:])) == 0:
        raise _error(path, "the cell has no volume", "cell")


def _error(path: Path, message: str, field: str) -> DensityFormatError:
    return DensityFormatError(message, file=path, field=field, fix=COPY_ANEW)
