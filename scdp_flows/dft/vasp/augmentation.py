"""Keep PAW occupancies of finished runs, and give them to predicted densities."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pymatgen.core import Lattice, Structure

from scdp_flows.dft.vasp.potcar import channel_blocks, occupancy_count, same_potential
from scdp_flows.errors import CalculationError, DensityFormatError
from scdp_flows.io.chgcar import read_chgcar
from scdp_flows.io.compression import open_text, replace_binary
from scdp_flows.io.vasp_run import find_output, read_outcar

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from scdp_flows.dft.vasp.inputs import VaspFolder

__all__ = ["OccupancyLibrary", "OccupancyRecord", "harvest", "projector_channels", "spherical"]

_NEIGHBOURS = 8
_REACH = 8.0  # Å
_POTENTIAL = re.compile(r"^\s*POTCAR:\s")
_CHANNEL = re.compile(r"non local Contribution for L=\s*(\d+)\s+read in")


@dataclass(frozen=True)
class OccupancyRecord:
    """The occupancies of one atom in one run."""

    title: str
    """TITEL of its pseudopotential."""
    functional: str
    """Functional of the run."""
    channels: tuple[int, ...]
    """Angular momenta of the projector channels."""
    neighbours: tuple[float, ...]
    """Distances of the nearest eight atoms, ascending, Å."""
    values: tuple[float, ...]
    """The spherical part of the occupancies: those with L > 0 are zero."""
    origin: str
    """Formula of the run it comes from."""


def spherical(values: NDArray[np.float64], channels: tuple[int, ...]) -> NDArray[np.float64]:
    """Keep the occupancies with L = 0, which do not depend on the orientation of a crystal."""
    kept = np.zeros_like(values)
    start = 0
    for _, _, l in channel_blocks(channels):
        if l == 0:
            kept[start] = values[start]
        start += 2 * l + 1
    return kept


def projector_channels(path: str | os.PathLike[str]) -> tuple[tuple[int, ...], ...]:
    """Read from an OUTCAR the projector channels of each pseudopotential."""
    found: list[list[int]] = []
    with open_text(path) as stream:
        for line in stream:
            if line.startswith("   VRHFIN") or "VRHFIN =" in line:
                found.append([])
            elif found and (match := _CHANNEL.search(line)):
                found[-1].append(int(match.group(1)))
            elif "Iteration" in line:
                break
    return tuple(tuple(channels) for channels in found)


def neighbour_distances(structure: Structure) -> NDArray[np.float64]:
    """Return the distances of the nearest eight neighbours of each atom (n_atoms, 8), Å."""
    rows = []
    for neighbours in structure.get_all_neighbors(_REACH):
        distances = sorted(float(each.nn_distance) for each in neighbours)[:_NEIGHBOURS]
        rows.append(distances + [_REACH] * (_NEIGHBOURS - len(distances)))
    return np.array(rows)


def harvest(folder: str | os.PathLike[str]) -> list[OccupancyRecord]:
    """Read the occupancies of a finished run from its CHGCAR and OUTCAR.

    Raises
    ------
    DensityFormatError
        If a file is missing or damaged, or the counts do not fit the projectors.
    """
    chgcar, outcar = find_output(folder, "CHGCAR"), find_output(folder, "OUTCAR")
    if chgcar is None or outcar is None:
        raise DensityFormatError(
            "CHGCAR or OUTCAR is missing", file=folder, fix="name folders of finished runs"
        )
    density, run = read_chgcar(chgcar), read_outcar(outcar)
    channels = projector_channels(outcar)
    if density.augmentation is None or run.functional is None or len(channels) == 0:
        raise DensityFormatError(
            "no occupancies, functional or projectors", file=folder, fix="use runs of VASP's PAW"
        )
    structure = Structure(
        Lattice(density.cell), density.numbers.tolist(), density.positions,
        coords_are_cartesian=True,
    )  # fmt: skip
    runs = np.concatenate([[0], np.cumsum(np.diff(density.numbers) != 0)]).astype(int)
    near = neighbour_distances(structure)
    made = []
    for atom, species in enumerate(runs.tolist()):
        values = density.augmentation[0].record(atom)
        if len(values) != occupancy_count(channels[species]):
            raise DensityFormatError(
                f"{len(values)} occupancies for the channels {channels[species]}",
                file=chgcar,
                field=f"augmentation occupancies of atom {atom + 1}",
                fix="CHGCAR and OUTCAR are of different runs",
            )
        made.append(
            OccupancyRecord(
                run.potcars[species],
                run.functional,
                channels[species],
                tuple(near[atom].round(6).tolist()),
                tuple(spherical(values, channels[species]).tolist()),
                structure.composition.reduced_formula,
            )
        )
    return made


@dataclass(frozen=True)
class OccupancyLibrary:
    """Hold records of many runs.

    Only the spherical part is kept and given: without a bond's direction it is what an atom of
    this kind has, and unlike the rest it is the same in every orientation.
    """

    items: tuple[OccupancyRecord, ...]
    """The records."""

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> OccupancyLibrary:
        """Read a library.

        Raises
        ------
        CalculationError
            If the file is missing or no library.
        """
        try:
            rows: list[dict[str, Any]] = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls(tuple(_record(row) for row in rows))
        except (OSError, TypeError, ValueError, KeyError) as error:
            raise CalculationError(
                f"{path}: no library of occupancies ({error}); write one by `scdp vasp-harvest`"
            ) from error

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the library as JSON, as a whole or not at all."""
        text = json.dumps([asdict(item) for item in self.items], indent=1)
        with replace_binary(path) as stream:
            stream.write(text.encode())

    def extended(self, records: Iterable[OccupancyRecord]) -> OccupancyLibrary:
        """Return a library with more records; equal ones are kept once."""
        return OccupancyLibrary(tuple(dict.fromkeys([*self.items, *records])))

    def records(self, inputs: VaspFolder) -> list[NDArray[np.float64]]:
        """Return the occupancies of each atom of a calculation, of the nearest environment.

        Raises
        ------
        CalculationError
            If a pseudopotential and functional is not in the library, or has other projectors.
        """
        near = neighbour_distances(inputs.structure)
        channels = inputs.channels
        return [
            self._nearest(
                title, inputs.functional, near[atom], None if channels is None else channels[atom]
            )
            for atom, title in enumerate(inputs.atom_titles)
        ]

    def _nearest(
        self,
        title: str,
        functional: str | None,
        near: NDArray[np.float64],
        channels: tuple[int, ...] | None,
    ) -> NDArray[np.float64]:
        found = [
            item
            for item in self.items
            if same_potential(item.title, title) and item.functional == functional
        ]
        if not found:
            known = sorted({f"{item.title} ({item.functional})" for item in self.items})
            raise CalculationError(
                f"no occupancies of {title} with {functional} in the library, which holds "
                f"{', '.join(known) or 'none'}; harvest a run with it"
            )
        if channels and any(item.channels != channels for item in found):
            raise CalculationError(
                f"{title} has the projector channels {channels} here and "
                f"{found[0].channels} in the library: two pseudopotentials of one title"
            )
        best = min(found, key=lambda item: float(np.abs(near - item.neighbours).sum()))
        return np.array(best.values)


def _record(row: dict[str, Any]) -> OccupancyRecord:
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in row.items()
    }
    return OccupancyRecord(**fields)
