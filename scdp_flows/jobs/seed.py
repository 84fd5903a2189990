"""Restart DFT from predicted densities, and compare what each start is worth."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from jobflow import job

from scdp_flows.dft.base import SpinDensities
from scdp_flows.errors import DatasetError, ScdpFlowsError, SettingsError, StoreError
from scdp_flows.io.structures import as_arrays, check_structure, structure_hash
from scdp_flows.jobs.base import StepMaker
from scdp_flows.jobs.batches import closed, raise_first, value_of
from scdp_flows.jobs.evaluate import BASELINE, choose_labels, structure_of
from scdp_flows.plugins import resolve
from scdp_flows.predictors.base import as_predictors
from scdp_flows.progress import Progress
from scdp_flows.schemas.identity import content_hash, hill_formula
from scdp_flows.schemas.outputs import Refusal, SeedOutput
from scdp_flows.schemas.seeding import SeedDoc, StartRecord
from scdp_flows.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_flows.dft.base import DftCode, ScfStart, StartDensity
    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.predictors.base import Predicted, Predictor
    from scdp_flows.schemas.dataset import Split
    from scdp_flows.stores.factory import Stores

__all__ = ["SeedMaker", "seed_settings_hash"]

_OWN_STARTS = ("default", "exact", BASELINE)


@dataclass(kw_only=True)
class SeedMaker(StepMaker):
    """Make the job that converges structures from several starting densities.

    These are the code's own guess, superposed atoms, each predictor, and the converged density,
    which is the best possible. Each finished structure is stored at once and never computed twice.
    """

    name: str = "seed"
    code: DftCode
    """The DFT code and its settings."""
    split: Split = "test"
    """Split of a dataset whose structures are computed."""
    limit: int | None = None
    """Most structures of a dataset that are computed."""
    n_processes: int | None = None
    """Structures computed at a time; None: as the settings say, on all cores by default."""

    @job(output_schema=SeedOutput)
    def make(
        self,
        structures: Sequence[AtomicStructure] = (),
        *,
        density_ids: Sequence[str] | None = None,
        dataset_id: str | None = None,
        predictors: Predictor | Sequence[Predictor] = (),
    ) -> SeedOutput:
        """Compare starts.

        Parameters
        ----------
        structures
            What to compute.
        density_ids
            Labels whose structures are computed too.
        dataset_id
            Dataset of whose split the structures are computed too; identifier or name.
        predictors
            One or several; their names label the starts, their fields may be outputs of jobs.

        Raises
        ------
        DatasetError
            If there is no structure.
        SettingsError
            If two starts would have one label.
        KindMismatchError
            If a predictor is of another kind than the code.
        ScdpFlowsError
            If not a single structure could be computed; otherwise the output lists those.
        """
        chosen = as_predictors(predictors)
        _check(chosen, self.code)
        with self.open_stores() as stores:
            labelled = self._labelled(stores, density_ids, dataset_id)
            everything = [*structures, *labelled]
            if not everything:
                raise DatasetError("there is nothing to restart; give structures or labels")
            batch = _Batch(self, stores, everything, chosen)
            batch.look_up()
            batch.compute()
        return batch.output()

    def _labelled(
        self, stores: Stores, density_ids: Sequence[str] | None, dataset_id: str | None
    ) -> list[AtomicStructure]:
        docs = choose_labels(stores, density_ids, None, self.split)[0] if density_ids else []
        if dataset_id is not None:
            docs += choose_labels(stores, None, dataset_id, self.split)[0][: self.limit]
        return [structure_of(doc) for doc in docs]


def seed_settings_hash(code: DftCode) -> str:
    """Return an identifier that is equal for equal settings of restarts."""
    return content_hash(_plain(code.as_dict()))[:16]


def _plain(value: Any) -> Any:
    """Return JSON content without the versions and modules that serialisers add."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if not k.startswith("@") or k == "@class"}
    return value


def _check(predictors: list[Predictor], code: DftCode) -> None:
    for predictor in predictors:
        if predictor.name in _OWN_STARTS:
            raise SettingsError(
                f"a predictor is named {predictor.name!r}, which is a start of its own; give it "
                "another name by its field name"
            )
        kind = predictor.kind()
        if kind is not None:
            kind.check_compatible(code.kind())


def _start_density(predicted: Predicted) -> StartDensity:
    if predicted.spin_density is None:
        return predicted.density
    return SpinDensities(predicted.density, predicted.spin_density)


class _Task(NamedTuple):
    """A structure that has to be computed."""

    seed_id: str
    structure: AtomicStructure
    structure_hash: str


class _Batch:
    """Keep track of the structures of one job."""

    def __init__(
        self,
        maker: SeedMaker,
        stores: Stores,
        structures: list[AtomicStructure],
        predictors: list[Predictor],
    ) -> None:
        self.maker = maker
        self.stores = stores
        self.structures = structures
        self.predictors = predictors
        self.models = {predictor.name: predictor.model_id() for predictor in predictors}
        self.settings_hash = seed_settings_hash(maker.code)
        self.indices: dict[str, list[int]] = {}
        self.docs: dict[str, SeedDoc] = {}
        self.tasks: list[_Task] = []
        self.errors: dict[int, ScdpFlowsError] = {}
        self.n_reused = 0

    def look_up(self) -> None:
        """Find what is stored already and what has to be computed, equal structures once."""
        starts: list[tuple[str, str | None, str | None]] = [
            ("default", None, None),
            ("exact", None, None),
            (BASELINE, BASELINE, None),
            *((name, name, model_id) for name, model_id in self.models.items()),
        ]
        for index, structure in enumerate(self.structures):
            try:
                check_structure(structure)
                found = structure_hash(structure)
            except ScdpFlowsError as error:
                self.errors[index] = error
                continue
            seed_id = SeedDoc.make_id(found, self.settings_hash, starts)
            known = seed_id in self.indices
            self.indices.setdefault(seed_id, []).append(index)
            if known:
                continue
            doc = self.stores.reports.seeds.find({"seed_id": seed_id})
            if doc is None:
                self.tasks.append(_Task(seed_id, structure, found))
            else:
                self.docs[seed_id] = doc
                self.n_reused += 1

    def compute(self) -> None:
        """Predict and compute what is missing, and store each result as soon as it is there."""
        predictions, tasks = [], []
        for task in self.tasks:
            try:
                predictions.append(self._predict(task.structure))
            except ScdpFlowsError as error:
                self._fail(task, error)
            else:
                tasks.append(task)
        if not tasks:
            return
        outcomes = self.maker.code.compare_starts_many(
            [task.structure for task in tasks],
            [{name: _start_density(p) for name, p in found.items()} for found in predictions],
            n_processes=self.maker.n_processes or get_settings().N_PROCESSES,
        )
        total = self.n_reused + len(tasks)
        with (
            Progress("restart", total, done=self.n_reused) as progress,
            closed(outcomes) as results,
        ):
            for outcome in results:
                task = tasks[outcome.index]
                try:
                    self._store(task, value_of(outcome), predictions[outcome.index])
                except StoreError:
                    raise
                except ScdpFlowsError as error:
                    self._fail(task, error)
                progress.advance(task.structure.formula)

    def _predict(self, structure: AtomicStructure) -> dict[str, Predicted]:
        """Return the densities to start from by label."""
        atoms = self.maker.code.atomic_reference(as_arrays(structure)[0].tolist())
        superposition: Predictor = resolve("predictors", BASELINE)(  # type: ignore[operator]
            reference=atoms.to_dict(), ions=True, name=BASELINE
        )
        return {
            predictor.name: next(iter(predictor.predict_many([structure])))
            for predictor in (superposition, *self.predictors)
        }

    def _store(self, task: _Task, starts: list[ScfStart], predicted: dict[str, Predicted]) -> None:
        kind_key = self.maker.code.kind().key()
        same = {"structure_hash": task.structure_hash, "kind_key": kind_key}
        label = next(self.stores.densities.query(same, limit=1), None)
        doc = SeedDoc.from_starts(
            [self._record(start, predicted.get(start.start)) for start in starts],
            structure_hash=task.structure_hash,
            settings_hash=self.settings_hash,
            formula=hill_formula(as_arrays(task.structure)[0]),
            kind_key=kind_key,
            density_id=None if label is None else label.density_id,
        )
        self.docs[task.seed_id] = self.stores.reports.seeds.put(doc)

    def _record(self, start: ScfStart, predicted: Predicted | None) -> StartRecord:
        """Name the predictor of a start, and add the time that it took to predict."""
        record = StartRecord.model_validate(asdict(start))
        if predicted is None:
            return record
        return record.updated(
            predictor=start.start,
            model_id=self.models.get(start.start),
            seed_cpu_s=start.seed_cpu_s + predicted.seconds,
            cpu_s=start.cpu_s + predicted.seconds,
            wall_s=start.wall_s + predicted.seconds,
        )

    def _fail(self, task: _Task, error: ScdpFlowsError) -> None:
        self.errors |= dict.fromkeys(self.indices.pop(task.seed_id), error)

    def output(self) -> SeedOutput:
        """Say what was done.

        Raises
        ------
        ScdpFlowsError
            If that was nothing.
        """
        if not self.indices:
            raise_first(self.errors, "restarted")
        iterations = defaultdict(list)
        for doc in self.docs.values():
            for record in doc.starts:
                iterations[record.start].append(record.iterations)
        return SeedOutput(
            seed_ids=list(self.indices),
            failed=[
                Refusal.from_error(index, self.structures[index].formula, error)
                for index, error in sorted(self.errors.items())
            ],
            mean_iterations={start: statistics.fmean(n) for start, n in iterations.items()},
            n_new=len(self.indices) - self.n_reused,
            n_reused=self.n_reused,
        )
