"""Say what a predictor offers, and check that one keeps its promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np

from scdp_flows.errors import ModelError, SettingsError, StructureError
from scdp_flows.io.structure_arrays import multiplicity
from scdp_flows.io.structures import (
    as_arrays,
    check_closed_shell,
    check_structure,
    structure_from_arrays,
    total_charge,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.kind import DensityKind
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.density.orbital import OrbitalDensity

__all__ = [
    "Predicted",
    "Predictor",
    "as_predictors",
    "check_predictable",
    "electronic_state",
    "validate_predictor",
]

# A rotation without symmetry and a shift, for the checks of validate_predictor.
_AXIS, _ANGLE = np.array([1.0, 2.0, -1.5]), 0.7
_SHIFT = np.array([0.3, -1.1, 0.8])
_PROBES = np.array([[0.4, 0.1, -0.2], [-0.3, 0.5, 0.3], [0.1, -0.6, 0.5]])
_BOHR_RADII = (0.6, 1.5)


class Predicted(NamedTuple):
    """A predicted density and what is known about its making."""

    density: OrbitalDensity
    """The total density."""
    excess_electrons: float
    """Electrons by which the raw prediction was off before it was corrected, e."""
    seconds: float
    """Elapsed time of this prediction, its share of a batch, s."""
    uncertainty_ha_per_atom: float | None = None
    """How far the models of an ensemble disagree: mean Coulomb distance of their densities over the
    number of atoms, Ha; None where nobody knows."""
    spin_density: OrbitalDensity | None = None
    """Spin up less spin down; None where it is not predicted."""


@runtime_checkable
class Predictor(Protocol):
    """What predicts total densities, of neutral closed shells at least.

    A predictor is a frozen dataclass that is ``MSONable`` and whose fields are JSON scalars, so
    that it travels inside jobs. Its fields may be references to outputs of jobs until it runs.
    """

    @property
    def name(self) -> str:
        """Name in documents and tables, such as ``"scdp"``."""
        ...

    def kind(self) -> DensityKind | None:
        """Return which density it predicts; None if any."""
        ...

    def model_id(self) -> str | None:
        """Return the sha256 of the model behind it; None if there is none."""
        ...

    def atoms(self) -> AtomicReference | None:
        """Return the neutral atoms of its kind; None if they are not known."""
        ...

    def predict(self, structure: AtomicStructure) -> OrbitalDensity:
        """Return the total density of a structure.

        Raises
        ------
        StructureError
            If the structure is malformed, or charged or an open shell without its knowing those.
        ModelError
            If the model cannot be loaded or does not know an element.
        """
        ...

    def predict_many(self, structures: Iterable[AtomicStructure]) -> Iterator[Predicted]:
        """Yield a prediction for each structure, in order; few are in memory at a time."""
        ...


def as_predictors(predictors: Predictor | Iterable[Predictor]) -> list[Predictor]:
    """Return one or several predictors as a list.

    Raises
    ------
    SettingsError
        If two have the same name.
    """
    chosen = [predictors] if isinstance(predictors, Predictor) else list(predictors)
    names = [predictor.name for predictor in chosen]
    if len(set(names)) != len(names):
        raise SettingsError(
            f"the predictors are named {names}; give each a name of its own by its field name"
        )
    return chosen


def check_predictable(
    structure: AtomicStructure, *, charged: bool = False, open_shells: bool = False
) -> None:
    """Refuse structures whose density a predictor does not stand for.

    Parameters
    ----------
    structure
        The structure.
    charged, open_shells
        Whether the predictor knows ions, and structures with unpaired electrons.

    Raises
    ------
    StructureError
        If the structure is malformed, or is charged or has an open shell against these.
    """
    check_structure(structure)
    charge = total_charge(structure)
    if charge and not charged:
        raise StructureError(
            f"{structure.formula} has charge {charge}; this predictor knows neutral closed-shell "
            "structures only: use a model trained with charge_input, or compute this one with a "
            "DFT code"
        )
    if not open_shells and not any(as_arrays(structure)[3]):
        check_closed_shell(structure)


def electronic_state(structure: AtomicStructure) -> tuple[int, int]:
    """Return the charge (e) and the number of unpaired electrons; crystals have none of these."""
    return total_charge(structure), multiplicity(structure, default=1) - 1


def validate_predictor(
    predictor: Predictor,
    structure: AtomicStructure,
    *,
    n_electrons: float,
    tolerance: float = 1e-5,
) -> None:
    """Check that a predictor counts electrons and moves with a molecule.

    Parameters
    ----------
    predictor
        What to check.
    structure
        A molecule that it knows.
    n_electrons
        Electrons that its density must hold.
    tolerance
        Largest error of the count (electrons) and of the density of the rotated, reflected or
        translated molecule (e/Å^3).

    Raises
    ------
    ModelError
        If a check fails; the message says which and by how much.
    """
    from scdp_models.density.evaluate import evaluate_at_points

    density = predictor.predict(structure)
    wrong = abs(density.n_electrons() - n_electrons)
    if wrong > tolerance:
        raise ModelError(
            f"predictor {predictor.name!r} gives {density.n_electrons():.8f} electrons for "
            f"{structure.formula}, expected {n_electrons:g} within {tolerance:g}; switch on its "
            "charge projection"
        )
    points = _probes(density.positions)
    expected = evaluate_at_points(density, points)
    for what, matrix in (("rotated", _rotation()), ("reflected", np.diag([1.0, 1.0, -1.0]))):
        moved = _moved(structure, matrix)
        found = evaluate_at_points(predictor.predict(moved), points @ matrix.T + _SHIFT)
        error = float(np.abs(found - expected).max())
        if error > tolerance:
            raise ModelError(
                f"predictor {predictor.name!r} does not move with {structure.formula}: {what} and "
                f"translated, its density changes by {error:.2e} e/Å^3 at a point, expected at "
                f"most {tolerance:g}; use an equivariant model"
            )


def _probes(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Place points near each centre, shape ``(n_points, 3)``, Å."""
    offsets = np.concatenate([radius * _PROBES for radius in _BOHR_RADII])
    return np.asarray((centres[:, None] + offsets).reshape(-1, 3))


def _rotation() -> NDArray[np.float64]:
    """Return a rotation matrix by Rodrigues' formula."""
    x, y, z = _AXIS / np.linalg.norm(_AXIS)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(_ANGLE) * cross + (1 - np.cos(_ANGLE)) * cross @ cross)


def _moved(structure: AtomicStructure, matrix: NDArray[np.float64]) -> AtomicStructure:
    numbers, positions, cell, pbc = as_arrays(structure)
    turned = None if cell is None else cell @ matrix.T
    return structure_from_arrays(numbers, positions @ matrix.T + _SHIFT, turned, pbc)
