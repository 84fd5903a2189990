from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_flows.density import ChargeDensity
from scdp_flows.errors import DatasetError
from scdp_flows.kind import DensityKind
from scdp_flows.reports.comparison import compare_densities, typical_structure
from scdp_flows.reports.results import Group
from scdp_flows.reports.series import arrange
from scdp_flows.schemas.density import DensityDoc
from scdp_flows.schemas.prediction import PredictionDoc

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_flows.stores.factory import Stores

_NUMBERS, _POSITIONS = np.array([1, 1]), np.array([[2.0, 2.0, 1.63], [2.0, 2.0, 2.37]])
_MODEL = "a" * 64


def _shells(coefficient: float) -> Any:
    from scdp_models.density.orbital import OrbitalDensity

    return OrbitalDensity(
        numbers=_NUMBERS,
        positions=_POSITIONS,
        shell_centres=np.array([0, 1]),
        shell_ls=np.array([0, 0]),
        shell_exponents=np.array([0.8, 0.8]),
        coefficients=np.array([coefficient, coefficient]),
    )


def _atoms() -> dict[str, Any]:
    """Give hydrogen one electron in the shape of the shells."""
    electrons = _shells(1.0).n_electrons() / 2
    atom = {"n_electrons": 1.0, "exponents": [0.8], "coefficients": [1 / electrons]}
    return {"name": "one shell", "atoms": {"1": atom}}


@pytest.fixture
def label(stores: Stores) -> DensityDoc:
    """Store the label of a hydrogen molecule."""
    from scdp_models.density.evaluate import evaluate_on_grid

    cell, shape = 4 * np.eye(3), (16, 16, 16)
    values = evaluate_on_grid(_shells(0.5), np.zeros(3), cell, shape)
    kind = DensityKind(electrons="valence", pseudopotential="p", functional="f", basis="b")
    density = ChargeDensity(values, cell, np.zeros(3), _NUMBERS, _POSITIONS, kind=kind)
    doc = DensityDoc.from_charge_density(density, structure_hash="h2", settings_hash="s")
    blob = stores.blobs.put(json.dumps(_atoms()).encode())
    return stores.densities.put(
        doc.updated(blobs={"reference": blob}), {"grid": density.to_arrays()}
    )


def _group(make: Callable[..., Any], label: DensityDoc) -> Group:
    ours = make("scdp", {label.density_id: 0.3}, model_id=_MODEL)
    return Group("g", (make("atomic", {label.density_id: 9.0}), ours), ())


def _keep_prediction(stores: Stores, predictor: str, model_id: str | None, density: Any) -> None:
    doc = PredictionDoc.from_structure(
        "h2",
        predictor=predictor,
        model_id=model_id,
        blob=stores.blobs.put_arrays(density.to_arrays()),
        n_electrons=2.0,
        seconds=0.1,
        numbers=_NUMBERS.tolist(),
        positions=_POSITIONS.tolist(),
    )
    stores.reports.put(doc)


def test_stored_predictions_are_put_on_the_grid_of_the_label(
    stores: Stores, label: DensityDoc, make_evaluation: Callable[..., Any]
) -> None:
    _keep_prediction(stores, "scdp", _MODEL, _shells(0.5))
    _keep_prediction(stores, "atomic", None, _shells(0.25))
    group = _group(make_evaluation, label)
    found = compare_densities(stores, group, arrange([], group.evaluations))
    np.testing.assert_allclose(found.predictions[_MODEL], found.label.values, atol=1e-5)
    np.testing.assert_allclose(found.predictions["atomic"], 0.5 * found.label.values, atol=1e-5)


def test_the_atoms_of_the_label_stand_in_where_nothing_is_stored(
    stores: Stores, label: DensityDoc, make_evaluation: Callable[..., Any]
) -> None:
    group = _group(make_evaluation, label)
    found = compare_densities(stores, group, arrange([], group.evaluations))
    assert list(found.predictions) == ["atomic"]  # the model cannot be had
    electrons = found.predictions["atomic"].sum() * found.label.voxel_volume
    assert electrons == pytest.approx(2.0, abs=0.05)


def test_nothing_to_compare_is_an_error_that_says_why(
    stores: Stores, label: DensityDoc, make_evaluation: Callable[..., Any]
) -> None:
    ours = make_evaluation("scdp", {label.density_id: 0.3}, model_id=_MODEL)
    group = Group("g", (ours,), ())
    with pytest.raises(DatasetError, match="unknown model"):
        compare_densities(stores, group, arrange([], [ours]))


def test_the_typical_structure_has_the_median_error_of_the_model(study: Any) -> None:
    results = study.results()
    assert typical_structure(results.groups[0], results.series) == "second"


def test_no_evaluation_has_no_typical_structure() -> None:
    with pytest.raises(DatasetError):
        typical_structure(Group("g", (), ()), {})
