"""Learn PAW occupancies from harvested runs, one equivariant model per kind of atom.

The file holds numbers and JSON alone (safetensors).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from scdp_flows.dft.vasp.augmentation import Occupancies, choose_kind
from scdp_flows.dft.vasp.harvested import AtomKind
from scdp_flows.dft.vasp.potcar import channel_blocks
from scdp_flows.errors import CalculationError
from scdp_flows.io.compression import replace_binary

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from scdp_flows.dft.vasp.augmentation import OccupancyLibrary
    from scdp_flows.dft.vasp.harvested import OccupancyRun
    from scdp_flows.dft.vasp.inputs import VaspFolder
    from scdp_models.nn.occupancies import Example, OccupancyHead

__all__ = ["LearnedKind", "OccupancyModel", "example_of", "learn_occupancies"]

_FORMAT, _VERSION = "scdp-occupancy-model", 1
_KEY = "scdp"
_MOST_ATOMS = 600


@dataclass(frozen=True)
class LearnedKind:
    """What was learned about one kind of atom."""

    kind: AtomKind
    """Which atoms."""
    n_runs: int
    """From how many runs."""
    n_atoms: int
    """From how many atoms."""
    head: OccupancyHead
    """The model."""


@dataclass(frozen=True)
class OccupancyModel:
    """Predict the occupancies of all kinds of atoms that were learned."""

    learned: tuple[LearnedKind, ...]
    """The kinds."""

    def records(self, inputs: VaspFolder) -> Occupancies:
        """Return the occupancies of each atom of a calculation.

        Atoms in surroundings unlike those learned from get the mean of their kind; how many is
        told in the origin.

        Raises
        ------
        CalculationError
            If a pseudopotential and functional was not learned, or is another one.
        """
        by_kind = {each.kind: each for each in self.learned}
        kinds = [choose_kind(by_kind, inputs, atom) for atom in range(len(inputs.numbers))]
        cell = np.array(inputs.structure.lattice.matrix)
        places = np.array(inputs.structure.cart_coords)
        records: list[NDArray[np.float64]] = [np.empty(0)] * len(kinds)
        n_known = 0
        for kind in dict.fromkeys(kinds):
            atoms = np.array([atom for atom, each in enumerate(kinds) if each == kind])
            found = by_kind[kind].head.predict(inputs.numbers, places, cell, atoms)
            n_known += int(found.known.sum())
            for atom, values in zip(atoms.tolist(), found.values, strict=True):
                records[atom] = values
        n_runs = max(by_kind[kind].n_runs for kind in kinds)
        text = f"predicted from {n_runs} runs for {n_known} of {len(kinds)} atoms"
        return Occupancies(records, text + ("" if n_known == len(kinds) else ", else the mean"))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the model, as a whole or not at all."""
        rows, arrays = [], {}
        for number, each in enumerate(self.learned):
            rows.append(
                {
                    "kind": asdict(each.kind),
                    "n_runs": each.n_runs,
                    "n_atoms": each.n_atoms,
                    "head": each.head.header(),
                }
            )
            for name, array in each.head.to_arrays().items():
                arrays[f"{number}.{name}"] = np.ascontiguousarray(array)
        header = {"format": _FORMAT, "version": _VERSION, "learned": rows}
        with replace_binary(path) as stream:
            stream.write(save(arrays, metadata={_KEY: json.dumps(header)}))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> OccupancyModel:
        """Read a model.

        Raises
        ------
        CalculationError
            If the file is missing, damaged, of another program or version.
        """
        try:
            with safe_open(Path(path), framework="np") as stream:
                header = json.loads((stream.metadata() or {})[_KEY])
                arrays = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
            found = (header["format"], header["version"])
            learned = tuple(_learned(header["learned"], arrays)) if found[1] == _VERSION else ()
        except (OSError, SafetensorError, TypeError, ValueError, KeyError) as error:
            raise CalculationError(
                f"{path}: no model of occupancies ({error!r}); train one by "
                "`scdp vasp-harvest --train`"
            ) from error
        if found != (_FORMAT, _VERSION):
            raise CalculationError(
                f"{path}: {found[0]} of version {found[1]}, expected {_FORMAT} {_VERSION}; train "
                "it again"
            )
        return cls(learned)


def _learned(
    rows: list[dict[str, Any]], arrays: Mapping[str, NDArray[np.float64]]
) -> Iterator[LearnedKind]:
    """Rebuild what was learned."""
    from scdp_models.nn.occupancies import OccupancyHead

    for number, row in enumerate(rows):
        prefix = f"{number}."
        own = {
            name.removeprefix(prefix): array
            for name, array in arrays.items()
            if name.startswith(prefix)
        }
        kind = AtomKind(**{**row["kind"], "channels": tuple(row["kind"]["channels"])})
        head = OccupancyHead.from_parts(row["head"], own)
        yield LearnedKind(kind, int(row["n_runs"]), int(row["n_atoms"]), head)


def example_of(run: OccupancyRun, kind: AtomKind) -> Example:
    """Return what a run teaches about a kind of atom."""
    from scdp_models.nn.occupancies import Example

    atoms = run.atoms_of(kind)
    return Example(
        np.array(run.numbers),
        np.array(run.positions),
        np.array(run.cell),
        np.array(atoms, dtype=np.int64),
        np.array([run.values[atom] for atom in atoms]),
    )


def learn_occupancies(library: OccupancyLibrary) -> OccupancyModel:
    """Learn all kinds of atoms of a library.

    Of the runs of a kind, those that come last are left out beyond six hundred atoms.

    Raises
    ------
    CalculationError
        If the library is empty.
    """
    from scdp_models.nn.occupancies import fit_head

    if not library.runs:
        raise CalculationError("the library is empty; harvest finished runs first")
    learned = []
    for kind in library.kinds:
        examples, n_atoms = [], 0
        for run in library.runs:
            example = example_of(run, kind)
            if len(example.atoms) and n_atoms < _MOST_ATOMS:
                examples.append(example)
                n_atoms += len(example.atoms)
        head = fit_head(examples, [l for _, _, l in channel_blocks(kind.channels)])
        learned.append(LearnedKind(kind, len(examples), n_atoms, head))
    return OccupancyModel(tuple(learned))
