"""Restart DFT from predicted densities, and compare what each start is worth."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from jobflow import job

from scdp_flows.errors import (
    DatasetError,
    MissingDependencyError,
    ScdpFlowsError,
    SettingsError,
    StoreError,
)
from scdp_flows.io.structures import as_arrays, check_structure, structure_hash
from scdp_flows.jobs.base import StepMaker
from scdp_flows.jobs.batches import closed, value_of
from scdp_flows.jobs.evaluate import BASELINE, choose_labels, structure_of
from scdp_flows.jobs.starting_densities import FIT, Given, StartingDensities
from scdp_flows.predictors.base import as_predictors
from scdp_flows.progress import Progress
from scdp_flows.schemas.identity import content_hash, hill_formula
from scdp_flows.schemas.outputs import Refusal, SeedOutput
from scdp_flows.schemas.seeding import SeedDoc, StartRecord
from scdp_flows.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scdp_flows.dft.base import DftCode, Outcome, ScfStart
    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.predictors.base import Predictor
    from scdp_flows.schemas.dataset import Split
    from scdp_flows.stores.factory import Stores

__all__ = ["SeedMaker", "seed_settings_hash"]

_OWN_STARTS = ("default", "exact", BASELINE, FIT)


@dataclass(kw_only=True)
class SeedMaker(StepMaker):
    """Make the job that converges structures from several starting densities.

    These are the code's own guess, superposed atoms, each predictor, and the converged density,
    which is the best possible. Each finished structure is stored at once and never computed twice.
    What a discarded attempt cost is counted, and so is prediction.
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
    fit_start: bool = False
    """Whether to start from the label in Gaussians too, where the structure has such a label: the
    best prediction that the basis allows."""
    other_functional: bool = False
    """Whether predictions for another functional are used, such as PBE ones for a hybrid."""
    audit_fraction: float = 1.0
    """Share of the structures for which all starts are computed. The others start from the
    predictors' densities alone, as in daily work; their energies have nothing beside them."""

    def __post_init__(self) -> None:
        """Refuse an impossible share.

        Raises
        ------
        SettingsError
            If it is not from 0 to 1.
        """
        super().__post_init__()
        if not 0 <= self.audit_fraction <= 1:
            raise SettingsError(f"audit_fraction is {self.audit_fraction}; expected 0 to 1")

    @job(output_schema=SeedOutput)
    def make(
        self,
        structures: Sequence[AtomicStructure] = (),
        *,
        density_ids: Sequence[str] | None = None,
        dataset_id: str | None = None,
        predictors: Predictor | Sequence[Predictor] = (),
    ) -> SeedOutput:
        """Compare starts; the output lists the structures that could not be computed.

        Where that is all of them, the job succeeds nevertheless, so that a flow goes on to sum up
        what the other batches did and what failed.

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
        MissingDependencyError
            If nothing could be computed for want of a program.
        """
        chosen = as_predictors(predictors)
        _check(chosen, self.code, other_functional=self.other_functional)
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


def _check(predictors: list[Predictor], code: DftCode, *, other_functional: bool) -> None:
    own = code.kind()
    for predictor in predictors:
        if predictor.name in _OWN_STARTS:
            raise SettingsError(
                f"a predictor is named {predictor.name!r}, which is a start of its own; give it "
                "another name by its field name"
            )
        kind = predictor.kind()
        if kind is not None:
            compared = replace(own, functional=kind.functional) if other_functional else own
            kind.check_compatible(compared)


class _Task(NamedTuple):
    """A structure that has to be computed."""

    seed_id: str
    structure: AtomicStructure
    structure_hash: str
    audited: bool


class _Start(NamedTuple):
    """Who a start comes from."""

    label: str
    predictor: str | None = None
    model_id: str | None = None


def _is_sampled(found: str, fraction: float) -> bool:
    """Tell whether a structure is in the sample: the same ones for the same structures, always."""
    return int(found[:8], 16) < fraction * 16**8


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
        self.densities = StartingDensities(maker.code, stores, predictors, with_fit=maker.fit_start)
        self.n_reused = 0

    def look_up(self) -> None:
        """Find what is stored already and what has to be computed, equal structures once."""
        for index, structure in enumerate(self.structures):
            try:
                check_structure(structure)
                found = structure_hash(structure)
            except ScdpFlowsError as error:
                self.errors[index] = error
                continue
            audited = not self.predictors or _is_sampled(found, self.maker.audit_fraction)
            seed_id = SeedDoc.make_id(found, self.settings_hash, self._starts(audited=audited))
            known = seed_id in self.indices
            self.indices.setdefault(seed_id, []).append(index)
            if known:
                continue
            doc = self.stores.reports.seeds.find({"seed_id": seed_id})
            if doc is None:
                self.tasks.append(_Task(seed_id, structure, found, audited))
            else:
                self.docs[seed_id] = doc
                self.n_reused += 1

    def _starts(self, *, audited: bool) -> list[_Start]:
        """Return label, predictor and model of each start of a structure."""
        predicted = [_Start(name, name, model_id) for name, model_id in self.models.items()]
        if not audited:
            return predicted
        own = [
            _Start("default"),
            _Start("exact"),
            _Start(BASELINE, BASELINE),
        ]
        return own + [_Start(FIT)] * self.maker.fit_start + predicted

    def compute(self) -> None:
        """Predict and compute what is missing, and store each result as soon as it is there."""
        given, tasks = [], []
        for task in self.tasks:
            try:
                given.append(self.densities.make(task.structure, audited=task.audited))
            except ScdpFlowsError as error:
                self._fail(task, error)
            else:
                tasks.append(task)
        if not tasks:
            return
        total = self.n_reused + len(tasks)
        with (
            Progress("restart", total, done=self.n_reused) as progress,
            closed(self._outcomes(tasks, given)) as results,
        ):
            for task, starts, outcome in results:
                try:
                    self._store(task, value_of(outcome), starts)
                except StoreError:
                    raise
                except ScdpFlowsError as error:
                    self._fail(task, error)
                progress.advance(task.structure.formula)

    def _outcomes(
        self, tasks: list[_Task], given: list[dict[str, Given]]
    ) -> Iterator[tuple[_Task, dict[str, Given], Outcome[list[ScfStart]]]]:
        """Compute the audited structures, then the others, which are compared with nothing."""
        n_processes = self.maker.n_processes or get_settings().N_PROCESSES
        code = self.maker.code
        for audited, run in ((True, code.compare_starts_many), (False, code.seeded_only_many)):
            chosen = [(t, g) for t, g in zip(tasks, given, strict=True) if t.audited is audited]
            if not chosen:
                continue
            outcomes = run(
                [task.structure for task, _ in chosen],
                [{name: one.density for name, one in found.items()} for _, found in chosen],
                n_processes=n_processes,
            )
            with closed(outcomes) as results:
                for outcome in results:
                    yield (*chosen[outcome.index], outcome)

    def _store(self, task: _Task, starts: list[ScfStart], given: dict[str, Given]) -> None:
        label = self.densities.label(task.structure_hash)
        doc = SeedDoc.from_starts(
            [self._record(start, given.get(start.start)) for start in starts],
            structure_hash=task.structure_hash,
            settings_hash=self.settings_hash,
            formula=hill_formula(as_arrays(task.structure)[0]),
            kind_key=self.maker.code.kind().key(),
            density_id=None if label is None else label.density_id,
        ).updated(seed_id=task.seed_id)
        self.docs[task.seed_id] = self.stores.reports.seeds.put(doc)

    def _record(self, start: ScfStart, given: Given | None) -> StartRecord:
        """Name the predictor of a start, and add the time that it took to predict."""
        record = StartRecord.model_validate(asdict(start))
        if given is None:
            return record
        return record.updated(
            predictor=given.predictor,
            model_id=self.models.get(start.start),
            seed_cpu_s=start.seed_cpu_s + given.cpu_s,
            cpu_s=start.cpu_s + given.cpu_s,
            wall_s=start.wall_s + given.wall_s,
        )

    def _fail(self, task: _Task, error: ScdpFlowsError) -> None:
        self.errors |= dict.fromkeys(self.indices.pop(task.seed_id), error)

    def output(self) -> SeedOutput:
        """Say what was done.

        Raises
        ------
        MissingDependencyError
            If nothing could be computed for want of a program: another worker may have it.
        """
        missing = [isinstance(e, MissingDependencyError) for e in self.errors.values()]
        if not self.indices and all(missing):
            raise next(iter(self.errors.values()))
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
