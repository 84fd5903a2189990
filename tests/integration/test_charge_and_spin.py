"""One network learns radicals, ions and closed shells from real labels, and predicts both spins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from jobflow import run_locally
from pymatgen.core import Molecule

from scdp_flows.dft.pyscf import PyscfCode, PyscfSettings
from scdp_flows.errors import StructureError
from scdp_flows.jobs.evaluate import EvaluateMaker
from scdp_flows.jobs.fit_basis import fit_basis
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.samples import Recipe, common_reference, sample_of
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.stores.factory import job_store, open_stores
from scdp_models.data.shards import ShardReader, write_shard
from scdp_models.nn.config import NetworkConfig
from scdp_models.predict import load
from scdp_models.training.config import RunSpecification, TrainingConfig
from scdp_models.training.run import run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.requires("pyscf")]

CODE = PyscfCode(
    PyscfSettings(
        basis="gth-szv", spin="unrestricted", spacing=0.3, padding=3.0, charge_tolerance=0.05
    )
)
WATER = [[0.0, 0.1, 0.12], [0.1, 0.78, -0.45], [0.0, -0.76, -0.48]]
PYRAMID = [[0.0, 0.0, 0.1], [0.94, 0.1, -0.2], [-0.47, 0.81, -0.23], [-0.47, -0.81, -0.2]]
PLANE = [[0.0, 0.0, 0.0], [1.08, 0.0, 0.1], [-0.54, 0.93, 0.0], [-0.54, -0.95, 0.0]]
# The radical OH is not among them: its hole picks one of two degenerate orbitals, and no
# equivariant network can know which.
STRUCTURES = [
    Molecule(["C", "H", "H", "H"], PLANE, spin_multiplicity=2),
    Molecule(["O", "H"], [[0.0, 0.0, 0.0], [0.1, 0.2, 0.95]], charge=-1),
    Molecule(["N", "H", "H"], WATER, spin_multiplicity=2),
    Molecule(["O", "H", "H", "H"], PYRAMID, charge=1),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of stores and training."""
    return tmp_path_factory.mktemp("charge-and-spin")


@pytest.fixture(scope="module")
def labels(folder: Path) -> list[str]:
    """Label the molecules and write their training samples."""
    maker = LabelMaker(code=CODE, store_path=str(folder), n_processes=1)
    step = maker.make(STRUCTURES)
    responses = run_locally(step, log=False, store=job_store(folder), raise_immediately=True)
    ids: list[str] = responses[step.uuid][1].output.density_ids
    basis = fit_basis("lean", [1, 6, 7, 8])
    with open_stores(folder) as stores:
        docs = [stores.densities.get(density_id) for density_id in ids]
        reference = common_reference(docs, stores.blobs)
        recipe = Recipe(basis.to_dict(), reference, "delta", keep_grid=False)
        write_shard(folder / "shard", [sample_of(doc, stores, recipe) for doc in docs])
    RunSpecification(
        training_shards=(str(folder / "shard"),),
        validation_shards=(str(folder / "shard"),),
        network=NetworkConfig(
            n_layers=1, n_channels=8, lmax=2, charge_input=True, spin_output=True
        ),
        training=TrainingConfig(
            loss_weights={"coulomb_spin": 1.0},
            n_steps=120,
            steps_per_round=10,
            warmup_steps=5,
            learning_rate=0.01,
            ema_decay=0.9,
            accelerator="cpu",
        ),
        basis=basis.to_dict(),
        reference=reference,
        kind=CODE.kind().as_dict(),
    ).write(folder)
    return ids


@pytest.fixture(scope="module")
def model(folder: Path, labels: list[str]) -> Path:
    """Train."""
    assert labels
    result = run(folder)
    first, last = result.history[0], result.history[-1]
    for metric in ("validation_coulomb_ha", "validation_coulomb_spin_ha"):
        assert last[metric] < 0.5 * first[metric]
    assert result.model is not None
    return result.model


def test_samples_know_their_states(folder: Path, labels: list[str]) -> None:
    reader = ShardReader([folder / "shard"])
    assert len(reader) == len(labels)
    states = [(reader[i].charge, reader[i].unpaired) for i in range(4)]
    assert states == [(0, 1), (-1, 0), (0, 1), (1, 0)]
    assert [reader[i].spin is not None for i in range(4)] == [True, False, True, False]


def test_predictions_hold_both_counts_and_are_judged(
    folder: Path, labels: list[str], model: Path
) -> None:
    predictor = ScdpPredictor(str(model), dtype="float64")
    predicted = list(predictor.predict_many(STRUCTURES))
    for one, electrons, unpaired in zip(predicted, (7, 8, 7, 8), (1, 0, 1, 0), strict=True):
        assert one.spin_density is not None
        assert one.density.n_electrons() == pytest.approx(electrons, abs=1e-8)
        assert one.spin_density.n_electrons() == pytest.approx(unpaired, abs=1e-8)
    maker = EvaluateMaker(store_path=str(folder), n_processes=1)
    step = maker.make(predictor, labels)
    responses = run_locally(step, log=False, store=job_store(folder), raise_immediately=True)
    summary = responses[step.uuid][1].output.summary
    assert summary["scdp"]["nmae_percent"] < summary["atomic"]["nmae_percent"]
    assert 0 < summary["scdp"]["spin_nmae_percent"] < 100
    assert "spin_nmae_percent" not in summary["atomic"]


def test_states_that_do_not_exist_are_refused(model: Path) -> None:
    assert load(model).handles_charge
    assert load(model).handles_spin
    overlapping = Molecule(["O", "H"], np.array([[0, 0, 0], [0, 0, 0.1]]), charge=-1)
    with pytest.raises(StructureError, match="overlap"):
        ScdpPredictor(str(model)).predict(overlapping)
