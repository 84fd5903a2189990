from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from scdp_flows.dft.pyscf.continuation_base import Geometry, PathSettings
from scdp_flows.dft.pyscf.continuation_density import (
    DeformationStart,
    carried,
    centre_names,
    merged,
)
from scdp_models.density.orbital import OrbitalDensity

pytestmark = pytest.mark.requires("pyscf")

ATOMS = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.9, 0.0, 0.0]])


@pytest.fixture
def bonded() -> OrbitalDensity:
    """Give an s shell on each of three atoms, on the bonds of the first, and in the void."""
    places = [*ATOMS, [0, 0, 0.5], [0.45, 0, 0], [5, 5, 5]]
    numbers = [8, 1, 1, 0, 0, 0]
    return OrbitalDensity(
        numbers=np.array(numbers),
        positions=np.array(places, dtype=float),
        shell_centres=np.arange(6),
        shell_ls=np.zeros(6, dtype=np.int64),
        shell_exponents=np.ones(6),
        coefficients=np.arange(1.0, 7.0),
    )


def test_centres_are_named_by_atoms_and_bonds(bonded: OrbitalDensity) -> None:
    assert centre_names(bonded, ATOMS) == [(0,), (1,), (2,), (0, 1), (0, 2), ()]


def test_an_atom_amid_two_others_is_no_bond(bonded: OrbitalDensity) -> None:
    line = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    at = replace(bonded, positions=np.vstack([line, line / 2]))
    assert centre_names(at, line)[0] == (0,)


def test_shells_move_with_their_atoms_and_bonds(bonded: OrbitalDensity) -> None:
    after = ATOMS + np.array([[0, 0, 0], [0, 0.2, 0], [0.1, 0, 0]])
    moved = carried(bonded, ATOMS, after)
    assert moved.positions[3] == pytest.approx([0, 0.1, 0.5])
    assert moved.positions[4] == pytest.approx([0.5, 0, 0])
    assert moved.coefficients.tolist() == [1, 2, 3, 4, 5, 0]


def test_merging_changes_no_density(bonded: OrbitalDensity) -> None:
    twice = bonded + bonded.scaled(0.5)
    once = merged(twice)
    assert len(once.shell_ls) == len(bonded.shell_ls)
    assert once.coefficients == pytest.approx(1.5 * bonded.coefficients)


def test_at_the_same_geometry_the_carried_density_is_the_fit(converged_water: Any) -> None:
    water = converged_water
    strategy = DeformationStart(water.settings, PathSettings("previous_deformation"), water.basis)
    geometry = Geometry(water.structure, water.mol)
    assert strategy.start(geometry).make_dm0 is None
    strategy.learn(geometry, water.run)
    start = strategy.start(geometry)
    assert start.make_dm0 is not None
    assert start.make_dm0(water.run.mf) == pytest.approx(water.run.dm, abs=0.03)


def test_a_correction_makes_up_for_a_poor_prediction(converged_water: Any) -> None:
    water = converged_water
    strategy = DeformationStart(water.settings, PathSettings("corrected_density"), water.basis)
    geometry = Geometry(water.structure, water.mol, water.fit.reference)
    first = strategy.start(geometry)
    assert first.name == "prediction"
    strategy.learn(geometry, water.run)
    second = strategy.start(geometry)
    assert first.make_dm0 is not None
    assert second.make_dm0 is not None
    errors = [
        abs(start.make_dm0(water.run.mf) - water.run.dm).max()
        for start in (first, second)
        if start.make_dm0 is not None
    ]
    assert errors[1] < 0.1 * errors[0]
