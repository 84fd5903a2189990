"""Give predicted densities the PAW occupancies of similar atoms in finished runs."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scdp_flows.dft.vasp.harvested import AtomKind, OccupancyRun
from scdp_flows.dft.vasp.potcar import channel_blocks, same_potential
from scdp_flows.errors import CalculationError
from scdp_flows.io.compression import replace_binary

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from scdp_flows.dft.vasp.inputs import VaspFolder

__all__ = ["Occupancies", "OccupancyLibrary", "choose_kind", "neighbour_distances", "spherical"]

_NEIGHBOURS = 8
_REACH = 8.0  # Å
_FORMAT, _VERSION = "scdp-occupancies", 2


class Occupancies(NamedTuple):
    """What a seed gets."""

    records: list[NDArray[np.float64]]
    """The occupancies of each atom."""
    origin: str
    """Where they come from, for the record."""


def spherical(values: NDArray[np.float64], channels: tuple[int, ...]) -> NDArray[np.float64]:
    """Keep the occupancies with L = 0, which do not depend on the orientation of a crystal."""
    kept = np.zeros_like(values)
    start = 0
    for _, _, l in channel_blocks(channels):
        if l == 0:
            kept[start] = values[start]
        start += 2 * l + 1
    return kept


def neighbour_distances(structure: Structure) -> NDArray[np.float64]:
    """Return the distances of the nearest eight neighbours of each atom (n_atoms, 8), Å."""
    rows = []
    for neighbours in structure.get_all_neighbors(_REACH):
        distances = sorted(float(each.nn_distance) for each in neighbours)[:_NEIGHBOURS]
        rows.append(distances + [_REACH] * (_NEIGHBOURS - len(distances)))
    return np.array(rows)


@dataclass(frozen=True)
class OccupancyLibrary:
    """Hold the occupancies of many runs.

    It gives each atom the spherical part of the most similar one: without a bond's direction it is
    what an atom of this kind has, and unlike the rest it is the same in every orientation.
    """

    runs: tuple[OccupancyRun, ...]
    """The runs."""

    @property
    def kinds(self) -> list[AtomKind]:
        """The kinds of atoms, each once; those with most atoms come first and are chosen first."""
        found = Counter(run.kinds[index] for run in self.runs for index in run.kind_of_atom)
        return sorted(found, key=lambda kind: (-found[kind], str(kind)))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> OccupancyLibrary:
        """Read a library.

        Raises
        ------
        CalculationError
            If the file is missing, no library or of another version.
        """
        try:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
            found = (document["format"], document["version"])
            runs = tuple(map(_run_from, document["runs"]))
        except (OSError, TypeError, ValueError, KeyError) as error:
            raise CalculationError(
                f"{path}: no library of occupancies ({error!r}); write one by `scdp vasp-harvest`"
            ) from error
        if found != (_FORMAT, _VERSION):
            raise CalculationError(
                f"{path}: {found[0]} of version {found[1]}, expected {_FORMAT} {_VERSION}; harvest "
                "the runs again"
            )
        return cls(runs)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the library as JSON, as a whole or not at all."""
        runs = [asdict(run) for run in self.runs]
        text = json.dumps({"format": _FORMAT, "version": _VERSION, "runs": runs})
        with replace_binary(path) as stream:
            stream.write(text.encode())

    def extended(self, runs: Iterable[OccupancyRun]) -> OccupancyLibrary:
        """Return a library with more runs; equal ones are kept once."""
        return OccupancyLibrary(tuple(dict.fromkeys([*self.runs, *runs])))

    def records(self, inputs: VaspFolder) -> Occupancies:
        """Return the occupancies of each atom of a calculation, of the nearest environment.

        Raises
        ------
        CalculationError
            If a pseudopotential and functional is not in the library, or is another one there.
        """
        near = neighbour_distances(inputs.structure)
        known = {run: neighbour_distances(run.structure) for run in self.runs}
        kinds = self.kinds
        records = [
            self._nearest(choose_kind(kinds, inputs, atom), near[atom], known)
            for atom in range(len(inputs.numbers))
        ]
        return Occupancies(records, f"library of {len(self.runs)} runs")

    def _nearest(
        self,
        kind: AtomKind,
        near: NDArray[np.float64],
        known: dict[OccupancyRun, NDArray[np.float64]],
    ) -> NDArray[np.float64]:
        """Return the spherical occupancies of the most similar atom of a kind."""
        _, run, atom = min(
            (
                (float(np.abs(near - distances[atom]).sum()), run, atom)
                for run, distances in known.items()
                for atom in run.atoms_of(kind)
            ),
            key=lambda found: found[0],
        )
        return spherical(np.array(run.values[atom]), kind.channels)


def choose_kind(kinds: Iterable[AtomKind], inputs: VaspFolder, atom: int) -> AtomKind:
    """Return the kind of an atom of a calculation.

    Raises
    ------
    CalculationError
        If none of the kinds is its own; the message says why.
    """
    title, functional = inputs.atom_titles[atom], inputs.functional
    every = list(kinds)
    named = [
        kind for kind in every
        if same_potential(kind.title, title) and kind.functional == functional
    ]  # fmt: skip
    if not named:
        known = sorted({f"{kind.title} ({kind.functional})" for kind in every})
        raise CalculationError(
            f"no occupancies of {title} with {functional} among those at hand, which are of "
            f"{', '.join(known) or 'none'}; harvest a run with it"
        )
    reasons = [kind.why_not(inputs, atom) for kind in named]
    for kind, reason in zip(named, reasons, strict=True):
        if reason is None:
            return kind
    raise CalculationError(str(reasons[0]))


def _run_from(row: dict[str, Any]) -> OccupancyRun:
    """Rebuild a run."""
    kinds = tuple(
        AtomKind(**{**kind, "channels": tuple(kind["channels"])}) for kind in row["kinds"]
    )
    nested = ("cell", "positions", "values")
    fields: dict[str, Any] = {name: tuple(tuple(each) for each in row[name]) for name in nested}
    return OccupancyRun(
        formula=row["formula"],
        numbers=tuple(row["numbers"]),
        kinds=kinds,
        kind_of_atom=tuple(row["kind_of_atom"]),
        **fields,
    )
