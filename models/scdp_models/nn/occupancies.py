"""Predict the on-site occupancies of a projector-augmented-wave atom from its surroundings.

The occupancies of an atom are blocks of 2 L + 1 numbers, one block per pair of projector channels
and L: irreducible representations of the rotations. Each is a linear function of the features of
the same degree, so that the prediction turns with the crystal exactly. Tens of atoms are enough to
fit it; where there are too few, or the surroundings are like none of them, what is left is the mean
of the scalars.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scdp_models.errors import CheckpointError, TrainingError
from scdp_models.nn.environment import Reach, equivariant_features, neighbour_moments

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from e3nn.o3 import Irreps
    from numpy.typing import NDArray

__all__ = ["Example", "OccupancyHead", "Prediction", "fit_head", "irreps"]

_RIDGES = tuple(10.0**power for power in range(-8, 1))
_FOLDS = 6
_LEAST_SPREAD = 0.01
_SMALLEST = 1e-12
_TRUST = 3.0
"""How many times farther from the mean than the farthest known atom surroundings may be."""


class Example(NamedTuple):
    """Atoms of one kind in one crystal, and their occupancies."""

    numbers: NDArray[np.int64]
    """Atomic numbers of all atoms (n_atoms,)."""
    positions: NDArray[np.float64]
    """All positions (n_atoms, 3), Å."""
    cell: NDArray[np.float64]
    """Cell vectors as rows (3, 3), Å."""
    atoms: NDArray[np.int64]
    """The atoms of the kind (n_chosen,)."""
    values: NDArray[np.float64]
    """Their occupancies (n_chosen, n_numbers)."""


class Prediction(NamedTuple):
    """Predicted occupancies."""

    values: NDArray[np.float64]
    """Occupancies (n_chosen, n_numbers)."""
    known: NDArray[np.bool_]
    """Whether the surroundings are like those learned from (n_chosen,); others have the mean."""


def irreps(degrees: Sequence[int]) -> Irreps:
    """Return the representations of a record of occupancies in e3nn's notation.

    The order of components is m = -L..L about the z axis; that is e3nn's own order if its three
    coordinates are taken to be y, z, x.

    Examples
    --------
    >>> irreps([0, 1, 0, 2])
    1x0e+1x1o+1x0e+1x2e
    """
    from e3nn.o3 import Irreps

    return Irreps([(1, (degree, (-1) ** degree)) for degree in degrees])


@dataclass(frozen=True)
class OccupancyHead:
    """Hold what was learned about one kind of atom."""

    degrees: tuple[int, ...]
    """L of each block, in the order of the record."""
    elements: tuple[int, ...]
    """Atomic numbers of the neighbours that occurred."""
    mean: NDArray[np.float64]
    """Mean occupancies (n_numbers,), zero but for L = 0."""
    centre: NDArray[np.float64]
    """Mean of the scalar features (n_features,)."""
    scale: NDArray[np.float64]
    """What makes the scalar features comparable (n_features,)."""
    radius: float
    """Distance of the farthest atom from the centre, scaled; zero if all are alike."""
    weights: Mapping[int, NDArray[np.float64]]
    """For each L the weights (n_features, n_blocks); degrees that could not be learned lack."""
    scores: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    """For each L the error of crystals left out, and that of the mean (root mean square)."""
    reach: Reach = field(default_factory=Reach)
    """How far neighbours are seen."""

    def predict(
        self,
        numbers: NDArray[np.int64],
        positions: NDArray[np.float64],
        cell: NDArray[np.float64],
        atoms: NDArray[np.int64],
    ) -> Prediction:
        """Predict the occupancies of some atoms of a crystal.

        Parameters
        ----------
        numbers, positions, cell
            The crystal: (n_atoms,), (n_atoms, 3) and (3, 3), Å.
        atoms
            Which of its atoms are of this kind (n_chosen,).
        """
        # Neighbours that were never seen are seen here, so that they are noticed.
        others = tuple(sorted(set(numbers.tolist()) - set(self.elements)))
        moments = neighbour_moments(numbers, positions, cell, (*self.elements, *others), self.reach)
        n_seen = len(self.elements) * self.reach.n_radial
        foreign = np.abs(moments[0][atoms, n_seen:]).max(axis=(1, 2), initial=0.0) > 1e-6
        moments = [moment[atoms, :n_seen] for moment in moments]
        scalars = equivariant_features(moments, 0)[..., 0] - self.centre
        far = np.linalg.norm(scalars * self.scale, axis=1) > max(_TRUST * self.radius, 1)
        known = ~(foreign | far)
        values = np.tile(self.mean, (len(atoms), 1))
        for degree, weights in self.weights.items():
            features = scalars[..., None] if degree == 0 else equivariant_features(moments, degree)
            found = np.einsum("ifm,fb->ibm", features, weights, optimize=True)
            for block, start in enumerate(_starts(self.degrees, degree)):
                values[:, start : start + 2 * degree + 1] += found[:, block] * known[:, None]
        return Prediction(values, known)

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the arrays by name; the rest is in :meth:`header`."""
        weights = {f"weights.{degree}": array for degree, array in self.weights.items()}
        return {"mean": self.mean, "centre": self.centre, "scale": self.scale, **weights}

    def header(self) -> dict[str, Any]:
        """Return what is not an array, as JSON."""
        return {
            "degrees": list(self.degrees),
            "elements": list(self.elements),
            "radius": self.radius,
            "scores": {str(degree): list(pair) for degree, pair in self.scores.items()},
            "reach": [self.reach.cutoff_ang, self.reach.n_radial, self.reach.first_ang],
        }

    @classmethod
    def from_parts(
        cls, header: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float64]]
    ) -> OccupancyHead:
        """Rebuild a head from what :meth:`header` and :meth:`to_arrays` gave.

        Raises
        ------
        CheckpointError
            If something is missing or does not fit together.
        """
        try:
            prefix = "weights."
            names = [name for name in arrays if name.startswith(prefix)]
            cutoff, count, first = header["reach"]
            head = cls(
                degrees=tuple(int(degree) for degree in header["degrees"]),
                elements=tuple(int(number) for number in header["elements"]),
                mean=arrays["mean"],
                centre=arrays["centre"],
                scale=arrays["scale"],
                radius=float(header["radius"]),
                weights={int(name.removeprefix(prefix)): arrays[name] for name in sorted(names)},
                scores={int(k): (float(a), float(b)) for k, (a, b) in header["scores"].items()},
                reach=Reach(float(cutoff), int(count), float(first)),
            )
        except (KeyError, TypeError, ValueError) as error:
            msg = f"this is no model of occupancies ({error!r}); train it again"
            raise CheckpointError(msg) from error
        if len(head.mean) != sum(2 * degree + 1 for degree in head.degrees):
            msg = f"{len(head.mean)} mean occupancies for the blocks {head.degrees}; train it again"
            raise CheckpointError(msg)
        return head


def fit_head(
    examples: Sequence[Example], degrees: Sequence[int], *, reach: Reach | None = None
) -> OccupancyHead:
    """Learn the occupancies of one kind of atom.

    Ridge regression, each degree for itself. Its strength is the one that serves crystals best
    that were left out; the mean is among the choices, and the only one for a single crystal.

    Parameters
    ----------
    examples
        At least one crystal with an atom of the kind.
    degrees
        L of each block.
    reach
        How far neighbours are seen.

    Raises
    ------
    TrainingError
        If there are no atoms, or their occupancies do not fit the blocks.
    """
    reach = reach or Reach()
    n_numbers = _checked(examples, degrees)
    elements = tuple(sorted({int(number) for each in examples for number in each.numbers}))
    moments = _moments(examples, elements, reach)
    values = np.concatenate([example.values for example in examples])
    groups = np.repeat(np.arange(len(examples)), [len(example.atoms) for example in examples])
    scalars = equivariant_features(moments, 0)[..., 0]
    centre = scalars.mean(axis=0)
    n_first = moments[0].shape[1]
    scale = _scale((scalars - centre)[..., None], n_first)
    # Where all atoms are alike, a hundredth of what they have counts as a difference.
    scale = np.minimum(scale, _scale(scalars[..., None], n_first) / _LEAST_SPREAD)
    mean = np.zeros(n_numbers)
    starts = _starts(degrees, 0)
    mean[starts] = values[:, starts].mean(axis=0)
    weights, scores = {}, {}
    for degree in sorted(set(degrees)):
        places = np.add.outer(_starts(degrees, degree), np.arange(2 * degree + 1))
        targets = (values - mean)[:, places].transpose(0, 2, 1)
        if degree == 0:
            features, sizes = (scalars - centre)[..., None], scale
        else:
            features = equivariant_features(moments, degree)
            sizes = _scale(features, moments[degree].shape[1] if degree < len(moments) else 0)
        chosen = _choose(features * sizes[:, None], targets, groups)
        scores[degree] = chosen.errors
        if chosen.weights is not None:
            weights[degree] = chosen.weights * sizes[:, None]
    return OccupancyHead(
        degrees=tuple(degrees),
        elements=elements,
        mean=mean,
        centre=centre,
        scale=scale,
        radius=float(np.linalg.norm((scalars - centre) * scale, axis=1).max()),
        weights=weights,
        scores=scores,
        reach=reach,
    )


def _checked(examples: Sequence[Example], degrees: Sequence[int]) -> int:
    """Return the length of a record that all examples have."""
    length = sum(2 * degree + 1 for degree in degrees)
    wrong = [each.values.shape for each in examples if each.values.shape[1:] != (length,)]
    if wrong or not sum(len(each.atoms) for each in examples):
        msg = f"occupancies of the shapes {wrong or 'none'}; expected {length} for each atom"
        raise TrainingError(msg)
    return length


def _moments(
    examples: Sequence[Example], elements: tuple[int, ...], reach: Reach
) -> list[NDArray[np.float64]]:
    """Return the moments around all atoms that are learned from, one array per degree."""
    rows = [
        [
            moment[example.atoms]
            for moment in neighbour_moments(
                example.numbers, example.positions, example.cell, elements, reach
            )
        ]
        for example in examples
    ]
    return [np.concatenate(parts) for parts in zip(*rows, strict=True)]


def _starts(degrees: Sequence[int], degree: int) -> NDArray[np.int64]:
    """Return where the blocks of one degree begin in a record."""
    ends = np.cumsum([2 * each + 1 for each in degrees])
    return np.array(
        [end - 2 * degree - 1 for end, each in zip(ends, degrees, strict=True) if each == degree],
        dtype=np.int64,
    )


def _scale(features: NDArray[np.float64], n_first: int) -> NDArray[np.float64]:
    """Give moments and products the same mean square, all moments together."""
    sizes = np.zeros(features.shape[1])
    for part in (slice(0, n_first), slice(n_first, None)):
        squares = float((features[:, part] ** 2).sum(axis=(1, 2)).mean())
        sizes[part] = 1 / np.sqrt(max(squares, _SMALLEST))
    return sizes


class _Choice(NamedTuple):
    """Weights, None for those of the mean, and the errors of crystals left out."""

    weights: NDArray[np.float64] | None
    errors: tuple[float, float]


def _choose(
    features: NDArray[np.float64], targets: NDArray[np.float64], groups: NDArray[np.int64]
) -> _Choice:
    """Find the ridge that serves crystals best that were left out, and fit all with it.

    Parameters
    ----------
    features
        (n_atoms, n_features, 2 L + 1).
    targets
        (n_atoms, 2 L + 1, n_blocks).
    groups
        Crystal of each atom (n_atoms,).
    """
    n_groups = int(groups.max()) + 1
    size = np.sqrt((targets**2).mean(axis=(0, 1)))
    scaled = targets / np.where(size > 1e-9, size, 1.0)
    if n_groups < 2:
        return _Choice(None, (0.0, 0.0))
    missed = _left_out(features, scaled, groups)
    squares = (missed**2).sum(axis=(1, 2, 3))
    errors = np.sqrt(((missed * size) ** 2).mean(axis=(1, 2, 3)))
    best = int(np.argmin(squares))
    # The last is the mean, which wins where nothing can be learned.
    if best == len(_RIDGES) or squares[-1] - squares[best] < 1e-12 * scaled.size:
        return _Choice(None, (float(errors[-1]), float(errors[-1])))
    (weights,) = _ridges(features, scaled, (_RIDGES[best],))
    return _Choice(weights * size, (float(errors[best]), float(errors[-1])))


def _left_out(
    features: NDArray[np.float64], targets: NDArray[np.float64], groups: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return what is missed of crystals left out, (n_ridges + 1, n_atoms, 2 L + 1, n_blocks)."""
    missed = np.empty((len(_RIDGES) + 1, *targets.shape))
    n_folds = min(int(groups.max()) + 1, _FOLDS)
    is_scalar = features.shape[2] == 1
    for fold in range(n_folds):
        out = groups % n_folds == fold
        shift = targets[~out].mean(axis=0) if is_scalar else 0.0
        middle = features[~out].mean(axis=0) if is_scalar else 0.0
        rest = targets[out] - shift
        missed[-1, out] = rest
        for index, weights in enumerate(_ridges(features[~out] - middle, targets[~out] - shift)):
            found = np.einsum("ifm,fb->imb", features[out] - middle, weights, optimize=True)
            missed[index, out] = rest - found
    return missed


def _ridges(
    features: NDArray[np.float64],
    targets: NDArray[np.float64],
    ridges: Sequence[float] = _RIDGES,
) -> Iterator[NDArray[np.float64]]:
    """Yield the weights (n_features, n_blocks) for each ridge, relative to the mean square."""
    rows = features.transpose(0, 2, 1).reshape(-1, features.shape[1])
    wanted = targets.reshape(len(rows), -1)
    left, sizes, right = np.linalg.svd(rows, full_matrices=False)
    projected = left.T @ wanted
    unit = float((sizes**2).mean()) or 1.0
    for ridge in ridges:
        factors = sizes / (sizes**2 + ridge * unit)
        yield right.T @ (factors[:, None] * projected)
