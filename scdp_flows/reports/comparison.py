"""Pick one structure of a report and evaluate all densities on the grid of its label."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.density import ChargeDensity
from scdp_flows.errors import DatasetError, ScdpFlowsError
from scdp_flows.kind import DensityKind
from scdp_flows.reports.series import ATOMIC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from scdp_flows.reports.results import Group
    from scdp_flows.reports.series import Series
    from scdp_flows.schemas.density import DensityDoc
    from scdp_flows.stores.factory import Stores
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["Comparison", "compare_densities", "typical_structure"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Hold the label of one structure and what was predicted for it."""

    doc: DensityDoc
    """Document of the label."""
    label: ChargeDensity
    """The label."""
    predictions: dict[str, NDArray[np.float64]]
    """Predicted values on the grid of the label by key of the series, e/Å^3."""


def typical_structure(group: Group, series: Mapping[str, Series]) -> str:
    """Return the identifier of the structure with the median NMAE of the first model.

    Neither the best nor the worst, so that nobody has to trust the choice.

    Raises
    ------
    DatasetError
        If nothing was evaluated.
    """
    ranked = sorted(series.values(), key=lambda one: not one.is_model)
    for one in ranked:
        rows = sorted(group.errors(one.key), key=lambda row: row.nmae_percent)
        if rows:
            return rows[(len(rows) - 1) // 2].density_id
    raise DatasetError("no evaluation, so no structure to look at")


def compare_densities(stores: Stores, group: Group, series: Mapping[str, Series]) -> Comparison:
    """Evaluate the predictions of a typical structure on the grid of its label.

    Predictions are taken from the store, or else made anew from the stored model or the
    atoms that the label names.

    Raises
    ------
    DatasetError
        If nothing was evaluated, or no prediction can be had.
    UnknownNameError
        If the label or its grid is not in the store.
    """
    doc = stores.densities.get(typical_structure(group, series))
    arrays = stores.densities.load_arrays(doc, "grid")
    label = ChargeDensity.from_arrays(arrays, kind=DensityKind.from_dict(doc.kind))
    found, reasons = {}, []
    for key in series:
        if group.errors(key):
            try:
                found[key] = _on_grid(_predicted(stores, doc, key), label)
            except (ScdpFlowsError, ValueError) as error:  # ValueError: all errors of scdp_models
                reasons.append(f"{series[key].name}: {error}")
    if not found:
        raise DatasetError("; ".join(reasons) or "no predictor to compare")
    return Comparison(doc, label, found)


def _predicted(stores: Stores, doc: DensityDoc, key: str) -> OrbitalDensity:
    from scdp_models.density.orbital import OrbitalDensity

    wanted = {"predictor": ATOMIC} if key == ATOMIC else {"model_id": key}
    stored = stores.reports.predictions.find({"structure_hash": doc.structure_hash, **wanted})
    if stored is not None:
        return OrbitalDensity.from_arrays(stores.blobs.get_arrays(stored.blob))
    geometry = (doc.numbers, doc.positions, doc.cell, doc.pbc)
    if key == ATOMIC:
        return _reference(stores, doc).superposition(*geometry)
    from scdp_models.predict import load

    return load(stores.models.fetch(key, stores.path / "checkpoints")).predict(*geometry)


def _reference(stores: Stores, doc: DensityDoc) -> AtomicReference:
    """Return the superposed atoms' reference, which every label carries."""
    from scdp_models.density.atomic import AtomicReference

    if "reference" not in doc.blobs:
        raise DatasetError("no stored prediction, and the label does not say what its atoms are")
    return AtomicReference.from_dict(json.loads(stores.blobs.get(doc.blobs["reference"])))


def _on_grid(density: OrbitalDensity, label: ChargeDensity) -> NDArray[np.float64]:
    from scdp_models.density.evaluate import evaluate_on_grid

    return np.asarray(evaluate_on_grid(density, label.origin, label.cell, label.shape))
