"""What calculations along a path of geometries have in common, whatever the code."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from scdp_flows.dft.base import SpinDensities
from scdp_flows.errors import CalculationError, ScdpFlowsError, SettingsError, StructureError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from scdp_flows.dft.base import StartDensity
    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.kind import DensityKind
    from scdp_flows.predictors.base import Predictor
    from scdp_flows.schemas.relaxation import RelaxationStep

__all__ = ["ElectronicState", "PathCalculator", "PathCode", "predicted_start", "weights_to_one"]

_RIDGE = 1e-4
_SMALLEST = 1e-12
_NOT_WHOLE = 0.01
"""Electrons by which a sum over atoms may differ from a whole number."""


class ElectronicState(NamedTuple):
    """What an atoms object of ASE does not always say."""

    charge: int
    """Total charge, e."""
    spin_multiplicity: int | None
    """That of a molecule; None: the lowest."""


class PathCode(Protocol):
    """How the geometries of a path are computed."""

    @property
    def policy(self) -> str:
        """How starts are chosen."""
        ...

    @property
    def needs_predictor(self) -> bool:
        """Whether nothing can be started from without predictions."""
        ...

    def kind(self) -> DensityKind:
        """Return which density the settings produce."""
        ...


class PathCalculator(Calculator):
    """Give ASE energies (eV) and forces (eV/Å) along a path of geometries.

    The charge, of molecules the spin multiplicity too, are parameters of the calculator
    (``calculator.set(charge=1, spin_multiplicity=2)``). Where one is not set it is that of the
    atoms object: its attribute of the same name, which pymatgen sets on molecules; otherwise the
    sum of ASE's initial charges, or of its initial magnetic moments plus one. ``Atoms.copy`` drops
    the attributes: what goes on with a copy is refused instead of being taken for neutral.

    Parameters
    ----------
    code
        How to compute and how to start.
    predictor
        Predicts densities; None: nothing is predicted.

    Attributes
    ----------
    steps
        One record per geometry, in order.
    run
        The last calculation; None if it did not converge.

    Raises
    ------
    KindMismatchError
        If the predictor is of another kind.
    SettingsError
        If the policy needs a predictor that is not given.
    """

    implemented_properties = ["energy", "forces"]  # noqa: RUF012 - as ASE declares it
    discard_results_on_any_change = True

    def __init__(self, code: PathCode, predictor: Predictor | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if predictor is None and code.needs_predictor:
            raise SettingsError(
                f"start policy {code.policy!r} needs predictions and no predictor is given; give "
                "one, or choose a policy that starts from the geometry before"
            )
        kind = None if predictor is None else predictor.kind()
        if kind is not None:
            kind.check_compatible(code.kind())
        self.steps: list[RelaxationStep] = []
        self.run: Any = None
        uses = code.needs_predictor or code.policy == "auto"
        self._predictor = predictor if uses else None
        self._state = ElectronicState(0, None)
        self._by_attributes = False

    def set(self, **parameters: Any) -> dict[str, Any]:
        """Set charge or spin multiplicity, and drop the results if they change.

        Raises
        ------
        SettingsError
            For a name that does not exist.
        """
        unknown = set(parameters) - set(self.default_parameters)
        if unknown:
            raise SettingsError(
                f"{self.name} has no parameter {', '.join(sorted(unknown))}; expected "
                f"{', '.join(self.default_parameters)}"
            )
        changed: dict[str, Any] = super().set(**parameters)  # type: ignore[no-untyped-call]
        return changed

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """Return what has changed since the last calculation, charge and multiplicity included."""
        changes: list[str] = super().check_state(atoms, tol)  # type: ignore[no-untyped-call]
        same = self._state_of(atoms) == self._state
        return changes if changes or same else ["initial_charges"]

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Compute energy and forces of a geometry; called by ASE.

        Raises
        ------
        StructureError
            If the structure cannot be computed.
        CalculationError
            If it does not converge.
        """
        if atoms is not None:
            self._state = self._state_of(atoms)
            self._by_attributes = _attribute(atoms, "charge") is not None
        super().calculate(atoms, properties or ["energy"], system_changes)  # type: ignore[no-untyped-call]
        if system_changes or self.run is None:
            # Nobody may take the last geometry for this one if it fails.
            self.run, self.results = None, {}
            given: Any = self.atoms if atoms is None else atoms
            self._compute(given, self._state)

    @abstractmethod
    def _compute(self, atoms: Atoms, state: ElectronicState) -> None:
        """Converge a geometry: set the run, the results and a further step."""

    def _predict(
        self, structure: AtomicStructure, *, needs_spin: bool
    ) -> tuple[StartDensity | None, str | None]:
        """Return what is predicted, or why nothing is."""
        if self._predictor is None:
            return None, None
        try:
            return predicted_start(self._predictor, structure, needs_spin=needs_spin), None
        except CalculationError as error:
            return None, str(error)

    def _state_of(self, atoms: Atoms) -> ElectronicState:
        charge = self._given("charge", atoms)
        if charge is None:
            if self._by_attributes and self._state.charge and not atoms.has("initial_charges"):
                raise StructureError(
                    f"{atoms.get_chemical_formula()} has lost the charge {self._state.charge} that "
                    "the geometry before had: Atoms.copy drops the attribute; give the charge to "
                    "the calculator by set(charge=...)"
                )
            charge = atoms.get_initial_charges().sum()
        multiplicity = None
        if "spin_multiplicity" in self.default_parameters:
            multiplicity = self._given("spin_multiplicity", atoms)
            moment = abs(atoms.get_initial_magnetic_moments().sum())
            if multiplicity is None and moment > _NOT_WHOLE:
                multiplicity = moment + 1
        whole = [_whole(atoms, value) for value in (charge, multiplicity) if value is not None]
        return ElectronicState(whole[0], whole[1] if len(whole) > 1 else None)

    def _given(self, name: str, atoms: Atoms) -> float | None:
        """Return what calculator or atoms object say, who must not disagree."""
        own, attribute = self.parameters[name], _attribute(atoms, name)
        if own is not None and attribute is not None and own != attribute:
            raise StructureError(
                f"{atoms.get_chemical_formula()}: the calculator has {name} {own}, the atoms "
                f"object {attribute}; make them equal, or delete the attribute"
            )
        return attribute if own is None else float(own)


def _attribute(atoms: Atoms, name: str) -> float | None:
    value = getattr(atoms, name, None)
    return None if value is None else float(value)


def _whole(atoms: Atoms, value: float) -> int:
    if not abs(value - round(value)) <= _NOT_WHOLE:
        raise StructureError(
            f"{atoms.get_chemical_formula()}: charge or multiplicity is {value:.4f}; expected a "
            "whole number: give both to the calculator by set(charge=..., spin_multiplicity=...)"
        )
    return round(value)


def predicted_start(
    predictor: Predictor, structure: AtomicStructure, *, needs_spin: bool
) -> StartDensity:
    """Predict what a calculation can start from.

    Parameters
    ----------
    predictor
        Who predicts.
    structure
        Of which structure.
    needs_spin
        Whether the calculation has two spins.

    Raises
    ------
    CalculationError
        If it cannot be predicted, with the reason.
    """
    try:
        found = next(iter(predictor.predict_many([structure])))
    except ScdpFlowsError as error:
        raise CalculationError(str(error)) from error
    if found.spin_density is not None:
        return SpinDensities(found.density, found.spin_density)
    if needs_spin:
        raise CalculationError(
            "open shells are not started from a total density alone, and this predictor knows "
            "no spin densities"
        )
    return found.density


def weights_to_one(gram: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights that sum to one and combine earlier geometries to a new one.

    Least squares of the distance to the newest geometry, with a small ridge that keeps the weights
    from growing where geometries nearly repeat.

    Parameters
    ----------
    gram
        Products of the differences of all earlier geometries but the newest to the newest,
        ``(n - 1, n - 1)``.
    right
        Products of these with the difference of the new geometry, ``(n - 1,)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, the newest geometry last.
    """
    ridge = np.diag(_RIDGE * gram.diagonal() + _SMALLEST)
    weights = np.linalg.solve(gram + ridge, right)
    return np.append(weights, 1 - weights.sum())
