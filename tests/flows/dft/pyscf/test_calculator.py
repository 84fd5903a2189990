"""The calculator gives what PySCF gives, whatever it starts from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from ase import Atoms
from monty.json import MSONable

from scdp_flows.dft.pyscf.calculator import PyscfRelaxation
from scdp_flows.errors import (
    CalculationError,
    KindMismatchError,
    ModelError,
    SettingsError,
    StructureError,
)
from scdp_flows.predictors.base import Predicted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scdp_flows.dft.pyscf.calculator import PyscfCalculator
    from scdp_flows.dft.pyscf.inputs import PyscfSettings
    from scdp_flows.kind import DensityKind

pytestmark = pytest.mark.requires("pyscf")

WATER = Atoms("OHH", [[0, 0.02, 0.12], [0.1, 0.8, -0.5], [-0.2, -0.76, -0.45]])


@dataclass(frozen=True)
class AtomsOnly(MSONable):
    """A poor predictor: superposed atoms; one that fails, or is of another kind, if told so."""

    settings: PyscfSettings
    fails: bool = False
    other: bool = False
    name: str = "atoms"

    def kind(self) -> DensityKind:
        kind = self.settings.kind()
        return replace(kind, functional="LDA") if self.other else kind

    def predict_many(self, structures: Any) -> Iterator[Predicted]:
        from scdp_flows.dft.pyscf.atoms import atomic_reference

        for one in structures:
            if self.fails:
                raise ModelError("this model knows nothing; train one")
            atoms = atomic_reference(self.settings, one.atomic_numbers)
            yield Predicted(atoms.superposition(one.atomic_numbers, one.cart_coords), 0.0, 0.0)


def _with(calculator: PyscfCalculator, atoms: Atoms = WATER) -> Atoms:
    atoms = atoms.copy()
    atoms.calc = calculator
    return atoms


@pytest.fixture
def predictor(cheap: PyscfSettings) -> Any:
    """Give the poor predictor."""
    return AtomsOnly(cheap)


def test_forces_are_the_derivative_of_the_energy(cheap: PyscfSettings) -> None:
    fine = PyscfRelaxation(replace(cheap, grid_level=3), policy="previous_dm", conv_tol_ha=1e-10)
    atoms = _with(fine.calculator())
    force = atoms.get_forces()[1, 1]
    energies = []
    for shift in (-0.01, 0.01):
        atoms.positions[1, 1] = WATER.positions[1, 1] + shift
        energies.append(atoms.get_potential_energy())
    assert force == pytest.approx((energies[0] - energies[1]) / 0.02, abs=2e-3)


@pytest.mark.parametrize(
    "policy", ["previous_dm", "prediction", "corrected", "auto", "corrected_density"]
)
def test_starts_change_no_energy(
    cheap: PyscfSettings, predictor: Any, converged_water: Any, policy: Any
) -> None:
    code = PyscfRelaxation(cheap, policy=policy, check_every=1)
    atoms = _with(code.calculator(predictor, converged_water.basis))
    for _ in range(3):
        atoms.get_potential_energy()
        atoms.positions[1] += [0.01, 0.01, 0.0]
    differences = [step.energy_difference_ev for step in atoms.calc.steps]
    assert differences == pytest.approx([0, 0, 0], abs=2.7e-6)
    assert atoms.calc.steps[-1].seed_used
    assert atoms.calc.steps[1].largest_move_ang == pytest.approx(np.hypot(0.01, 0.01))


def test_corrections_need_fewer_cycles_than_the_model_alone(
    cheap: PyscfSettings, predictor: Any
) -> None:
    totals = []
    for policy in ("prediction", "corrected"):
        code = PyscfRelaxation(cheap, policy=policy)
        atoms = _with(code.calculator(predictor))
        for _ in range(4):
            atoms.positions[1] += [0.005, 0.005, 0.0]
            atoms.get_potential_energy()
        totals.append(sum(step.iterations for step in atoms.calc.steps[1:]))
    assert totals[1] <= totals[0] - 4


def test_forces_of_a_known_geometry_need_no_second_calculation(cheap: PyscfSettings) -> None:
    atoms = _with(PyscfRelaxation(cheap, policy="default").calculator())
    atoms.get_potential_energy()
    assert atoms.calc.steps[0].largest_force_ev_ang is None
    forces = atoms.get_forces()
    (step,) = atoms.calc.steps
    assert step.largest_force_ev_ang == pytest.approx(np.linalg.norm(forces, axis=1).max())


def test_a_geometry_that_fails_has_nothing_of_the_one_before(cheap: PyscfSettings) -> None:
    code = PyscfRelaxation(replace(cheap, max_cycle=9), policy="previous_dm")
    atoms = _with(code.calculator())
    atoms.get_forces()
    atoms.calc.code = replace(code, settings=replace(cheap, max_cycle=1))
    atoms.positions[1, 1] += 0.05
    for _ in range(2):
        with pytest.raises(CalculationError, match="did not converge"):
            atoms.get_forces()
    assert atoms.calc.run is None
    assert len(atoms.calc.steps) == 1


def test_the_charge_is_a_parameter_that_travels(cheap: PyscfSettings) -> None:
    calculator = PyscfRelaxation(replace(cheap, spin="unrestricted"), policy="default").calculator()
    atoms = _with(calculator)
    neutral = atoms.get_potential_energy()
    calculator.set(charge=1)
    ion = atoms.get_potential_energy()
    copy = atoms.copy()
    copy.calc = calculator
    assert 8 < ion - neutral < 16
    assert copy.get_potential_energy() == ion
    assert len(calculator.steps) == 2
    calculator.set(charge=0, spin_multiplicity=3)
    assert neutral + 4 < atoms.get_potential_energy() < ion


def test_a_charge_given_to_the_atoms_is_seen(cheap: PyscfSettings) -> None:
    calculator = PyscfRelaxation(replace(cheap, spin="unrestricted"), policy="default").calculator()
    atoms = _with(calculator)
    neutral = atoms.get_potential_energy()
    atoms.charge = 1  # type: ignore[attr-defined]
    assert atoms.get_potential_energy() > neutral + 8
    with pytest.raises(StructureError, match="lost the charge 1"):
        _with(calculator, atoms).get_potential_energy()


def test_a_predictor_that_fails_costs_nothing_but_its_help(cheap: PyscfSettings) -> None:
    calculator = PyscfRelaxation(cheap).calculator(AtomsOnly(cheap, fails=True))  # type: ignore[arg-type]
    atoms = _with(calculator)
    atoms.get_potential_energy()
    atoms.positions[1, 1] += 0.01
    atoms.get_potential_energy()
    assert [step.start for step in calculator.steps] == ["default", "previous_dm"]
    assert "knows nothing" in str(calculator.steps[0].fallback_reason)


def test_open_shells_are_not_started_from_a_total_density(
    cheap: PyscfSettings, predictor: Any
) -> None:
    code = PyscfRelaxation(replace(cheap, spin="unrestricted"), policy="corrected")
    atoms = _with(code.calculator(predictor), Atoms("OH", [[0, 0, 0], [0, 0, 0.97]]))
    atoms.get_potential_energy()
    (step,) = atoms.calc.steps
    assert step.start == "default"
    assert "spin densities" in str(step.fallback_reason)


def test_another_kind_of_density_is_refused(cheap: PyscfSettings) -> None:
    with pytest.raises(KindMismatchError):
        PyscfRelaxation(cheap).calculator(AtomsOnly(cheap, other=True))  # type: ignore[arg-type]


@pytest.mark.parametrize("policy", ["prediction", "corrected", "corrected_density"])
def test_policies_that_need_predictions_say_so(cheap: PyscfSettings, policy: Any) -> None:
    with pytest.raises(SettingsError, match="no predictor"):
        PyscfRelaxation(cheap, policy=policy).calculator()


def test_crystals_are_refused(cheap: PyscfSettings) -> None:
    atoms = WATER.copy()
    atoms.set_cell([5.0, 5.0, 5.0])
    atoms.pbc, atoms.calc = True, PyscfRelaxation(cheap, policy="default").calculator()
    with pytest.raises(StructureError, match="periodic"):
        atoms.get_potential_energy()


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(SettingsError, match="history"):
        PyscfRelaxation(history=0)


def test_settings_have_a_hash_of_their_own() -> None:
    one, other = PyscfRelaxation(), PyscfRelaxation(policy="previous_dm")
    assert one.settings_hash() != other.settings_hash()
    assert PyscfRelaxation.from_dict(one.as_dict()) == one


@pytest.mark.parametrize("functional", ["PBE", "PBE0"])
def test_paths_of_all_electrons(
    all_electrons: PyscfSettings, converged_water: Any, functional: str
) -> None:
    settings = replace(all_electrons, functional=functional)
    code = PyscfRelaxation(settings, policy="corrected_density", check_every=1)
    predictor: Any = AtomsOnly(settings)
    atoms = _with(code.calculator(predictor, converged_water.basis))
    for _ in range(2):
        atoms.get_potential_energy()
        atoms.positions[1] += [0.01, 0.01, 0.0]
    _, second = atoms.calc.steps
    assert second.seed_used
    assert second.unseeded_iterations is not None
    assert second.iterations < second.unseeded_iterations
    assert second.energy_difference_ev == pytest.approx(0.0, abs=2.7e-6)
