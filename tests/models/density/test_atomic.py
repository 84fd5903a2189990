"""Superpositions of spherical atoms."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from scdp_models.basis.shells import shell_charge
from scdp_models.density.atomic import AtomicDensity, AtomicReference
from scdp_models.density.evaluate import evaluate_at_points
from scdp_models.errors import BasisError, DensityError
from scdp_models.units import BOHR_TO_ANGSTROM


def _atom(n_electrons: float, exponents: tuple[float, ...]) -> AtomicDensity:
    share = n_electrons / len(exponents)
    coefficients = share / shell_charge(0, exponents)
    return AtomicDensity(n_electrons, exponents, tuple(coefficients.tolist()))


@pytest.fixture
def reference() -> AtomicReference:
    return AtomicReference("test atoms", {8: _atom(6.0, (0.5, 2.0)), 1: _atom(1.0, (0.9,))})


def test_superposition_holds_the_electrons(reference: AtomicReference) -> None:
    positions = [[0.0, 0.0, 0.0], [0.0, 0.0, 0.96], [0.93, 0.0, -0.24]]
    water = reference.superposition([8, 1, 1], positions)
    assert water.n_electrons() == pytest.approx(8.0, abs=1e-12)
    assert reference.n_electrons([8, 1, 1]) == 8.0


def test_superposition_is_the_sum_of_its_atoms(reference: AtomicReference) -> None:
    points = np.random.default_rng(0).normal(size=(20, 3))
    place = np.array([[0.0, 0, 0], [0, 0, 1.0]])
    atoms = [reference.superposition([z], [p]) for z, p in zip([8, 1], place, strict=True)]
    total = evaluate_at_points(reference.superposition([8, 1], place), points)
    expected = sum(evaluate_at_points(atom, points) for atom in atoms)
    np.testing.assert_allclose(total, expected, atol=1e-13)


def test_hydrogen_is_a_gaussian(reference: AtomicReference) -> None:
    hydrogen = reference.superposition([1], [[0, 0, 0]])
    r = 0.7 / BOHR_TO_ANGSTROM
    expected = (0.9 / np.pi) ** 1.5 * np.exp(-0.9 * r**2) / BOHR_TO_ANGSTROM**3
    assert evaluate_at_points(hydrogen, [[0, 0.7, 0]])[0] == pytest.approx(expected, rel=1e-12)


def test_midpoints_are_passed_over(reference: AtomicReference) -> None:
    positions = [[0.0, 0.0, 0.0], [0.0, 0.0, 0.37], [0.0, 0.0, 0.74]]
    density = reference.superposition([1, 0, 1], positions)
    assert density.numbers.tolist() == [1, 1]


def test_empty_structure_has_no_electrons(reference: AtomicReference) -> None:
    assert reference.superposition([], np.zeros((0, 3))).n_electrons() == 0.0


def test_cell_is_kept(reference: AtomicReference) -> None:
    crystal = reference.superposition([1], [[0, 0, 0]], cell=4 * np.eye(3), pbc=(True,) * 3)
    assert crystal.pbc == (True, True, True)


def test_json_round_trip(reference: AtomicReference) -> None:
    assert AtomicReference.from_dict(json.loads(json.dumps(reference.to_dict()))) == reference


def test_worker_processes_can_have_it(reference: AtomicReference) -> None:
    assert pickle.loads(pickle.dumps(reference)) == reference  # noqa: S301 - our own bytes


def test_missing_element_lists_what_there_is(reference: AtomicReference) -> None:
    with pytest.raises(BasisError, match=r"atomic number 6 .*1, 8"):
        reference.superposition([6], [[0, 0, 0]])


@pytest.mark.parametrize("coefficient", [1.0, float("nan")])
def test_wrong_electron_count_is_refused(coefficient: float) -> None:
    with pytest.raises(DensityError, match="integrates to"):
        AtomicDensity(1.0, (0.9,), (coefficient,))


@pytest.mark.parametrize("document", [{}, {"name": "x"}, {"name": "x", "atoms": {"1": {}}}])
def test_other_documents_are_refused(document: dict[str, object]) -> None:
    with pytest.raises(DensityError, match="not an atomic reference"):
        AtomicReference.from_dict(document)
