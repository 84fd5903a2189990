"""Give the flow of the drills: all Makers of the pipeline, on hydrogen molecules, in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jobflow import Flow
from pymatgen.core import Molecule

from scdp_flows.density import ChargeDensity
from scdp_flows.dft.pyscf import PyscfCode, PyscfSettings
from scdp_flows.flows.label import LabelFlowMaker
from scdp_flows.flows.pipeline import PipelineMaker
from scdp_flows.flows.predict import PredictFlowMaker
from scdp_flows.flows.train import TrainFlowMaker
from scdp_flows.io.base import write_density
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.evaluate import EvaluateMaker
from scdp_flows.jobs.ingest import IngestMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.predict import PredictMaker
from scdp_flows.jobs.report import ReportMaker
from scdp_flows.jobs.seed import SeedMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.predictors.scdp import ScdpPredictor

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CODE", "JOBS", "N_LABELS", "N_SEEDS", "labels", "molecules", "whole_way"]

JOBS = (
    "label",
    "merge labels",
    "build dataset",
    "train",
    "evaluate",
    "seed",
    "report",
    "ingest",
    "predict",
)
"""Names of the jobs."""
_LENGTHS = (0.70, 0.72, 0.74, 0.76, 0.78, 0.80)
N_LABELS, N_SEEDS = len(_LENGTHS), 2

CODE = PyscfCode(PyscfSettings(basis="gth-szv", spacing=0.2, padding=3.5, charge_tolerance=5e-3))
"""DFT that takes a second."""
_NETWORK = {"n_layers": 1, "n_channels": 8, "lmax": 2, "n_radial": 4, "radial_hidden": 16}
_TRAINING = {"n_steps": 60, "steps_per_round": 20, "batch_size": 3, "warmup_steps": 5, "threads": 1}
_KIND = {"pseudopotential": "gth-pbe", "functional": "PBE", "basis": "gth-dzvp"}


def molecules() -> list[Molecule]:
    """Return hydrogen molecules of different lengths."""
    return [Molecule(["H", "H"], np.diag([0.0, 0.0, one])[1:]) for one in _LENGTHS]


def labels(store: Path, batch_size: int = 3) -> Flow:
    """Return the flow that labels three molecules, by default in one job."""
    maker = LabelFlowMaker(
        label_maker=LabelMaker(code=CODE, n_processes=1),
        batch_size=batch_size,
        store_path=str(store),
    )
    return maker.make(molecules()[:3])


def whole_way(folder: Path, *, by_settings: bool = False) -> Flow:
    """Return the flow from structures to a report.

    Parameters
    ----------
    folder
        Where the report is written and, by default, everything is stored.
    by_settings
        Whether things are stored where the settings of each worker say.
    """
    store = None if by_settings else str(folder / "store")
    maker = PipelineMaker(
        label_maker=LabelFlowMaker(label_maker=LabelMaker(code=CODE, n_processes=1), batch_size=2),
        train_maker=TrainFlowMaker(
            dataset_maker=BuildDatasetMaker(n_processes=1, split=SplitRule(validation=0.25)),
            train_maker=TrainMaker(model_name="small", network=_NETWORK, training=_TRAINING),
            evaluate_maker=EvaluateMaker(n_processes=1),
        ),
        seed_maker=SeedMaker(code=CODE, n_processes=1),
        report_maker=ReportMaker(folder=str(folder / "report")),
        store_path=store,
    )
    chosen = molecules()
    pipeline = maker.make(chosen[:4], test_structures=chosen[4:])
    ingest = IngestMaker(store_path=store, kind=_KIND, n_processes=1).make([_helium(folder)])
    predict = PredictFlowMaker(predict_maker=PredictMaker(), store_path=store).make(
        chosen[:2], predictor=ScdpPredictor(pipeline.output["model_id"], store_path=store)
    )
    return Flow([pipeline, ingest, predict], name="whole way")


def _helium(folder: Path) -> str:
    """Write a density that can be ingested, and return its file."""
    values = 1 + 0.1 * np.random.default_rng(0).random((12, 12, 12))
    values *= 2 / (values.mean() * 27)
    density = ChargeDensity(
        values, 3 * np.eye(3), np.zeros(3), np.array([2]), np.zeros((1, 3)), (True, True, True)
    )
    path = folder / "helium.CHGCAR"
    write_density(density, path)
    return str(path)
