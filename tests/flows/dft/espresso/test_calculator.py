"""The calculator gives what ``pw.x`` gives, whatever it starts from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from ase.build import molecule
from ase.optimize import BFGS
from monty.json import MSONable
from pymatgen.io.ase import AseAtomsAdaptor

from scdp_flows.dft.espresso.calculator import EspressoRelaxation
from scdp_flows.dft.espresso.scf import run_scf
from scdp_flows.dft.plane_waves.atoms import atomic_reference
from scdp_flows.dft.plane_waves.structure import as_crystal
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

    from ase import Atoms
    from pymatgen.core import Structure

    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.kind import DensityKind


@dataclass(frozen=True)
class AtomsOnly(MSONable):
    """A poor predictor: superposed atoms; one that fails, or is of another kind, if told so."""

    settings: EspressoSettings
    fails: bool = False
    other: bool = False
    name: str = "atoms"

    def kind(self) -> DensityKind:
        kind = self.settings.kind()
        return replace(kind, functional="LDA") if self.other else kind

    def predict_many(self, structures: Any) -> Iterator[Predicted]:
        for one in structures:
            if self.fails:
                raise ModelError("no model")
            numbers, cell = one.atomic_numbers, one.lattice.matrix
            atoms = atomic_reference(self.settings, numbers)
            yield Predicted(
                atoms.superposition(numbers, one.cart_coords, cell, (True,) * 3), 0.0, 0.0
            )


@pytest.fixture
def atoms(distorted: Structure) -> Atoms:
    """Give the distorted crystal as ASE sees it."""
    return AseAtomsAdaptor.get_atoms(distorted)


@pytest.mark.requires("espresso")
def test_corrections_save_cycles_and_change_no_energy(
    atoms: Atoms, cheap: EspressoSettings
) -> None:
    code = EspressoRelaxation(cheap, policy="corrected", check_every=1)
    atoms.calc = code.calculator(AtomsOnly(cheap))  # type: ignore[arg-type]
    BFGS(atoms, logfile=None).run(fmax=0.01, steps=2)
    first, *later = atoms.calc.steps
    assert [step.start for step in atoms.calc.steps] == ["prediction", "corrected", "extrapolated"]
    assert all(step.seed_used and abs(step.energy_difference_ev) < 2.7e-6 for step in later)
    assert all(step.iterations < step.unseeded_iterations for step in later)
    assert later[-1].largest_force_ev_ang < 0.2 * first.largest_force_ev_ang


@pytest.mark.requires("espresso")
def test_forces_are_those_of_the_program(
    atoms: Atoms, distorted: Structure, cheap: EspressoSettings
) -> None:
    atoms.calc = EspressoRelaxation(cheap, policy="default").calculator()
    settings = replace(cheap, forces=True)
    run = run_scf(as_crystal(distorted, settings), settings)
    assert run.forces is not None
    assert np.allclose(atoms.get_forces(), run.forces, rtol=0, atol=1e-9)
    assert len(atoms.calc.steps) == 1
    assert not atoms.calc.steps[0].seed_used


@pytest.mark.requires("espresso")
def test_a_predictor_that_fails_costs_nothing_but_its_help(
    atoms: Atoms, cheap: EspressoSettings
) -> None:
    atoms.calc = EspressoRelaxation(cheap).calculator(AtomsOnly(cheap, fails=True))  # type: ignore[arg-type]
    atoms.get_potential_energy()
    (step,) = atoms.calc.steps
    assert (step.start, step.seed_used, step.fallback_reason) == ("default", False, "no model")
    atoms.positions[1] += 0.005
    atoms.get_potential_energy()
    assert atoms.calc.steps[1].start == "extrapolated_density"
    assert atoms.calc.steps[1].iterations < step.iterations


@pytest.mark.requires("espresso")
def test_orbitals_go_on_from_geometry_to_geometry(atoms: Atoms, cheap: EspressoSettings) -> None:
    works = []
    for known in (True, False):
        calculator = EspressoRelaxation(cheap, policy="previous_density").calculator()
        copy = atoms.copy()
        copy.calc = calculator
        for _ in range(3):
            copy.get_potential_energy()
            copy.positions[1] += [0.002, 0.005, 0.003]
            if not known:
                calculator._orbitals.forget()  # as if they did not fit
        works.append(sum(step.fock_builds for step in calculator.steps[1:]))
    assert works[0] < works[1]


@pytest.mark.requires("espresso")
def test_a_geometry_that_fails_has_nothing_of_the_one_before(
    atoms: Atoms, cheap: EspressoSettings
) -> None:
    atoms.calc = EspressoRelaxation(cheap, policy="default").calculator()
    atoms.get_forces()
    atoms.calc.settings = replace(cheap, forces=True, max_cycle=1)
    atoms.positions[1, 1] += 0.05
    for _ in range(2):
        with pytest.raises(CalculationError, match="not converged"):
            atoms.get_forces()
    assert atoms.calc.run is None


@pytest.mark.requires("espresso")
@pytest.mark.parametrize("way", ["parameter", "attribute", "initial charges"])
def test_the_charge_of_a_crystal_reaches_the_program(
    atoms: Atoms, cheap: EspressoSettings, way: str
) -> None:
    settings = replace(cheap, smearing="gaussian")
    atoms.calc = EspressoRelaxation(settings, policy="default").calculator()
    neutral = atoms.get_potential_energy()
    if way == "parameter":
        atoms.calc.set(charge=2)
    elif way == "attribute":
        atoms.charge = 2  # type: ignore[attr-defined]
    else:
        atoms.set_initial_charges([1.0, 1.0])
    assert abs(atoms.get_potential_energy() - neutral) > 1
    assert len(atoms.calc.steps) == 2


def test_molecules_are_refused(toy: EspressoSettings) -> None:
    atoms = molecule("H2O")
    atoms.calc = EspressoRelaxation(toy, policy="default").calculator()
    with pytest.raises(StructureError, match="periodic"):
        atoms.get_potential_energy()


@pytest.mark.parametrize("policy", ["prediction", "corrected"])
def test_policies_that_need_predictions_say_so(toy: EspressoSettings, policy: Any) -> None:
    with pytest.raises(SettingsError, match="no predictor"):
        EspressoRelaxation(toy, policy=policy).calculator()


def test_another_kind_of_density_is_refused(toy: EspressoSettings) -> None:
    with pytest.raises(KindMismatchError):
        EspressoRelaxation(toy).calculator(AtomsOnly(toy, other=True))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"), [("history", 0), ("policy", "previous_dm")], ids=["history", "policy"]
)
def test_impossible_settings_are_refused(toy: EspressoSettings, name: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=str(value)):
        EspressoRelaxation(toy, **{name: value})


def test_settings_travel_and_have_a_hash_of_their_own(toy: EspressoSettings) -> None:
    code = EspressoRelaxation(toy, policy="corrected")
    assert EspressoRelaxation.from_dict(code.as_dict()) == code
    assert code.settings_hash() != EspressoRelaxation(toy).settings_hash()
    assert not code.needs_basis
