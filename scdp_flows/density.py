"""Hold charge densities as values: on grids, on quadrature points, and what kind they are of.

Positions and cells are in Å, densities in e/Å^3. Electrons count positive. The grid densities of
projector-augmented-wave codes are pseudo-densities and may be negative near nuclei.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from scdp_flows.augmentation import Augmentation
from scdp_flows.errors import DensityError
from scdp_flows.kind import DensityKind, KindWarning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Augmentation", "ChargeDensity", "DensityKind", "KindWarning", "PointDensity"]

_HEAVIEST_ELEMENT = 118

_ARRAYS = ("values", "cell", "origin", "numbers", "positions")
_PREFIX = "augmentation_"
_AUGMENTATION = _PREFIX + "{}_"


@dataclass(frozen=True, eq=False)
class ChargeDensity:
    """Hold a density on a uniform grid.

    Voxel ``(i, j, k)`` sits at ``origin + (i / n1, j / n2, k / n3) @ cell``. Arrays are read-only
    views of what was given; two densities are equal only if they are the same object.

    Raises
    ------
    DensityError
        If a shape is wrong, a value is not finite, the cell is flat or there are no atoms.

    Examples
    --------
    >>> density = ChargeDensity(np.ones((4, 4, 4)), 2 * np.eye(3), np.zeros(3), [1], [[0, 0, 0]])
    >>> round(density.integral(), 10)
    8.0
    """

    values: NDArray[np.floating]
    """Density (n1, n2, n3), e/Å^3."""
    cell: NDArray[np.float64]
    """Edges of the grid as rows (3, 3), Å."""
    origin: NDArray[np.float64]
    """Position of voxel (0, 0, 0), (3,), Å."""
    numbers: NDArray[np.int64]
    """Atomic numbers (n_atoms,)."""
    positions: NDArray[np.float64]
    """Nuclei (n_atoms, 3) in Å, in the frame of origin and cell."""
    pbc: tuple[bool, bool, bool] = (False, False, False)
    """Whether the grid repeats along each edge."""
    magnetization: NDArray[np.floating] | None = None
    """Up minus down density (n1, n2, n3), e/Å^3; None if not collinear and spin-polarised."""
    kind: DensityKind | None = None
    """Which quantity this is; None if unknown."""
    augmentation: tuple[Augmentation, ...] | None = None
    """PAW occupancies that belong to each grid: total and magnetisation, or total, x, y and z."""
    magnetization_vector: NDArray[np.floating] | None = None
    """Magnetisation density (3, n1, n2, n3), e/Å^3, of a non-collinear density, else None."""

    def __post_init__(self) -> None:
        """Convert and check the arrays."""
        _set(self, "values", _grid(self.values, "values"))
        _set(self, "cell", _array(self.cell, (3, 3), "cell"))
        _set(self, "origin", _array(self.origin, (3,), "origin"))
        _set_atoms(self, self.numbers, self.positions)
        if len(self.pbc) != 3:
            raise DensityError(f"pbc {self.pbc!r} does not hold three logical values")
        _set(self, "pbc", tuple(bool(flag) for flag in self.pbc))
        with np.errstate(all="ignore"):
            volume = abs(np.linalg.det(self.cell))
        if not 0 < volume < np.inf:
            raise DensityError(f"the cell {self.cell.tolist()} of a density has no volume")
        if self.magnetization is not None:
            _set(self, "magnetization", _grid(self.magnetization, "magnetization"))
            _check_same("magnetization", self.magnetization.shape, self.values.shape)
        if self.magnetization_vector is not None:
            self._check_magnetization_vector(self.magnetization_vector)

    def _check_magnetization_vector(self, given: NDArray[np.floating]) -> None:
        """Check and set the magnetisation of a non-collinear density."""
        if self.magnetization is not None:
            raise DensityError("a density is collinear or not; give one kind of magnetisation")
        vector = np.asarray(given)
        _check_same("magnetization_vector", vector.shape, (3, *self.shape))
        _set(self, "magnetization_vector", _finite(vector, "magnetization_vector"))

    @property
    def shape(self) -> tuple[int, int, int]:
        """The number of voxels along each edge."""
        n1, n2, n3 = self.values.shape
        return n1, n2, n3

    @property
    def volume(self) -> float:
        """The volume of the grid in Å^3."""
        return float(abs(np.linalg.det(self.cell)))

    @property
    def voxel_volume(self) -> float:
        """The volume of one voxel in Å^3."""
        return self.volume / self.values.size

    @property
    def spacing(self) -> NDArray[np.float64]:
        """The distance of neighbouring voxels along each edge, (3,), Å."""
        lengths: NDArray[np.float64] = np.linalg.norm(self.cell, axis=1)
        return lengths / self.shape

    def integral(self) -> float:
        """Return the number of electrons: the sum over voxels times their volume."""
        return float(self.values.sum(dtype=np.float64)) * self.voxel_volume

    def coordinates(self) -> NDArray[np.float64]:
        """Return the positions of all voxels, (n1, n2, n3, 3), Å."""
        axes = [np.arange(n) / n for n in self.shape]
        fractional = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        positions: NDArray[np.float64] = fractional @ self.cell + self.origin
        return positions

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything but the kind as arrays, for storage in a blob."""
        arrays: dict[str, NDArray[Any]] = {
            name: getattr(self, name)
            for name in (*_ARRAYS, "magnetization", "magnetization_vector")
            if getattr(self, name) is not None
        }
        arrays["pbc"] = np.array(self.pbc)
        for channel, augmentation in enumerate(self.augmentation or ()):
            arrays.update(augmentation.to_arrays(_AUGMENTATION.format(channel)))
        return arrays

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], *, kind: DensityKind | None = None
    ) -> ChargeDensity:
        """Rebuild a density from what ``to_arrays`` returned.

        Raises
        ------
        DensityError
            If arrays are missing or impossible.
        """
        channels = {name.partition("_")[2][:2] for name in arrays if name.startswith(_PREFIX)}
        augmentation = tuple(
            Augmentation.from_arrays(arrays, _PREFIX + channel) for channel in sorted(channels)
        )
        try:
            required: dict[str, Any] = {name: arrays[name] for name in (*_ARRAYS, "pbc")}
            return cls(
                **required,
                magnetization=arrays.get("magnetization"),
                kind=kind,
                augmentation=augmentation or None,
                magnetization_vector=arrays.get("magnetization_vector"),
            )
        except KeyError as error:
            raise DensityError(
                f"the array {error} of a density is missing among {sorted(arrays)}"
            ) from error

    def nmae(self, reference: ChargeDensity) -> float:
        """Return the normalised mean absolute error against a reference, in percent.

        The convention of the literature: ``100 * sum|a - b| / sum|b|`` over the voxels.

        Raises
        ------
        DensityError
            If the two do not share one grid, or the reference is zero.
        """
        _check_same("shape", self.shape, reference.shape)
        if not np.allclose(self.cell, reference.cell, rtol=0, atol=1e-4):
            raise DensityError(
                f"cells {self.cell.tolist()} and {reference.cell.tolist()} differ; densities are "
                "compared on one grid only"
            )
        norm = float(np.abs(reference.values).sum(dtype=np.float64))
        if norm == 0:
            raise DensityError("the reference density is zero everywhere; no relative error exists")
        difference = np.abs(self.values - reference.values).sum(dtype=np.float64)
        return 100 * float(difference) / norm


@dataclass(frozen=True, eq=False)
class PointDensity:
    """Hold a density on the points of a quadrature, such as the atom-centred grids of DFT codes.

    All-electron densities need it: no uniform grid holds their cores.

    Raises
    ------
    DensityError
        If a shape is wrong or a value is not finite.

    Examples
    --------
    >>> PointDensity([[0, 0, 0]], [0.5], [2.0], [1], [[0, 0, 0]]).integral()
    1.0
    """

    points: NDArray[np.float64]
    """Quadrature points (n_points, 3), Å."""
    weights: NDArray[np.float64]
    """Their weights (n_points,), Å^3."""
    values: NDArray[np.float64]
    """Density at the points (n_points,), e/Å^3."""
    numbers: NDArray[np.int64]
    """Atomic numbers (n_atoms,)."""
    positions: NDArray[np.float64]
    """Nuclei (n_atoms, 3), Å."""
    kind: DensityKind | None = None
    """Which quantity this is; None if unknown."""

    def __post_init__(self) -> None:
        """Convert and check the arrays."""
        points = _array(self.points, (None, 3), "points")
        _set(self, "points", points)
        _set(self, "weights", _array(self.weights, (len(points),), "weights"))
        _set(self, "values", _array(self.values, (len(points),), "values"))
        _set_atoms(self, self.numbers, self.positions)

    def integral(self) -> float:
        """Return the number of electrons: the weighted sum over the points."""
        return float(self.weights @ self.values)

    def nmae(self, reference: PointDensity) -> float:
        """Return the normalised mean absolute error against a reference, in percent.

        Computed as ``100 * sum w|a - b| / sum w|b|`` with the weights of the reference.

        Raises
        ------
        DensityError
            If the two do not share their points, or the reference is zero.
        """
        _check_same("number of points", self.points.shape, reference.points.shape)
        if not np.allclose(self.points, reference.points, rtol=0, atol=1e-6):
            raise DensityError("the quadrature points differ; densities are compared on one set")
        norm = float(reference.weights @ np.abs(reference.values))
        if norm == 0:
            raise DensityError("the reference density is zero everywhere; no relative error exists")
        return 100 * float(reference.weights @ np.abs(self.values - reference.values)) / norm


_Real = TypeVar("_Real", bound=np.generic)


def _set(instance: object, name: str, value: object) -> None:
    """Set a field of a frozen dataclass while it is being made."""
    object.__setattr__(instance, name, value)


def _set_atoms(instance: object, numbers: ArrayLike, positions: ArrayLike) -> None:
    """Check and set atomic numbers and positions."""
    checked = np.asarray(numbers)
    if checked.ndim != 1 or checked.size == 0:
        raise DensityError(f"numbers have the shape {checked.shape}; expected one or more atoms")
    if not np.issubdtype(checked.dtype, np.integer):
        raise DensityError(f"numbers are of type {checked.dtype}; expected whole atomic numbers")
    if checked.min() < 1 or checked.max() > _HEAVIEST_ELEMENT:
        raise DensityError(f"{checked.tolist()} are not atomic numbers; expected 1 to 118")
    _set(instance, "numbers", _read_only(checked.astype(np.int64)))
    _set(instance, "positions", _array(positions, (checked.size, 3), "positions"))


def _grid(values: ArrayLike, name: str) -> NDArray[np.floating]:
    """Check a grid of three dimensions; single precision stays single."""
    array = np.asarray(values)
    if not np.issubdtype(array.dtype, np.floating):
        array = _numeric(values, name)
    if array.ndim != 3 or array.size == 0:
        raise DensityError(f"{name} have the shape {array.shape}; expected (n1, n2, n3)")
    return _finite(array, name)


def _array(values: ArrayLike, shape: tuple[int | None, ...], name: str) -> NDArray[np.float64]:
    """Check an array of known shape, in which None stands for any length."""
    array = _numeric(values, name)
    expected = tuple(
        found if wanted is None else wanted
        for wanted, found in zip(shape, array.shape, strict=False)
    )
    if array.shape != expected or array.ndim != len(shape):
        raise DensityError(f"{name} has the shape {array.shape}; expected {shape}")
    return _finite(array, name)


def _numeric(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Convert to double precision."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DensityError(f"{name} does not hold real numbers ({error})") from error


def _finite(array: NDArray[_Real], name: str) -> NDArray[_Real]:
    """Refuse NaN and infinity, naming the first place."""
    # One pass without a temporary array: the sum is finite unless a value is not, or it overflows.
    with np.errstate(invalid="ignore", over="ignore"):
        total = float(np.sum(array, dtype=np.float64))
    if not math.isfinite(total):
        finite = np.isfinite(array)
        if not finite.all():
            place = tuple(int(i) for i in np.unravel_index(np.argmin(finite), array.shape))
            raise DensityError(
                f"{name} holds {array[place]} at index {place} and {(~finite).sum() - 1} more "
                "values that are not finite; repeat the calculation or drop the density"
            )
    return _read_only(array)


def _read_only(array: NDArray[_Real]) -> NDArray[_Real]:
    """Return a view that cannot be written through."""
    view = array.view()
    view.flags.writeable = False
    return view


def _check_same(name: str, found: object, expected: object) -> None:
    """Refuse a difference of shapes."""
    if found != expected:
        raise DensityError(f"{name} {found} differs from {expected}; densities share one grid")
