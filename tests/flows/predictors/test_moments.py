"""Dipole moments from densities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core import Lattice, Structure

from scdp_flows.predictors.atomic import AtomicPredictor
from scdp_flows.predictors.moments import dipole_moment
from scdp_models.density.atomic import AtomicReference

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Molecule


def test_neutral_spheres_have_no_moment_and_moved_electrons_do(
    tiny_checkpoint: Path, water: Molecule
) -> None:
    predictor = AtomicPredictor(model=str(tiny_checkpoint))
    atoms, density = predictor.atoms(), predictor.predict(water)
    still = dipole_moment(density, water, atoms)
    moved = dipole_moment(density.translated([0.1, 0, 0]), water, atoms)
    assert still is not None
    assert moved is not None
    np.testing.assert_allclose(still, 0, atol=1e-9)
    np.testing.assert_allclose(moved, [-0.8, 0, 0], atol=1e-9)


def test_a_crystal_has_no_moment_of_its_own(tiny_checkpoint: Path) -> None:
    predictor = AtomicPredictor(model=str(tiny_checkpoint))
    crystal = Structure(Lattice.cubic(4.0), ["C"], [[0, 0, 0]])
    assert dipole_moment(predictor.predict(crystal), crystal, predictor.atoms()) is None


def test_unknown_core_charges_give_no_moment(tiny_checkpoint: Path, water: Molecule) -> None:
    density = AtomicPredictor(model=str(tiny_checkpoint)).predict(water)
    assert dipole_moment(density, water, AtomicReference("none", {})) is None
