"""A stored prediction is the density that was predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.jobs.predict import store_prediction
from scdp_flows.predictors.atomic import AtomicPredictor
from scdp_flows.predictors.stored import stored_density
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Molecule


def test_coefficients_come_back(gaussian_code: Any, water: Molecule, tmp_path: Path) -> None:
    atoms = AtomicPredictor(reference=gaussian_code.atomic_reference({1, 8}).to_dict())
    predicted = next(iter(atoms.predict_many([water])))
    with open_stores(tmp_path) as stores:
        doc = store_prediction(stores, water, predicted, predictor="atomic", model_id=None)
        found = stored_density(doc, stores.blobs)
    np.testing.assert_array_equal(found.coefficients, predicted.density.coefficients)
    np.testing.assert_array_equal(found.positions, predicted.density.positions)
