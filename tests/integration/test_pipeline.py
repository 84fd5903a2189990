"""The whole pipeline on real molecules, small: PySCF labels, a trained network, restarted PySCF."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from jobflow import run_locally
from pymatgen.core import Molecule

from scdp_flows.density import ChargeDensity
from scdp_flows.stores.factory import job_store, open_stores

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.flows.pipeline import PipelineMaker
    from scdp_flows.stores.factory import Stores

pytestmark = [pytest.mark.slow, pytest.mark.requires("pyscf")]


def _stretched(structure: Molecule, factors: list[float]) -> list[Molecule]:
    return [Molecule(structure.species, f * np.array(structure.cart_coords)) for f in factors]


@pytest.fixture(scope="module")
def molecules() -> tuple[list[Molecule], list[Molecule]]:
    """Give molecules to train on and others to test on."""
    water = Molecule(["O", "H", "H"], np.array([[0, 0, 0.12], [0, 0.76, -0.48], [0, -0.76, -0.48]]))
    hydrogen = Molecule(["H", "H"], np.array([[0, 0, -0.37], [0, 0, 0.37]]))
    factors = [0.94, 0.97, 1.0, 1.03, 1.06]
    train = [*_stretched(water, factors), *_stretched(hydrogen, factors)]
    return train, [*_stretched(water, [0.985, 1.015])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of stores and report."""
    return tmp_path_factory.mktemp("pipeline")


@pytest.fixture(scope="module")
def pipeline(folder: Path, cheap_pipeline: Any) -> PipelineMaker:
    """Chain cheap settings of everything."""
    maker: PipelineMaker = cheap_pipeline(folder, n_steps=80, validation=0.1)
    return maker


def _run(pipeline: PipelineMaker, molecules: Any, folder: Path) -> dict[str, list[Any]]:
    """Run the pipeline and return the outputs of the jobs by name."""
    train, test = molecules
    flow = pipeline.make(train, test_structures=test)
    names = {job.uuid: job.name for job, _ in flow.iterflow()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCDP_STORE_PATH", str(folder / "elsewhere"))  # must not be used
        store = job_store(folder / "store")
        responses = run_locally(flow, log=False, store=store, raise_immediately=True)
    found: dict[str, list[Any]] = {}
    for uuid, name in names.items():
        found.setdefault(name, []).append(responses[uuid][1].output)
    store.close()
    assert not (folder / "elsewhere").exists()
    return found


@pytest.fixture(scope="module")
def outputs(pipeline: PipelineMaker, molecules: Any, folder: Path) -> dict[str, list[Any]]:
    """Give the outputs of the first run."""
    return _run(pipeline, molecules, folder)


@pytest.fixture
def stores(folder: Path, outputs: Any) -> Any:
    """Open the stores after the run."""
    with open_stores(folder / "store") as opened:
        yield opened


def test_every_structure_has_its_label(outputs: dict[str, list[Any]], stores: Stores) -> None:
    assert sum(output.n_new for output in outputs["label"]) == stores.densities.count() == 12
    for doc in stores.densities.query():
        grid = ChargeDensity.from_arrays(stores.densities.load_arrays(doc, "grid"))
        assert grid.integral() == pytest.approx(doc.n_electrons, abs=5e-3)
        assert doc.fit is not None
        assert doc.fit.nmae_percent is not None
        assert doc.fit.nmae_percent < 1.5
        assert doc.provenance.code == "pyscf"


def test_the_test_structures_are_not_trained_on(
    outputs: dict[str, list[Any]], stores: Stores
) -> None:
    dataset = stores.datasets.get(outputs["build dataset"][0].dataset_id)
    tested = {doc.structure_hash for doc in map(stores.densities.get, dataset.ids("test"))}
    used = [*dataset.ids("train"), *dataset.ids("validation")]
    assert len(tested) == 2
    assert not tested & {doc.structure_hash for doc in map(stores.densities.get, used)}


def test_training_lowers_the_loss(outputs: dict[str, list[Any]]) -> None:
    (model,) = outputs["train"]
    losses = [row["train_loss"] for row in model.history]
    assert losses[-1] < 0.2 * losses[0]
    assert model.metrics["validation_loss_ha"] > 0


def test_the_trained_model_is_better_than_atoms(
    outputs: dict[str, list[Any]], stores: Stores
) -> None:
    (summary,) = outputs["evaluate"]
    trained, atomic = summary.summary["trained"], summary.summary["atomic"]
    assert trained["nmae_percent"] < 0.3 * atomic["nmae_percent"]
    assert trained["coulomb_error_ha"] < 0.1 * atomic["coulomb_error_ha"]
    assert trained["electron_error_e"] < 1e-4


def test_every_start_converges_to_the_same_energy(
    outputs: dict[str, list[Any]], stores: Stores
) -> None:
    docs = [stores.reports.seeds.get(key) for key in outputs["seed"][0].seed_ids]
    assert len(docs) == 2
    for doc in docs:
        starts = {record.start: record for record in doc.starts}
        assert set(starts) == {"default", "atomic", "trained", "exact"}
        energies = [record.energy_ha for record in doc.starts]
        assert max(energies) - min(energies) < 1e-7
        assert starts["trained"].seed_used
        assert starts["exact"].iterations < starts["default"].iterations
        assert starts["trained"].iterations <= starts["default"].iterations


def test_the_report_tells_the_same_numbers(outputs: dict[str, list[Any]], folder: Path) -> None:
    numbers = json.loads((folder / "report" / "report.json").read_text())
    seeds = [doc["seed_id"] for doc in numbers["seeds"]]
    assert seeds == outputs["seed"][0].seed_ids
    assert "<html" in (folder / "report" / "report.html").read_text()


def test_a_second_run_repeats_nothing(
    pipeline: PipelineMaker, molecules: Any, folder: Path, outputs: dict[str, list[Any]]
) -> None:
    again = _run(pipeline, molecules, folder)
    assert [output.n_new for output in again["label"]] == [0, 0]
    assert again["seed"][0].n_new == 0
    for name in ("build dataset", "train", "evaluate"):
        assert again[name] == outputs[name]


def test_arrays_stay_out_of_the_outputs_of_jobs(outputs: dict[str, list[Any]]) -> None:
    for found in outputs.values():
        for output in found:
            text = output.model_dump_json(exclude={"basis", "reference", "history"})
            assert len(text) < 20_000
