"""Predict the densities of structures, store them, and write them to files on request."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jobflow import job

from scdp_flows.errors import (
    DatasetError,
    ScdpFlowsError,
    SettingsError,
    StoreError,
    UnknownNameError,
)
from scdp_flows.io.base import write_density
from scdp_flows.io.structures import as_arrays, structure_hash
from scdp_flows.jobs.base import StepMaker
from scdp_flows.jobs.batches import raise_first
from scdp_flows.plugins import available
from scdp_flows.predictors.moments import dipole_moment
from scdp_flows.predictors.rendering import render
from scdp_flows.progress import track
from scdp_flows.schemas.identity import hill_formula
from scdp_flows.schemas.outputs import PredictedRow, PredictionOutput, Refusal
from scdp_flows.schemas.prediction import PredictionDoc

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.predictors.base import Predicted, Predictor
    from scdp_flows.schemas.density import BlobReference
    from scdp_flows.stores.factory import Stores
    from scdp_models.density.atomic import AtomicReference

__all__ = [
    "PredictMaker",
    "merge_predictions",
    "predict_each",
    "store_prediction",
    "store_predictions",
]

_BATCH = 32


class _Context(NamedTuple):
    """What all predictions of a job have in common."""

    stores: Stores
    predictor: Predictor
    model_id: str | None
    atoms: AtomicReference | None


@dataclass(kw_only=True)
class PredictMaker(StepMaker):
    """Make the job that predicts the densities of a batch of structures."""

    name: str = "predict"
    predictor: Predictor | None = None
    """Who predicts, where ``make`` is given nobody."""
    formats: Sequence[str] = ()
    """Formats of the files to write, such as ``("chgcar", "cube")``."""
    folder: str | None = None
    """Where the files go; None: the folder in which the job runs."""
    spacing: float = 0.16
    """Largest distance of the points of the written grids, Å."""
    padding: float = 4.0
    """Smallest distance of a molecule's atoms from the faces of its written grid, Å."""

    @job(output_schema=PredictionOutput)
    def make(
        self,
        structures: Sequence[AtomicStructure],
        *,
        predictor: Predictor | None = None,
        names: Sequence[str] | None = None,
    ) -> PredictionOutput:
        """Predict densities.

        Parameters
        ----------
        structures
            Molecules or crystals; ions and open shells where the model knows them.
        predictor
            Who predicts; its fields may be outputs of other jobs. Default: that of the Maker.
        names
            What the files are called, without suffix; default: number and formula.

        Raises
        ------
        DatasetError
            If there is no structure, or not one name for each.
        SettingsError, UnknownNameError
            If there is no predictor, or a format is unknown.
        ScdpFlowsError
            If not a single structure could be predicted; otherwise the output lists those.
        StoreError
            If a store or a file cannot be written.
        """
        chosen = self._chosen(predictor)
        names = self._names(structures, names)
        rows: list[PredictedRow] = []
        errors: dict[int, ScdpFlowsError] = {}
        with self.open_stores() as stores:
            context = _Context(stores, chosen, chosen.model_id(), chosen.atoms())
            found = track(
                predict_each(chosen, structures, errors), "predict", total=len(structures)
            )
            while batch := list(islice(found, _BATCH)):
                rows += self._keep([(structures[i], names[i], one) for i, one in batch], context)
        if not rows:
            raise_first(errors, "predicted")
        failed = [
            Refusal.from_error(i, structures[i].formula, error) for i, error in errors.items()
        ]
        return PredictionOutput(rows=rows, failed=failed)

    def _keep(
        self, batch: Sequence[tuple[AtomicStructure, str, Predicted]], context: _Context
    ) -> Iterator[PredictedRow]:
        """Store predictions, write their files and summarise them."""
        docs = store_predictions(
            context.stores,
            [(structure, predicted) for structure, _, predicted in batch],
            predictor=context.predictor.name,
            model_id=context.model_id,
        )
        for doc, (structure, name, predicted) in zip(docs, batch, strict=True):
            moment = None
            if context.atoms is not None:
                moment = dipole_moment(predicted.density, structure, context.atoms)
            yield PredictedRow(
                prediction_id=doc.prediction_id,
                name=name,
                formula=hill_formula(doc.numbers),
                n_electrons=doc.n_electrons,
                dipole_e_ang=None if moment is None else float(np.linalg.norm(moment)),
                uncertainty_ha_per_atom=doc.uncertainty_ha_per_atom,
                seconds=doc.seconds,
                files=self._write(predicted, structure, context.predictor, name),
            )

    def _chosen(self, predictor: Predictor | None) -> Predictor:
        chosen = predictor or self.predictor
        if chosen is None:
            raise SettingsError(
                f"job {self.name!r} has no predictor; give one to the Maker or to make()"
            )
        for name in self.formats:
            if name not in available("readers"):
                raise UnknownNameError(name, available("readers"), what="format")
        return chosen

    @staticmethod
    def _names(structures: Sequence[AtomicStructure], names: Sequence[str] | None) -> Sequence[str]:
        if not structures:
            raise DatasetError("there are no structures to predict; give at least one")
        if names is None:
            formulas = [hill_formula(as_arrays(structure)[0]) for structure in structures]
            return [f"{index:04d}_{formula}" for index, formula in enumerate(formulas)]
        if len(names) != len(structures) or len(set(names)) != len(names):
            raise DatasetError(
                f"{len(set(names))} names for {len(structures)} structures; give a name of its own "
                "to each"
            )
        return names

    def _write(
        self, predicted: Predicted, structure: AtomicStructure, predictor: Predictor, name: str
    ) -> list[str]:
        """Write the files of one structure and return their paths."""
        if not self.formats:
            return []
        grid = render(
            predicted.density,
            structure,
            spacing=self.spacing,
            padding=self.padding,
            kind=predictor.kind(),
        )
        folder = Path(self.folder or ".").expanduser().absolute()
        paths = [folder / f"{name}.{format_name}" for format_name in self.formats]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path, format_name in zip(paths, self.formats, strict=True):
                write_density(grid, path, format=format_name)
        except OSError as error:
            raise StoreError(
                f"{folder}: the density cannot be written: {error.strerror}; choose a folder that "
                "is writable and has space"
            ) from error
        return [str(path) for path in paths]


@job(name="merge predictions", output_schema=PredictionOutput)
def merge_predictions(batches: Sequence[PredictionOutput]) -> PredictionOutput:
    """Put the outputs of several batches together; positions count on from batch to batch.

    Parameters
    ----------
    batches
        The outputs.
    """
    failed, before = [], 0
    for batch in batches:
        failed += [item.updated(index=item.index + before) for item in batch.failed]
        before += batch.n_predicted + batch.n_failed
    return PredictionOutput(
        rows=[row for batch in batches for row in batch.rows],
        failed=failed,
        n_predicted=sum(batch.n_predicted for batch in batches),
        n_failed=sum(batch.n_failed for batch in batches),
    )


def predict_each(
    predictor: Predictor,
    structures: Sequence[AtomicStructure],
    errors: dict[int, ScdpFlowsError],
) -> Iterator[tuple[int, Predicted]]:
    """Yield position and prediction of each structure, in order.

    The predictor is handed all of them, and takes as many at a time as keep its devices busy.

    Parameters
    ----------
    predictor
        Who predicts.
    structures
        What to predict.
    errors
        Position → reason: what fails is added.
    """
    start = 0
    while start < len(structures):
        try:
            for predicted in predictor.predict_many(islice(structures, start, None)):
                yield start, predicted
                start += 1
        except ScdpFlowsError:
            # One of the next spoils its batch; alone, each gets its own result or reason.
            batch = range(start, min(start + _BATCH, len(structures)))
            yield from _predict_alone(predictor, structures, batch, errors)
            start = batch.stop
        else:
            return


def _predict_alone(
    predictor: Predictor,
    structures: Sequence[AtomicStructure],
    batch: range,
    errors: dict[int, ScdpFlowsError],
) -> Iterator[tuple[int, Predicted]]:
    for index in batch:
        try:
            predicted = next(iter(predictor.predict_many([structures[index]])))
        except ScdpFlowsError as error:
            errors[index] = error
        else:
            yield index, predicted


def store_prediction(
    stores: Stores,
    structure: AtomicStructure,
    predicted: Predicted,
    *,
    predictor: str,
    model_id: str | None,
) -> PredictionDoc:
    """Store one prediction; see :func:`store_predictions`."""
    found = [(structure, predicted)]
    return store_predictions(stores, found, predictor=predictor, model_id=model_id)[0]


def store_predictions(
    stores: Stores,
    found: Sequence[tuple[AtomicStructure, Predicted]],
    *,
    predictor: str,
    model_id: str | None,
) -> list[PredictionDoc]:
    """Store predictions: first their coefficients, then the documents that point to them.

    Parameters
    ----------
    stores
        Open stores.
    found
        What was predicted, and the predictions.
    predictor
        Name of the predictor.
    model_id
        Model behind it; None if there is none.
    """
    spins = [one.spin_density for _, one in found]
    blobs = stores.blobs.put_arrays_many([one.density.to_arrays() for _, one in found])
    known = [spin.to_arrays() for spin in spins if spin is not None]
    spin_blobs = iter(stores.blobs.put_arrays_many(known))
    docs = [
        _describe(structure, one, predictor, model_id, blob).updated(
            spin_blob=None if spin is None else next(spin_blobs)
        )
        for (structure, one), blob, spin in zip(found, blobs, spins, strict=True)
    ]
    return stores.reports.predictions.put_many(docs)


def _describe(
    structure: AtomicStructure,
    predicted: Predicted,
    predictor: str,
    model_id: str | None,
    blob: BlobReference,
) -> PredictionDoc:
    numbers, positions, cell, pbc = as_arrays(structure)
    return PredictionDoc.from_structure(
        structure_hash(structure),
        predictor=predictor,
        model_id=model_id,
        blob=blob,
        n_electrons=predicted.density.n_electrons(),
        excess_electrons_removed_e=predicted.excess_electrons,
        uncertainty_ha_per_atom=predicted.uncertainty_ha_per_atom,
        seconds=predicted.seconds,
        numbers=numbers.tolist(),
        positions=positions.tolist(),
        cell=None if cell is None else cell.tolist(),
        pbc=pbc,
    )
