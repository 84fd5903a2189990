"""Read what finished runs tell of PAW occupancies, with all that these depend on."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core import Element, Lattice, Structure

from scdp_flows.dft.vasp.potcar import (
    channel_blocks,
    declared_hash,
    differ,
    occupancy_count,
    read_potcar,
)
from scdp_flows.errors import CalculationError, DensityFormatError
from scdp_flows.io.chgcar import read_chgcar
from scdp_flows.io.compression import open_text
from scdp_flows.io.vasp_run import find_output, read_outcar

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

    from scdp_flows.density import Augmentation, ChargeDensity
    from scdp_flows.dft.vasp.inputs import VaspFolder

__all__ = ["AtomKind", "OccupancyRun", "harvest", "read_kinds"]

_CHANNEL = re.compile(r"non local Contribution for L=\s*(\d+)\s+read in")
_TITLE = re.compile(r"TITEL\s*=\s*(.+)")
_LMAXMIX = re.compile(r"LMAXMIX\s*=\s*(\d+)")


@dataclass(frozen=True)
class AtomKind:
    """What the occupancies of an atom depend on beside its surroundings."""

    title: str
    """TITEL of its pseudopotential."""
    functional: str
    """Functional of the run."""
    channels: tuple[int, ...]
    """Angular momenta of the projector channels."""
    lmaxmix: int = 2
    """LMAXMIX of the run: components with larger L are written as zeros."""
    potcar_hash: str | None = None
    """What identifies the pseudopotential beyond its title, see
    :class:`scdp_flows.dft.vasp.potcar.PotcarEntry`."""

    def why_not(self, inputs: VaspFolder, atom: int) -> str | None:
        """Tell why this is not the kind of an atom with the same title; None if it is."""
        channels = None if inputs.channels is None else inputs.channels[atom]
        if channels and channels != self.channels:
            return (
                f"{self.title} has the projector channels {channels} here and {self.channels} "
                "where its occupancies come from: two pseudopotentials of one title"
            )
        if differ(inputs.atom_hashes[atom], self.potcar_hash):
            return (
                f"{self.title} has the hash {inputs.atom_hashes[atom]} here and "
                f"{self.potcar_hash} where its occupancies come from: two pseudopotentials of one "
                "title; harvest a run with the one used here"
            )
        largest = max((l for _, _, l in channel_blocks(self.channels)), default=0)
        asked = min(int(inputs.tags.get("LMAXMIX", 2)), largest)
        if asked > self.lmaxmix:
            return (
                f"LMAXMIX = {inputs.tags.get('LMAXMIX')} asks for occupancies of {self.title} up "
                f"to L = {asked}; those at hand end at {self.lmaxmix}: harvest a run with this "
                "LMAXMIX"
            )
        return None


@dataclass(frozen=True)
class OccupancyRun:
    """The occupancies of all atoms of one run."""

    formula: str
    """Reduced formula."""
    cell: tuple[tuple[float, ...], ...]
    """Cell vectors as rows, Å."""
    numbers: tuple[int, ...]
    """Atomic numbers."""
    positions: tuple[tuple[float, ...], ...]
    """Positions, Å."""
    kinds: tuple[AtomKind, ...]
    """The kinds of atoms in the run."""
    kind_of_atom: tuple[int, ...]
    """Which of these each atom is."""
    values: tuple[tuple[float, ...], ...]
    """The occupancies of each atom."""

    @property
    def structure(self) -> Structure:
        """The crystal."""
        return Structure(
            Lattice(self.cell),
            [*map(Element.from_Z, self.numbers)],
            self.positions,
            coords_are_cartesian=True,
        )

    def atoms_of(self, kind: AtomKind) -> list[int]:
        """Return the atoms of a kind."""
        return [atom for atom, index in enumerate(self.kind_of_atom) if self.kinds[index] == kind]


def read_kinds(path: str | os.PathLike[str], functional: str) -> tuple[AtomKind, ...]:
    """Read from an OUTCAR the kinds of atoms, in the order of the species.

    Parameters
    ----------
    path
        OUTCAR.
    functional
        Functional of the run.
    """
    heads: list[str] = []
    before = ""
    lmaxmix = 2
    with open_text(path) as stream:
        for line in stream:
            if "VRHFIN" in line:
                heads.append(before)
                before = ""
            # The hash comes before the rest of what a pseudopotential says of itself.
            if "SHA256" in line:
                before = line
            elif heads:
                heads[-1] += line
            if match := _LMAXMIX.search(line):
                lmaxmix = int(match.group(1))
            if "Iteration" in line:
                break
    titles = [_TITLE.search(head) for head in heads]
    return tuple(
        AtomKind(
            " ".join(title.group(1).split()),
            functional,
            tuple(int(l) for l in _CHANNEL.findall(head)),
            lmaxmix,
            declared_hash(head),
        )
        for title, head in zip(titles, heads, strict=True)
        if title is not None
    )


def harvest(folder: str | os.PathLike[str]) -> OccupancyRun:
    """Read the occupancies of a finished run from its CHGCAR and OUTCAR.

    The hash of a pseudopotential is that of a POTCAR in the folder, else what OUTCAR says.

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
    kinds = read_kinds(outcar, run.functional or "")
    if density.augmentation is None or run.functional is None or not kinds:
        raise DensityFormatError(
            "no occupancies, functional or projectors", file=folder, fix="use runs of VASP's PAW"
        )
    kinds = tuple(_hashed(kinds, folder))
    species = np.concatenate([[0], np.cumsum(np.diff(density.numbers) != 0)]).astype(int)
    part = density.augmentation[0]
    _check_counts(part, kinds, species.tolist(), chgcar)
    return _run(density, kinds, species.tolist())


def _hashed(kinds: tuple[AtomKind, ...], folder: str | os.PathLike[str]) -> Iterator[AtomKind]:
    """Yield the kinds with the hashes of a POTCAR, where one is there."""
    potcar = find_output(folder, "POTCAR")
    hashes: dict[str, str | None] = {}
    if potcar is not None:
        try:
            hashes = {entry.title: entry.potcar_hash for entry in read_potcar(potcar)}
        except CalculationError:
            # Archived runs often hold an emptied POTCAR.
            hashes = {}
    for kind in kinds:
        found = hashes.get(kind.title, kind.potcar_hash)
        yield replace(kind, potcar_hash=found)


def _check_counts(
    part: Augmentation, kinds: tuple[AtomKind, ...], species: list[int], path: Path
) -> None:
    """Refuse records that do not fit the projectors."""
    for atom, index in enumerate(species):
        channels = kinds[index].channels if index < len(kinds) else ()
        if int(part.counts[atom]) != occupancy_count(channels):
            raise DensityFormatError(
                f"{part.counts[atom]} occupancies for the channels {channels}",
                file=path,
                field=f"augmentation occupancies of atom {atom + 1}",
                fix="CHGCAR and OUTCAR are of different runs",
            )


def _run(density: ChargeDensity, kinds: tuple[AtomKind, ...], species: list[int]) -> OccupancyRun:
    """Put a run together."""
    part = (density.augmentation or ())[0]
    structure = Structure(
        Lattice(density.cell), density.numbers.tolist(), density.positions,
        coords_are_cartesian=True,
    )  # fmt: skip
    places = (density.positions - density.origin).round(8).tolist()
    return OccupancyRun(
        structure.composition.reduced_formula,
        tuple(tuple(row) for row in density.cell.tolist()),
        tuple(density.numbers.tolist()),
        tuple(tuple(place) for place in places),
        kinds,
        tuple(species),
        tuple(tuple(part.record(atom).tolist()) for atom in range(len(species))),
    )
