"""Make the checkpoint that ships with the package, and its model card.

Labels 180 ethanol frames (rMD17) and the QM7 molecules of H, C, N, O with at most five heavy
atoms, trains the compact network on all but the test lists of ``scdp_flows.demo.structures``, and
judges it on those. Everything is kept in the store, so that the script continues where it was
stopped. About an hour on two cores; with ``--quick`` a toy version in under a minute, whose
model and numbers are kept nowhere.

Usage: python benchmarks/pretrained_model.py [--store FOLDER] [--processes N] [--quick]
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from jobflow import run_locally
from results_file import machine, make_row, write_results

from scdp_flows.demo.structures import (
    ETHANOL_TEST_FRAMES,
    ETHANOL_TRAIN_FRAMES,
    QM7_TEST_IDS,
    load_ethanol,
    load_qm7_small,
)
from scdp_flows.dft.pyscf.jobs import PyscfCode
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.evaluate import EvaluateMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.seed import SeedMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.stores.factory import job_store, open_stores

if TYPE_CHECKING:
    from jobflow import Job
    from pymatgen.core import Molecule

    from scdp_flows.schemas.evaluation import EvaluationDoc
    from scdp_flows.schemas.seeding import SeedDoc
    from scdp_flows.schemas.training import ModelDoc

NAME = "small-molecules-pbe-gth"
COMMAND = "python benchmarks/pretrained_model.py"
ELEMENTS = {"H", "C", "N", "O"}
N_ETHANOL_TESTS = 12
NETWORK = {"n_channels": 48}
TRAINING = {"n_steps": 8000, "steps_per_round": 200, "threads": 1}
PRETRAINED = Path(__file__).parents[1] / "models" / "scdp_models" / "pretrained"

Groups = dict[str, list["Molecule"]]


def structures(*, quick: bool) -> Groups:
    """Return training and test molecules; sulfur has too few molecules to be learnt."""
    ethanol = load_ethanol()
    qm7 = [m for m in load_qm7_small() if {e.symbol for e in m.composition} <= ELEMENTS]
    test_ids = set(QM7_TEST_IDS)
    groups = {
        "ethanol": [ethanol[i] for i in ETHANOL_TRAIN_FRAMES],
        "qm7": [m for m in qm7 if m.properties["qm7_id"] not in test_ids],
        "ethanol_test": [ethanol[i] for i in ETHANOL_TEST_FRAMES[:N_ETHANOL_TESTS]],
        "qm7_test": [m for m in qm7 if m.properties["qm7_id"] in test_ids],
    }
    if quick:
        small = sorted(qm7, key=len)
        return {"ethanol": [], "qm7": small[2:6], "ethanol_test": [], "qm7_test": small[1:2]}
    return groups


class Pipeline:
    """The steps, carried out one after the other in one store.

    Parameters
    ----------
    folder
        Where everything is kept.
    n_processes
        Structures computed at a time.
    """

    def __init__(self, folder: Path, n_processes: int | None) -> None:
        self.common = {"store_path": str(folder), "n_processes": n_processes}
        self.folder, self.code = folder, PyscfCode()
        self.job_store = job_store(folder)

    def execute(self, job: Job) -> Any:
        """Run one job and return its output."""
        responses = run_locally(job, store=self.job_store, ensure_success=True, log=False)
        return responses[job.uuid][1].output

    def label(self, groups: Groups) -> dict[str, list[str]]:
        """Return the labels of each group of molecules."""
        maker = LabelMaker(code=self.code, **self.common)
        return {
            name: self.execute(maker.make(molecules, tags=[name])).density_ids
            for name, molecules in groups.items()
            if molecules
        }

    def train(self, labels: dict[str, list[str]], *, training: dict[str, Any]) -> ModelDoc:
        """Build the dataset and train."""
        tests = [i for name, ids in labels.items() if name in TESTS for i in ids]
        others = [i for name, ids in labels.items() if name not in TESTS for i in ids]
        maker = BuildDatasetMaker(
            dataset_name=NAME, split=SplitRule(validation=0.04), **self.common
        )
        dataset = self.execute(maker.make(others, test_ids=tests))
        train = TrainMaker(
            model_name=NAME, network=NETWORK, training=training, store_path=str(self.folder)
        )
        model: ModelDoc = self.execute(train.make(dataset.dataset_id))
        return model

    def judge(self, ids: list[str], model_id: str) -> tuple[EvaluationDoc, list[SeedDoc]]:
        """Measure the model on labels and as a start."""
        predictor = ScdpPredictor(model_id, store_path=str(self.folder))
        evaluated = self.execute(EvaluateMaker(**self.common).make(predictor, ids))
        seeded = self.execute(
            SeedMaker(code=self.code, **self.common).make(density_ids=ids, predictors=predictor)
        )
        with open_stores(self.folder) as stores:
            evaluations = [stores.reports.evaluations.get(i) for i in evaluated.evaluation_ids]
            seeds = [stores.reports.seeds.get(i) for i in seeded.seed_ids]
        return next(e for e in evaluations if e.predictor == predictor.name), seeds


def summarise(evaluation: EvaluationDoc, seeds: list[SeedDoc]) -> dict[str, float]:
    """Return the numbers of one group for the card."""
    starts = [{start.start: start for start in doc.starts} for doc in seeds]
    seeded = [s[evaluation.predictor] for s in starts]
    default = [s["default"] for s in starts]
    return {
        "structures": len(seeds),
        "nmae_percent": fmean(row.nmae_percent for row in evaluation.rows),
        "nmae_percent_max": max(row.nmae_percent for row in evaluation.rows),
        "coulomb_error_mha": 1e3 * fmean(row.coulomb_error_ha for row in evaluation.rows),
        "iterations_default": fmean(s.iterations for s in default),
        "iterations_seeded": fmean(s.iterations for s in seeded),
        "cpu_saved_percent": 100
        * (1 - sum(s.cpu_s for s in seeded) / sum(s.cpu_s for s in default)),
        "energy_difference_ha_max": max(abs(s.energy_difference_ha or 0.0) for s in seeded),
    }


def write_card(
    model: ModelDoc, numbers: dict[str, dict[str, float]], counts: dict[str, int]
) -> None:
    """Copy the model into the package, with its card."""
    rows = "\n".join(
        f"| {GROUP_TITLES[name]} | {n['structures']:.0f} | {n['nmae_percent']:.2f} "
        f"(max {n['nmae_percent_max']:.2f}) | {n['coulomb_error_mha']:.3f} | "
        f"{n['iterations_default']:.1f} → {n['iterations_seeded']:.1f} | "
        f"{n['cpu_saved_percent']:.0f} | {n['energy_difference_ha_max']:.0e} |"
        for name, n in numbers.items()
    )
    (PRETRAINED / f"{NAME}.md").write_text(
        CARD.read_text().format(
            name=NAME,
            rows=rows,
            command=COMMAND,
            machine=machine(),
            seconds=model.train_seconds,
            n_ethanol=counts["ethanol"],
            n_qm7=counts["qm7"],
            network=json.dumps(NETWORK),
            training=json.dumps(TRAINING),
            model_id=model.model_id,
        )
    )


GROUP_TITLES = {
    "ethanol_test": "ethanol, unseen frames",
    "qm7_test": "unseen QM7 molecules, ≤ 5 heavy atoms",
}
TESTS = tuple(GROUP_TITLES)
UNITS = {
    "nmae_percent": "%",
    "nmae_percent_max": "%",
    "coulomb_error_mha": "mHa",
    "cpu_saved_percent": "%",
    "energy_difference_ha_max": "Ha",
}
CARD = Path(__file__).with_name("model_card.md")


def main() -> None:
    """Run all steps and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path("pretrained_store"))
    parser.add_argument("--processes", type=int, default=None)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    groups = structures(quick=arguments.quick)
    pipeline = Pipeline(arguments.store, arguments.processes)
    labels = pipeline.label(groups)
    training = {"n_steps": 20, "steps_per_round": 10} if arguments.quick else TRAINING
    model = pipeline.train(labels, training=training)
    numbers = {
        name: summarise(*pipeline.judge(labels[name], model.model_id))
        for name in TESTS
        if name in labels
    }
    rows = [
        make_row(f"{group}: {name}", value, UNITS.get(name, ""))
        for group, values in numbers.items()
        for name, value in values.items()
    ]
    if not arguments.quick:
        write_results("pretrained_model", rows)
        with open_stores(arguments.store) as stores:
            fetched = stores.models.fetch(model.model_id, PRETRAINED)
        shutil.move(fetched, PRETRAINED / f"{NAME}.safetensors")
        write_card(model, numbers, {name: len(ids) for name, ids in labels.items()})


if __name__ == "__main__":
    main()
