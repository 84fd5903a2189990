"""Compare the choice of labels by the disagreement of an ensemble with a random one.

The pool is what a first campaign has at hand: many frames of one trajectory (ethanol) and fewer
molecules of other kinds (QM7, at most eleven atoms). Both strategies begin with the same random
labels, train the same small ensembles on, and are judged on unseen frames and molecules. Labels
are PySCF's; each is computed once and kept, as is all else: a run that was stopped goes on.

Usage: python benchmarks/active_learning.py FOLDER [--seeds 0 1 2] [--rounds N] [--quick]
"""

from __future__ import annotations

import argparse
import json
import warnings
from functools import cache
from pathlib import Path
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jobflow import run_locally
from results_file import make_row, write_results

from scdp_flows.demo.structures import (
    ETHANOL_TEST_FRAMES,
    QM7_TEST_IDS,
    load_ethanol,
    load_qm7_small,
)
from scdp_flows.dft.pyscf.jobs import PyscfCode
from scdp_flows.io.structures import as_arrays
from scdp_flows.jobs.campaign import draw_first
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.samples import Recipe, common_reference, sample_of
from scdp_flows.jobs.select import SelectMaker
from scdp_flows.predictors.ensemble import EnsemblePredictor
from scdp_flows.reports.style import MUTED, decorate, new_figure, to_png
from scdp_flows.schemas.identity import content_hash
from scdp_flows.stores.factory import job_store, open_stores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobflow import Job
    from matplotlib.axes import Axes
    from pymatgen.core import Molecule

    from scdp_flows.schemas.density import DensityDoc

NAME = "active_learning"
BASIS = "lean"
NETWORK: dict[str, Any] = {"n_layers": 1, "n_channels": 16, "lmax": 3}
TRAINING: dict[str, Any] = {"batch_size": 4, "warmup_steps": 20, "ema_decay": 0.99, "threads": 1}
LATER = {"learning_rate": 3e-3}
N_VOXELS = 20_000
LOOKS = {"uncertainty": ("#0072b2", "o"), "random": ("#e69f00", "s")}
GROUPS = {"all": "all test structures", "QM7": "unseen molecules", "ethanol": "ethanol"}

Errors = dict[str, float]


class Sizes(NamedTuple):
    """How much is done."""

    n_first: int = 8
    n_round: int = 8
    n_rounds: int = 3
    n_models: int = 2
    first_steps: int = 800
    later_steps: int = 400


class Structures(NamedTuple):
    """The pool, and what models are judged by, by group."""

    pool: list[Molecule]
    tests: dict[str, list[Molecule]]


class Ensemble(NamedTuple):
    """A folder with checkpoints and what they were found to be worth."""

    folder: Path
    models: tuple[str, ...]


def structures(*, quick: bool) -> Structures:
    """Return the molecules; sulfur is left out, as there are too few molecules with it."""
    known = {"H", "C"} if quick else {"H", "C", "N", "O"}
    ethanol = load_ethanol()
    small = [m for m in load_qm7_small() if len(m) <= 11]
    qm7 = [m for m in small if {element.symbol for element in m.composition} <= known]
    tests = set(QM7_TEST_IDS)
    pool = [m for m in qm7 if m.properties["qm7_id"] not in tests]
    if quick:
        pool.sort(key=len)
        return Structures(pool[:4], {"QM7": pool[4:5]})
    test_frames = ETHANOL_TEST_FRAMES[:12]
    return Structures(
        [*ethanol[:120], *pool],
        {
            "QM7": [m for m in qm7 if m.properties["qm7_id"] in tests][:12],
            "ethanol": [ethanol[i] for i in test_frames],
        },
    )


class Comparison:
    """Campaigns of both strategies in one folder.

    Parameters
    ----------
    folder
        Where everything is kept.
    given
        Pool and tests.
    sizes
        How much is done.
    """

    def __init__(self, folder: Path, given: Structures, sizes: Sizes) -> None:
        from scdp_models.basis.named import basis_from_spec

        self.folder, self.given, self.sizes = folder, given, sizes
        self.store = str(folder / "store")
        elements = {int(z) for m in given.pool for z in as_arrays(m)[0]}
        self.basis = basis_from_spec(BASIS, elements)
        with open_stores(self.store) as stores:
            self.pool = [stores.curation.put_pool(given.pool).structures]
        self.label = cache(self._label)

    def campaign(self, strategy: str, seed: int) -> list[Errors]:
        """Return the test errors of each round."""
        taken = draw_first(self.given.pool, self.sizes.n_first, seed=seed)
        ensemble: Ensemble | None = None
        history = []
        for number in range(self.sizes.n_rounds + 1):
            ensemble = self.train(taken, seed, ensemble)
            history.append(self.judge(ensemble))
            print(f"{strategy}, seed {seed}, {len(taken)} labels: {history[-1]}", flush=True)
            if number < self.sizes.n_rounds:
                taken = [*taken, *self.choose(strategy, seed, taken, ensemble)]
        return history

    def _label(self, index: int) -> DensityDoc:
        """Return the label of a structure of the pool."""
        return self.label_all([self.given.pool[index]])[0]

    def label_all(self, molecules: Sequence[Molecule]) -> list[DensityDoc]:
        """Return the labels of structures, made when missing."""
        maker = LabelMaker(code=PyscfCode(), basis=BASIS, store_path=self.store, n_processes=1)
        ids = self._execute(maker.make(list(molecules))).density_ids
        with open_stores(self.store) as stores:
            return [stores.densities.get(one) for one in ids]

    def _execute(self, job: Job) -> Any:
        store = job_store(self.store)
        responses = run_locally(job, store=store, ensure_success=True, log=False)
        return responses[job.uuid][1].output

    def train(self, taken: Sequence[int], seed: int, start: Ensemble | None) -> Ensemble:
        """Train an ensemble, each model on from one of the last round, unless it is done."""
        sizes = self.sizes._replace(n_rounds=0)
        key = content_hash([taken, seed, start and start.folder.name, sizes])[:16]
        folder = self.folder / "ensembles" / key
        models = []
        for number in range(self.sizes.n_models):
            place = folder / str(number)
            model = place / "model.safetensors"
            if not model.is_file():
                self._train_one(place, taken, 100 * seed + number, start and start.models[number])
            models.append(str(model))
        return Ensemble(folder, tuple(models))

    def _train_one(self, folder: Path, taken: Sequence[int], seed: int, start: str | None) -> None:
        from scdp_models.nn.config import NetworkConfig
        from scdp_models.training.config import RunSpecification, TrainingConfig
        from scdp_models.training.run import run

        docs = [self.label(index) for index in taken]
        with open_stores(self.store) as stores:
            reference = common_reference(docs, stores.blobs)
        recipe = Recipe(self.basis.to_dict(), reference, "delta", keep_grid=False)
        steps = self.sizes.first_steps if start is None else self.sizes.later_steps
        settings = {**TRAINING, "seed": seed, "n_steps": steps, "steps_per_round": steps}
        if start is not None:
            settings |= {**LATER, "initial_weights": start}
        folder.mkdir(parents=True, exist_ok=True)
        RunSpecification(
            training_shards=tuple(self._shard(doc, recipe) for doc in docs),
            validation_shards=(),
            network=NetworkConfig(**NETWORK),
            training=TrainingConfig(**settings),
            basis=recipe.basis,
            reference=reference,
            kind=docs[0].kind,
        ).write(folder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run(folder)

    def _shard(self, doc: DensityDoc, recipe: Recipe) -> str:
        from scdp_models.data.shards import write_shard

        path = self.folder / "samples" / f"{doc.density_id}.safetensors"
        if not path.is_file():
            path.parent.mkdir(exist_ok=True)
            with open_stores(self.store) as stores:
                sample = sample_of(doc, stores, recipe)
            write_shard(path.with_suffix(".tmp"), [sample]).replace(path)
        return str(path)

    def choose(
        self, strategy: str, seed: int, taken: Sequence[int], ensemble: Ensemble
    ) -> list[int]:
        """Choose what is labelled next."""
        path = ensemble.folder / f"{strategy}.json"
        if not path.is_file():
            maker = SelectMaker(
                strategy=strategy,  # type: ignore[arg-type] # one of the two
                n_structures=self.sizes.n_round,
                seed=seed,
                store_path=self.store,
            )
            chosen = self._execute(
                maker.make(self.pool, EnsemblePredictor(ensemble.models), taken=list(taken))
            )
            path.write_text(json.dumps(chosen.indices))
        indices: list[int] = json.loads(path.read_text())
        return indices

    def judge(self, ensemble: Ensemble) -> Errors:
        """Return the mean NMAE of each group of test structures, %."""
        path = ensemble.folder / "errors.json"
        if not path.is_file():
            predictor = EnsemblePredictor(ensemble.models, with_uncertainty=False)
            found = {
                group: [
                    nmae_percent(predictor, molecule, *label)
                    for molecule, label in zip(molecules, self._voxels(group), strict=True)
                ]
                for group, molecules in self.given.tests.items()
            }
            path.write_text(json.dumps(found))
        errors: dict[str, list[float]] = json.loads(path.read_text())
        every = [one for group in errors.values() for one in group]
        return {"all": fmean(every)} | {group: fmean(ones) for group, ones in errors.items()}

    @cache  # noqa: B019 - one comparison lives as long as the process
    def _voxels(self, group: str) -> list[tuple[Any, Any, float]]:
        """Draw the voxels at which the test structures of a group are compared.

        Returns
        -------
        list
            Positions (Å), labelled density (e/Å^3), and volume over number of electrons (Å^3/e).
        """
        from scdp_models.data.samples import GridLabel

        found = []
        docs = self.label_all(self.given.tests[group])
        with open_stores(self.store) as stores:
            for doc in docs:
                arrays = stores.densities.load_arrays(doc, "grid")
                grid = GridLabel(arrays["values"], arrays["origin"], arrays["cell"])
                drawn = np.random.default_rng(0).integers(grid.values.size, size=N_VOXELS)
                volume = abs(float(np.linalg.det(grid.cell)))
                electrons = doc.n_electrons or float(grid.values.mean()) * volume
                found.append((grid.points(drawn), grid.values.ravel()[drawn], volume / electrons))
        return found


def nmae_percent(
    predictor: EnsemblePredictor, molecule: Molecule, points: Any, label: Any, scale: float
) -> float:
    """Estimate the integral of |prediction - label| over the electron count, %."""
    from scdp_models.density.evaluate import evaluate_at_points

    values = evaluate_at_points(predictor.predict(molecule), points)
    return float(100 * scale * np.abs(values - label).mean())


def draw(found: dict[str, list[list[Errors]]], labels: Sequence[int]) -> bytes:
    """Draw error against labels: mean and standard deviation over seeds, one panel per group."""
    with new_figure(9.0, 3.2) as figure:
        panels = figure.subplots(1, len(GROUPS))
        for axes, (group, title) in zip(panels, GROUPS.items(), strict=True):
            for strategy, campaigns in found.items():
                values = np.array([[errors[group] for errors in one] for one in campaigns])
                _line(axes, labels, values, strategy)
            decorate(axes, title, x="labels", y="NMAE / %" if group == "all" else "", grid="y")
            axes.set_xticks(labels)
            axes.set_ylim(bottom=0)
        panels[0].legend(loc="lower left")
        return to_png(figure, dpi=160)


def _line(axes: Axes, labels: Sequence[int], values: Any, strategy: str) -> None:
    colour, marker = LOOKS[strategy]
    mean, spread = values.mean(axis=0), values.std(axis=0)
    axes.fill_between(labels, mean - spread, mean + spread, color=colour, alpha=0.18, lw=0)
    axes.plot(labels, values.T, color=colour, lw=0.7, alpha=0.6)
    name = {"uncertainty": "least certain", "random": "random"}[strategy]
    axes.plot(labels, mean, color=colour, marker=marker, ms=5, label=name, mec=MUTED, mew=0.4)


def rows_of(found: dict[str, list[list[Errors]]], labels: Sequence[int]) -> list[Any]:
    """Return mean and spread of every point, the random choice beside the other."""
    rows = []
    for group in GROUPS:
        for number, n_labels in enumerate(labels):
            values = {s: [one[number][group] for one in runs] for s, runs in found.items()}
            for strategy, errors in values.items():
                name = f"{group}: {strategy}, {n_labels} labels"
                other = fmean(values["random"]) if strategy != "random" else None
                rows.append(make_row(f"{name}: NMAE", fmean(errors), "%", reference=other))
                rows.append(make_row(f"{name}: spread over seeds", pstdev(errors), "%"))
    return rows


def main() -> None:
    """Run the campaigns, and write results and figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rounds", type=int, default=Sizes().n_rounds)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    sizes = Sizes(n_rounds=arguments.rounds)
    if arguments.quick:
        sizes = Sizes(2, 1, 1, 2, 4, 2)
    seeds = arguments.seeds[: 1 if arguments.quick else None]
    comparison = Comparison(arguments.folder, structures(quick=arguments.quick), sizes)
    found: dict[str, list[list[Errors]]] = {strategy: [] for strategy in LOOKS}
    for seed in seeds:
        for strategy, campaigns in found.items():
            campaigns.append(comparison.campaign(strategy, seed))
    if not arguments.quick:
        labels = [sizes.n_first + i * sizes.n_round for i in range(sizes.n_rounds + 1)]
        path = write_results(NAME, rows_of(found, labels))
        path.with_suffix(".png").write_bytes(draw(found, labels))


if __name__ == "__main__":
    main()
