"""Find densities that are there twice."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from scdp_flows.io.structures import structure_from_arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from scdp_flows.schemas.density import DensityDoc

__all__ = ["Duplicates", "find_duplicates"]

# pymatgen's matcher wants relative lengths and degrees beside the distance; these admit rounding.
_LENGTH_TOLERANCE = 0.002
_ANGLE_TOLERANCE = 0.2


class Duplicates(NamedTuple):
    """Densities that say the same."""

    kept: str
    """Identifier of the first that was stored."""
    others: list[str]
    """Identifiers of the others, in the order of storing."""
    why: str
    """``"same density"`` or ``"same structure"``."""


def find_duplicates(docs: Iterable[DensityDoc], *, tolerance: float = 0.01) -> list[Duplicates]:
    """Find densities whose arrays, or whose structures within a tolerance, are the same.

    Compared are only densities of one kind, composition, charge and multiplicity. Crystals are
    compared by pymatgen's ``StructureMatcher``, whatever cell they are given in; molecules by all
    distances between their atoms, which also takes mirror images for the same.

    Parameters
    ----------
    docs
        Densities, the ones to be kept first.
    tolerance
        Largest difference in Å: between two distances in a molecule, or of the displacement of
        atoms in a crystal.

    Returns
    -------
    list
        One entry per set of duplicates.
    """
    ordered = list(docs)
    groups = _Groups(len(ordered))
    for same in _alike(ordered, _grid_key):
        groups.join(same, "same density")
    for same in _alike(ordered, _comparable_key):
        some = [ordered[index] for index in same]
        pairs = _crystals if any(some[0].pbc) else _molecules
        for first, second in pairs(some, tolerance):
            groups.join([same[first], same[second]], "same structure")
    return [
        Duplicates(
            ordered[members[0]].density_id, [ordered[i].density_id for i in members[1:]], why
        )
        for members, why in groups.sets()
    ]


class _Groups:
    """Join indices into sets."""

    def __init__(self, size: int) -> None:
        self._parents = list(range(size))
        self._why: dict[int, str] = {}

    def _root(self, index: int) -> int:
        while self._parents[index] != index:
            self._parents[index] = self._parents[self._parents[index]]
            index = self._parents[index]
        return index

    def join(self, indices: Sequence[int], why: str) -> None:
        """Put indices into one set, which keeps the reason it was first made for."""
        roots = sorted({self._root(index) for index in indices})
        for root in roots[1:]:
            self._parents[root] = roots[0]
        self._why.setdefault(roots[0], why)

    def sets(self) -> Iterator[tuple[list[int], str]]:
        """Yield the sets of more than one index, sorted, with their reasons."""
        members: dict[int, list[int]] = defaultdict(list)
        for index in range(len(self._parents)):
            members[self._root(index)].append(index)
        for root, found in members.items():
            if len(found) > 1:
                yield found, self._why[root]


def _alike(
    docs: Sequence[DensityDoc], key: Callable[[DensityDoc], Hashable]
) -> Iterator[list[int]]:
    found: dict[Hashable, list[int]] = defaultdict(list)
    for index, doc in enumerate(docs):
        value = key(doc)
        if value is not None:
            found[value].append(index)
    yield from (same for same in found.values() if len(same) > 1)


def _grid_key(doc: DensityDoc) -> Hashable:
    blob = doc.blobs.get("grid")
    return None if blob is None else (doc.kind_key, blob.key)


def _comparable_key(doc: DensityDoc) -> Hashable:
    from pymatgen.core import Composition

    periodic = any(doc.pbc)
    formula = Composition(doc.formula).reduced_formula if periodic else doc.formula
    # A supercell of a charged or magnetic crystal is another system.
    size = None if doc.charge == 0 and doc.spin_multiplicity == 1 and periodic else doc.n_atoms
    return doc.kind_key, formula, doc.charge, doc.spin_multiplicity, periodic, size


def _molecules(docs: Sequence[DensityDoc], tolerance: float) -> list[tuple[int, int]]:
    from scipy.spatial import KDTree

    fingerprints = np.stack([_distances(doc) for doc in docs])
    pairs = KDTree(fingerprints).query_pairs(tolerance, p=np.inf, output_type="ndarray")
    return [(int(first), int(second)) for first, second in pairs]


def _distances(doc: DensityDoc) -> NDArray[np.float64]:
    """Return the distances between atoms, sorted within each pair of elements."""
    numbers, positions = np.asarray(doc.numbers), np.asarray(doc.positions, dtype=float)
    first, second = np.triu_indices(len(numbers), k=1)
    distances = np.linalg.norm(positions[first] - positions[second], axis=-1)
    low, high = (
        np.minimum(numbers[first], numbers[second]),
        np.maximum(numbers[first], numbers[second]),
    )
    # One atom has no distance; KDTree needs a column all the same.
    return np.append(distances[np.lexsort((distances, high, low))], 0.0)


def _crystals(docs: Sequence[DensityDoc], tolerance: float) -> Iterator[tuple[int, int]]:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    structures = [_crystal(doc) for doc in docs]
    leaders: list[int] = []
    for index, structure in enumerate(structures):
        # The matcher measures displacements in units of the cube root of the volume per atom.
        length = (structure.volume / len(structure)) ** (1 / 3)
        matcher = StructureMatcher(
            ltol=_LENGTH_TOLERANCE,
            stol=tolerance / length,
            angle_tol=_ANGLE_TOLERANCE,
            primitive_cell=True,
            scale=False,
        )
        for leader in leaders:
            if matcher.fit(structures[leader], structure):
                yield leader, index
                break
        else:
            leaders.append(index)


def _crystal(doc: DensityDoc) -> Structure:
    numbers, positions = np.asarray(doc.numbers), np.asarray(doc.positions)
    return cast(
        "Structure", structure_from_arrays(numbers, positions, np.asarray(doc.cell), (True,) * 3)
    )
