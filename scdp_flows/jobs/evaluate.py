"""Judge predictors by labels that they have not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobflow import job

from scdp_flows.density import ChargeDensity
from scdp_flows.errors import DatasetError
from scdp_flows.io.structures import structure_from_arrays
from scdp_flows.jobs.base import StepMaker
from scdp_flows.jobs.build_dataset import common_kind, find_labels
from scdp_flows.jobs.predict import store_prediction
from scdp_flows.jobs.samples import common_reference, load_fit
from scdp_flows.kind import DensityKind
from scdp_flows.parallel import available_cores, map_parallel
from scdp_flows.plugins import resolve
from scdp_flows.predictors.accuracy import LabelComparison
from scdp_flows.predictors.base import as_predictors
from scdp_flows.progress import track
from scdp_flows.schemas.evaluation import EvaluationDoc
from scdp_flows.schemas.outputs import EvaluationOutput
from scdp_flows.settings import get_settings
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.predictors.base import Predictor
    from scdp_flows.schemas.dataset import Split
    from scdp_flows.schemas.density import DensityDoc
    from scdp_flows.schemas.evaluation import ErrorRow
    from scdp_flows.stores.factory import Stores

__all__ = ["BASELINE", "EvaluateMaker", "baseline", "choose_labels", "judge", "structure_of"]

BASELINE = "atomic"
"""Name of the predictor that every other is compared with."""

# A process has to load the models first, which pays for this many structures.
_PER_PROCESS = 8


@dataclass(kw_only=True)
class EvaluateMaker(StepMaker):
    """Make the job that measures predictors on labels, the superposition of atoms beside them.

    One structure at a time is in memory.
    """

    name: str = "evaluate"
    keep_predictions: bool = True
    """Whether the predictions are stored too: their coefficients, some 10 kB each."""
    n_processes: int | None = None
    """Structures at a time; None: as the settings say, all cores where it is worth it."""

    @job(output_schema=EvaluationOutput)
    def make(
        self,
        predictors: Predictor | Sequence[Predictor],
        density_ids: Sequence[str] | None = None,
        *,
        dataset_id: str | None = None,
        split: Split = "test",
    ) -> EvaluationOutput:
        """Evaluate predictors.

        Parameters
        ----------
        predictors
            One or several, of different names; their fields may be outputs of other jobs.
        density_ids
            Labels to judge by; default: those of a split of a dataset.
        dataset_id
            Identifier or name of the dataset.
        split
            ``"train"``, ``"validation"`` or ``"test"`` of the dataset.

        Raises
        ------
        DatasetError
            If there are no labels.
        KindMismatchError
            If labels and a predictor are of different kinds.
        ScdpFlowsError
            If a structure cannot be predicted.
        """
        evaluations = self.judge_labels(predictors, density_ids, dataset_id=dataset_id, split=split)
        return EvaluationOutput(
            evaluation_ids=[doc.evaluation_id for doc in evaluations],
            summary={
                doc.predictor: {name: metric.mean for name, metric in doc.summary.items()}
                for doc in evaluations
            },
        )

    def judge_labels(
        self,
        predictors: Predictor | Sequence[Predictor],
        density_ids: Sequence[str] | None = None,
        *,
        dataset_id: str | None = None,
        split: Split = "test",
    ) -> list[EvaluationDoc]:
        """Evaluate predictors here and now; see :meth:`make`."""
        with self.open_stores() as stores:
            docs, origin = choose_labels(stores, density_ids, dataset_id, split)
            chosen = _with_baseline(predictors, docs, stores)
            _check_kinds(chosen, docs)
            return self._evaluate(chosen, docs, origin, stores)

    def _evaluate(
        self,
        predictors: list[Predictor],
        docs: list[DensityDoc],
        origin: dict[str, str | None],
        stores: Stores,
    ) -> list[EvaluationDoc]:
        """Evaluate what was not evaluated before."""
        ids = [doc.density_id for doc in docs]
        found: dict[str, EvaluationDoc | None] = {}
        models = {predictor.name: predictor.model_id() for predictor in predictors}
        for name, model_id in models.items():
            key = EvaluationDoc.make_id(ids, predictor=name, model_id=model_id, **origin)
            found[name] = stores.reports.evaluations.find({"evaluation_id": key})
        missing = [predictor for predictor in predictors if found[predictor.name] is None]
        rows = self._judge_all(missing, ids, stores) if missing else []
        for number, predictor in enumerate(missing):
            doc = EvaluationDoc.from_rows(
                [row[number] for row in rows],
                predictor=predictor.name,
                model_id=models[predictor.name],
                **origin,
            )
            found[predictor.name] = stores.reports.evaluations.put(doc)
        return [doc for doc in found.values() if doc is not None]

    def _judge_all(
        self, predictors: list[Predictor], ids: list[str], stores: Stores
    ) -> list[list[ErrorRow]]:
        wanted = self.n_processes or get_settings().N_PROCESSES or available_cores()
        path = self.store_path and str(stores.path)
        tasks = ((density_id, predictors, path, self.keep_predictions) for density_id in ids)
        processes = max(1, min(wanted, len(ids) // _PER_PROCESS))
        results = map_parallel(judge, tasks, n_processes=processes)
        return list(track(results, "evaluate", total=len(ids)))


def judge(
    density_id: str,
    predictors: list[Predictor],
    store_path: str | None,
    keep: bool,  # noqa: FBT001 - a pool passes arguments by position
) -> list[ErrorRow]:
    """Return the errors of each predictor on one stored label; made to run in any process.

    Parameters
    ----------
    density_id
        The label.
    predictors
        Who is judged.
    store_path
        Folder of the embedded stores; None takes those of the settings.
    keep
        Whether the predictions are stored.
    """
    with open_stores(store_path) as stores:
        doc = stores.densities.get(density_id)
        comparison = _comparison(doc, stores)
        structure = structure_of(doc)
        rows = []
        for predictor in predictors:
            predicted = next(iter(predictor.predict_many([structure])))
            rows.append(comparison.errors(predicted))
            if keep:
                store_prediction(
                    stores,
                    structure,
                    predicted,
                    predictor=predictor.name,
                    model_id=predictor.model_id(),
                )
        return rows


def structure_of(doc: DensityDoc) -> AtomicStructure:
    """Return the structure that a label belongs to."""
    return structure_from_arrays(
        doc.numbers,
        doc.positions,
        doc.cell,
        doc.pbc,
        charge=doc.charge,
        spin_multiplicity=doc.spin_multiplicity,
    )


def baseline(docs: Sequence[DensityDoc], stores: Stores) -> Predictor:
    """Return the superposition of the atoms that some labels were fitted with.

    Parameters
    ----------
    docs
        The labels.
    stores
        Where their atoms are.

    Raises
    ------
    DatasetError
        If a label has no atoms, or two have different ones.
    """
    made: Predictor = resolve("predictors", BASELINE)(  # type: ignore[operator] # a class
        reference=common_reference(docs, stores.blobs),
        density_kind=docs[0].kind,
        ions=True,
        name=BASELINE,
    )
    return made


def _comparison(doc: DensityDoc, stores: Stores) -> LabelComparison:
    arrays = stores.densities.load_arrays(doc, "grid")
    label = ChargeDensity.from_arrays(arrays, kind=DensityKind.from_dict(doc.kind))
    return LabelComparison(
        doc.density_id,
        label,
        n_electrons=label.integral() if doc.n_electrons is None else doc.n_electrons,
        fitted=load_fit(doc, stores) if "orbital" in doc.blobs else None,
        fit_error_ha=doc.fit.coulomb_error_ha if doc.fit else 0.0,
    )


def choose_labels(
    stores: Stores, density_ids: Sequence[str] | None, dataset_id: str | None, split: Split
) -> tuple[list[DensityDoc], dict[str, str | None]]:
    """Return labels, and the dataset and split that they come from.

    Parameters
    ----------
    stores
        Open stores.
    density_ids
        The labels; None takes those of the dataset.
    dataset_id
        Identifier or name of a dataset.
    split
        Which of its splits.

    Raises
    ------
    DatasetError
        If there are none.
    UnknownNameError
        If a label or the dataset does not exist.
    """
    if density_ids is not None:
        return find_labels(stores.densities, density_ids), {"dataset_id": None, "split": None}
    if dataset_id is None:
        raise DatasetError("on which labels? give density_ids, or dataset_id and split")
    dataset = stores.datasets.get(dataset_id)
    ids = dataset.ids(split)
    if not ids:
        raise DatasetError(
            f"dataset {dataset.name!r} has no {split} structures; evaluate another split, or build "
            "the dataset with a larger fraction for it"
        )
    return find_labels(stores.densities, ids), {"dataset_id": dataset.dataset_id, "split": split}


def _with_baseline(
    predictors: Predictor | Sequence[Predictor], docs: list[DensityDoc], stores: Stores
) -> list[Predictor]:
    chosen = as_predictors(predictors)
    if any(predictor.name == BASELINE for predictor in chosen):
        return chosen
    if any("reference" not in doc.blobs for doc in docs):
        # Densities of other programs come without atoms; those of the first predictor will do.
        return [*chosen, *_atoms_of(chosen[0])]
    return [*chosen, baseline(docs, stores)]


def _atoms_of(predictor: Predictor) -> list[Predictor]:
    """Return the superposition of a predictor's own atoms, if it knows them."""
    atoms, kind = predictor.atoms(), predictor.kind()
    if atoms is None:
        return []
    made: Predictor = resolve("predictors", BASELINE)(  # type: ignore[operator] # a class
        reference=atoms.to_dict(), density_kind=kind and kind.as_dict(), ions=True, name=BASELINE
    )
    return [made]


def _check_kinds(predictors: Sequence[Predictor], docs: list[DensityDoc]) -> None:
    labelled = common_kind(docs)
    for predictor in predictors:
        predicted = predictor.kind()
        if predicted is not None:
            predicted.check_compatible(labelled)
