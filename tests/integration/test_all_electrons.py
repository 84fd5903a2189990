"""A network learns densities of all electrons from real labels, and its predictions save cycles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jobflow import run_locally
from pymatgen.core import Molecule

from scdp_flows.dft.pyscf import PyscfCode, PyscfSettings
from scdp_flows.errors import KindMismatchError
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.seed import SeedMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.stores.factory import job_store, open_stores

pytestmark = [pytest.mark.slow, pytest.mark.requires("pyscf")]

CODE = PyscfCode(
    PyscfSettings(
        pseudopotential="none", basis="def2-svp", spacing=0.3, padding=3.0, charge_tolerance=0.05
    )
)
WATER = np.array([[0.0, 0.0, 0.12], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]])
NETWORK = {"n_layers": 1, "n_channels": 8, "lmax": 2}
TRAINING = {"n_steps": 120, "steps_per_round": 20, "warmup_steps": 5, "learning_rate": 0.01}


def _rattled(count: int) -> list[Molecule]:
    generator = np.random.default_rng(3)
    shifts = generator.normal(scale=0.04, size=(count, 3, 3))
    return [Molecule(["O", "H", "H"], WATER + shift) for shift in shifts]


def _output(job: Any, folder: Path) -> Any:
    responses = run_locally(job, log=False, store=job_store(folder), raise_immediately=True)
    return responses[job.uuid][1].output


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> ScdpPredictor:
    """Label eight molecules and train a small network on them."""
    folder = tmp_path_factory.mktemp("all-electrons")
    common: dict[str, Any] = {"store_path": str(folder), "n_processes": 1}
    labels = _output(LabelMaker(code=CODE, **common).make(_rattled(9)[1:]), folder)
    build = BuildDatasetMaker(dataset_name="water", split=SplitRule(validation=0.1), **common)
    dataset = _output(build.make(labels.density_ids, test_ids=[]), folder)
    train = TrainMaker(
        model_name="water", network=NETWORK, training=TRAINING, store_path=str(folder)
    )
    model = _output(train.make(dataset.dataset_id), folder)
    return ScdpPredictor(model.model_id, store_path=str(folder), name="predicted")


@pytest.mark.parametrize("functional", ["PBE", "PBE0"])
def test_predictions_save_cycles(predictor: ScdpPredictor, functional: str) -> None:
    code = replace(CODE, settings=replace(CODE.settings, functional=functional))
    folder = Path(str(predictor.store_path))
    maker = SeedMaker(code=code, store_path=str(folder), n_processes=1, other_functional=True)
    found = _output(maker.make(_rattled(1), predictors=predictor), folder)
    with open_stores(folder) as stores:
        doc = stores.reports.seeds.get(found.seed_ids[0])
    starts: dict[str, Any] = {start.start: start for start in doc.starts}
    default, predicted = starts["default"], starts["predicted"]
    assert predicted.seed_used
    assert predicted.iterations < default.iterations
    assert predicted.nmae_percent < 3 < starts["atomic"].nmae_percent
    assert max(abs(start.energy_difference_ha) for start in starts.values()) < 1e-7


def test_valence_electrons_are_another_kind(predictor: ScdpPredictor) -> None:
    kind = predictor.kind()
    assert kind is not None
    assert kind.electrons == "all"
    with pytest.raises(KindMismatchError, match="electrons"):
        kind.check_compatible(PyscfSettings().kind())
