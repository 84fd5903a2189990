"""The superposition of atoms, from a model or from given atoms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.errors import ModelError, StructureError
from scdp_flows.predictors.atomic import AtomicPredictor

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Molecule


def test_atoms_of_a_model_and_given_atoms_agree(tiny_checkpoint: Path, water: Molecule) -> None:
    by_model = AtomicPredictor(model=str(tiny_checkpoint))
    by_atoms = AtomicPredictor(reference=by_model.atoms().to_dict())
    np.testing.assert_array_equal(
        by_model.predict(water).coefficients, by_atoms.predict(water).coefficients
    )
    assert by_atoms.kind() is None
    assert by_model.model_id() is None


def test_the_dipole_is_that_of_neutral_spheres(tiny_checkpoint: Path, water: Molecule) -> None:
    density = AtomicPredictor(model=str(tiny_checkpoint)).predict(water)
    np.testing.assert_allclose(
        density.dipole(), [6, 1, 1] @ np.asarray(water.cart_coords), atol=1e-9
    )


def test_without_model_and_atoms_there_is_nothing_to_predict(water: Molecule) -> None:
    with pytest.raises(ModelError, match="neither a model nor atoms"):
        AtomicPredictor().predict(water)


def test_malformed_atoms_are_named(water: Molecule) -> None:
    with pytest.raises(ModelError, match="field reference"):
        AtomicPredictor(reference={"atoms": {}}).predict(water)


def test_ions_get_the_atoms_scaled_to_their_electrons(
    tiny_checkpoint: Path, water: Molecule
) -> None:
    cation = water.copy()
    cation.set_charge_and_spin(1, 2)
    predictor = AtomicPredictor(model=str(tiny_checkpoint), ions=True)
    assert predictor.predict(cation).n_electrons() == pytest.approx(7)
    with pytest.raises(StructureError, match="charge 1"):
        AtomicPredictor(model=str(tiny_checkpoint)).predict(cation)
