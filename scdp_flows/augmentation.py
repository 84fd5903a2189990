"""Hold the PAW occupancies that VASP writes after each grid of a density.

A plane-wave grid holds only the smooth part of a projector-augmented-wave density; a restart also
needs the on-site occupancies of every atom, and for two spins the record of atomic moments that
VASP writes between the grids.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.errors import DensityError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Augmentation"]


def _none() -> NDArray[np.float64]:
    """Return no numbers."""
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class Augmentation:
    """Hold what stands after one grid: one record of occupancies per atom, and moments.

    Raises
    ------
    DensityError
        If the arrays do not fit together or hold numbers that are not finite.

    Examples
    --------
    >>> Augmentation.from_records([[0.5, 0.25], [1.0]]).record(0).tolist()
    [0.5, 0.25]
    """

    atoms: NDArray[np.int64]
    """The atom of each record (n_records,), from 0."""
    counts: NDArray[np.int64]
    """How many occupancies each record holds (n_records,)."""
    occupancies: NDArray[np.float64]
    """All records one after the other (counts.sum(),), in VASP's order of projectors."""
    imaginary: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    """Whether a record is the imaginary part of its atom's (n_records,); empty: none is."""
    moments: NDArray[np.float64] = field(default_factory=_none)
    """What stands between these occupancies and the next grid: one moment (µB) per atom, or
    three; empty if there is no such record."""

    def __post_init__(self) -> None:
        """Convert and check the arrays."""
        types = {"atoms": np.int64, "counts": np.int64, "imaginary": np.bool_}
        for name in (each.name for each in fields(self)):
            dtype = types.get(name, np.float64)
            array: NDArray[Any] = np.array(getattr(self, name), dtype=dtype).reshape(-1)
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if len(self.imaginary) == 0:
            object.__setattr__(self, "imaginary", np.zeros(len(self.atoms), dtype=np.bool_))
        if not len(self.atoms) == len(self.counts) == len(self.imaginary):
            raise DensityError(
                f"{len(self.atoms)} atoms, {len(self.counts)} counts and {len(self.imaginary)} "
                "marks of occupancies; expected as many of each"
            )
        if (self.atoms < 0).any() or (self.counts < 0).any():
            raise DensityError("atoms and counts of occupancies must not be negative")
        if int(self.counts.sum()) != len(self.occupancies):
            raise DensityError(
                f"{len(self.occupancies)} occupancies; the counts announce {self.counts.sum()}"
            )
        if not (np.isfinite(self.occupancies).all() and np.isfinite(self.moments).all()):
            raise DensityError("occupancies or moments are not finite; repeat the calculation")

    @classmethod
    def from_records(
        cls, records: Iterable[ArrayLike], moments: ArrayLike | None = None
    ) -> Augmentation:
        """Gather one record per atom, in the order of the atoms."""
        arrays = [np.asarray(record, dtype=np.float64).reshape(-1) for record in records]
        return cls(
            np.arange(len(arrays)),
            np.array([len(array) for array in arrays], dtype=np.int64),
            np.concatenate([_none(), *arrays]),
            moments=_none() if moments is None else np.asarray(moments, dtype=np.float64),
        )

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.atoms)

    def record(self, index: int) -> NDArray[np.float64]:
        """Return the occupancies of one record."""
        end = int(self.counts[: index + 1].sum())
        return self.occupancies[end - int(self.counts[index]) : end]

    def to_arrays(self, prefix: str = "") -> dict[str, NDArray[Any]]:
        """Return the arrays by name, for storage; names begin with ``prefix``."""
        return {prefix + each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], prefix: str = "") -> Augmentation:
        """Rebuild what ``to_arrays`` returned.

        Raises
        ------
        DensityError
            If an array is missing or impossible.
        """
        try:
            return cls(**{each.name: arrays[prefix + each.name] for each in fields(cls)})
        except KeyError as error:
            raise DensityError(
                f"the array {error} of PAW occupancies is missing among {sorted(arrays)}"
            ) from error
