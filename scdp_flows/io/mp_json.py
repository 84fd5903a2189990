"""Read densities in pymatgen's JSON, as the Materials Project and atomate2 store them.

The document is what ``Chgcar.as_dict`` gives, alone or under the key ``data``. Values are density
times cell volume, ``data[ix][iy][iz]``. The classes that the document names are not loaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.density import Augmentation, ChargeDensity
from scdp_flows.errors import DensityFormatError
from scdp_flows.io.elements import atomic_number
from scdp_flows.io.json_text import load_json, number_array
from scdp_flows.io.reading import COPY_ANEW, format_errors

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["MpJsonFormat", "density_from_chgcar_dict", "read_mp_json"]

_PERIODIC = (True, True, True)
_HEAD = re.compile(r"""\s*\{.*"(?:data|data_aug|poscar|@module)"\s*:""", re.DOTALL)
_COLLINEAR = ("total", "diff")
_NON_COLLINEAR = ("total", "diff_x", "diff_y", "diff_z")


@dataclass(frozen=True)
class MpJsonFormat:
    """Make the JSON of pymatgen's densities known to ``read_density``."""

    def sniff(self, head: str) -> bool:
        """Tell by its first characters whether a file is of this format."""
        return _HEAD.match(head) is not None and '"chargedensity"' not in head

    def read(self, path: str | os.PathLike[str]) -> ChargeDensity:
        """Read a file."""
        return read_mp_json(path)


def read_mp_json(path: str | os.PathLike[str]) -> ChargeDensity:
    """Read a file, also compressed.

    Raises
    ------
    DensityFormatError
        If the file is missing, damaged or no such document.
    """
    content = load_json(path)
    with format_errors(path):
        return density_from_chgcar_dict(content, source=str(path))


@np.errstate(all="ignore")
def density_from_chgcar_dict(document: object, *, source: str) -> ChargeDensity:
    """Read a density from what ``Chgcar.as_dict`` gave.

    Parameters
    ----------
    document
        The dictionary, or one that holds it as ``data``.
    source
        Where it came from, for messages.

    Returns
    -------
    ChargeDensity
        With ``magnetization`` for two spins, ``magnetization_vector`` for a non-collinear density,
        and the augmentation occupancies, if there are any. The moments that VASP writes between
        two grids are not in the document.

    Raises
    ------
    DensityFormatError
        If a field is missing or holds something impossible.
    """
    found = _unwrapped(document, source)
    structure = _field(_field(found, "poscar", source), "structure", source)
    cell = number_array(
        _field(_field(structure, "lattice", source), "matrix", source),
        (3, 3),
        file=source,
        field="lattice",
    )
    volume = abs(np.linalg.det(cell))
    if not 0 < volume < np.inf:
        raise _error(source, "the cell has no volume", "lattice")
    numbers, fractional = _read_sites(_field(structure, "sites", source), source)
    channels, (total, *spins) = _read_grids(_field(found, "data", source), volume, source)
    return ChargeDensity(
        total,
        cell,
        np.zeros(3),
        np.array(numbers),
        fractional @ cell,
        pbc=_PERIODIC,
        magnetization=spins[0] if len(spins) == 1 else None,
        augmentation=_augmentation(found.get("data_aug"), channels, source),
        magnetization_vector=np.stack(spins) if len(spins) == 3 else None,
    )


def _read_grids(
    grids: object, volume: float, source: str
) -> tuple[tuple[str, ...], list[NDArray[np.float64]]]:
    """Return the names of the grids and what they hold, e/Å^3.

    Beside the three components of a magnetisation stands the projection ``diff`` that pymatgen
    makes of them, which is left out.
    """
    given = grids if isinstance(grids, Mapping) else {}
    wanted = _NON_COLLINEAR if set(given) & set(_NON_COLLINEAR[1:]) else _COLLINEAR
    channels = wanted if wanted is _NON_COLLINEAR or "diff" in given else wanted[:1]
    found = [
        _grid(_field(grids, channel, source), source, f"data.{channel}") / volume
        for channel in channels
    ]
    if len({grid.shape for grid in found}) > 1:
        shapes = [grid.shape for grid in found]
        raise _error(source, f"the grids have different shapes {shapes}", "data")
    return channels, found


def _unwrapped(document: object, source: str) -> Mapping[str, Any]:
    """Find the density in the document."""
    found = document
    while isinstance(found, Mapping) and "poscar" not in found and "data" in found:
        found = found["data"]
    if not isinstance(found, Mapping):
        raise _error(source, "holds no object with the keys poscar and data", "document")
    return found


def _field(parent: object, name: str, source: str) -> Any:
    if not isinstance(parent, Mapping) or name not in parent:
        raise _error(source, "is missing", name)
    return parent[name]


def _read_sites(sites: object, source: str) -> tuple[list[int], NDArray[np.float64]]:
    """Read elements and fractional coordinates."""
    rows = sites if isinstance(sites, list) else []
    labels = [_species(site, source) for site in rows]
    numbers = [atomic_number(label) for label in labels]
    if not numbers or not all(numbers):
        raise _error(source, f"{labels[:8]} are not all elements", "sites")
    places = [_field(site, "abc", source) for site in rows]
    return numbers, number_array(places, (len(rows), 3), file=source, field="sites")


def _species(site: object, source: str) -> str:
    """Return the only element of a site."""
    species = _field(site, "species", source)
    if not isinstance(species, list) or len(species) != 1:
        raise _error(source, f"{species!r} is not one element", "sites")
    return str(_field(species[0], "element", source))


def _numbers(value: object) -> object:
    """Take the numbers out of a serialised array."""
    return value["data"] if isinstance(value, Mapping) and "data" in value else value


def _grid(value: object, source: str, field: str) -> NDArray[np.float64]:
    return number_array(_numbers(value), (None, None, None), file=source, field=field)


def _augmentation(
    value: object, channels: tuple[str, ...], source: str
) -> tuple[Augmentation, ...] | None:
    """Return the occupancies that belong to each grid; None if there are none."""
    if not isinstance(value, Mapping) or not any(value.values()):
        return None
    return tuple(_occupancies(value.get(channel) or {}, source) for channel in channels)


def _occupancies(atoms: object, source: str) -> Augmentation:
    """Read the occupancies of one channel; older documents hold the lines of the file."""
    if isinstance(atoms, list):
        records = _records_of_lines(atoms, source)
    elif isinstance(atoms, Mapping) and all(str(atom).isdecimal() for atom in atoms):
        records = {int(atom): _numbers(atoms[atom]) for atom in atoms}
    else:
        raise _error(source, "holds no occupancies by number of the atom", "data_aug")
    order = sorted(records)
    arrays = [number_array(records[atom], (None,), file=source, field="data_aug") for atom in order]
    return Augmentation(
        np.array(order, dtype=np.int64) - 1,
        np.array([len(array) for array in arrays], dtype=np.int64),
        np.concatenate([np.empty(0), *arrays]),
    )


def _records_of_lines(lines: list[object], source: str) -> dict[int, object]:
    """Gather the numbers that follow each header ``augmentation occupancies i n``."""
    records: dict[int, list[str]] = {}
    current: list[str] = []
    for line in lines:
        words = str(line).split()
        if words[:1] == ["augmentation"]:
            if len(words) != 4 or not words[2].isdecimal():
                raise _error(source, f"holds {str(line)[:60]!r}", "data_aug")
            current = records.setdefault(int(words[2]), [])
        else:
            current += words
    return dict(records.items())


def _error(source: str, message: str, field: str) -> DensityFormatError:
    return DensityFormatError(message, file=source, field=field, fix=COPY_ANEW)
