"""Divide structures into batches that fit into the documents of workflow engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scdp_flows.io.structures import AtomicStructure

__all__ = ["MOST_ATOMS", "structure_batches"]

MOST_ATOMS = 20_000
"""Most atoms of a batch of several structures: an atom takes about 200 bytes in a job, and the
documents of MongoDB end at 16 MB."""


def structure_batches(
    structures: Sequence[AtomicStructure], size: int
) -> Iterator[list[AtomicStructure]]:
    """Yield consecutive batches of at most so many structures, and of bounded size.

    Parameters
    ----------
    structures
        What to divide.
    size
        Most structures of a batch.
    """
    batch: list[AtomicStructure] = []
    n_atoms = 0
    for structure in structures:
        if batch and (len(batch) >= size or n_atoms + len(structure) > MOST_ATOMS):
            yield batch
            batch, n_atoms = [], 0
        batch.append(structure)
        n_atoms += len(structure)
    if batch:
        yield batch
