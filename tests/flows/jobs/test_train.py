"""Models are trained once per dataset and settings, and go on where they stopped."""

from __future__ import annotations

import json
import time
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from jobflow import CURRENT_JOB, Flow
from jobflow.core.job import store_inputs

from scdp_flows.errors import DatasetError, SettingsError, StoreError, TrainingError
from scdp_flows.jobs import train
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.jobs.training_folder import note_correction
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.schemas.training import ModelDoc, file_sha256
from scdp_flows.stores.factory import job_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pymatgen.core import Molecule

    from scdp_flows.jobs.training_process import Watch
    from scdp_flows.schemas.dataset import DatasetDoc


@pytest.fixture
def launchpad(tmp_path: Path, mongo_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give an empty LaunchPad, and a folder for what its workers write."""
    from fireworks import LaunchPad

    pad = LaunchPad(host="127.0.0.1", port=mongo_port, name=tmp_path.name, strm_lvl="ERROR")
    pad.reset("", require_password=False)
    monkeypatch.chdir(tmp_path)
    yield pad
    pad.connection.close()


def _train(maker: TrainMaker, dataset_id: str, start_from: str | None = None) -> ModelDoc:
    doc = TrainMaker.make.original(maker, dataset_id, start_from)  # type: ignore[attr-defined]
    assert isinstance(doc, ModelDoc)
    return doc


@pytest.mark.slow
def test_a_model_is_trained_stored_and_can_predict(
    maker: TrainMaker, dataset: DatasetDoc, water: Molecule, monkeypatch: pytest.MonkeyPatch
) -> None:
    doc = _train(maker, dataset.dataset_id)
    assert doc.dataset_id == dataset.dataset_id
    assert [row["step"] for row in doc.history] == [3, 6]
    assert {"train_loss_ha", "validation_loss_ha"} <= set(doc.metrics)
    assert doc.elements == ["C", "H", "O"]
    predictor = ScdpPredictor(model="tiny", store_path=maker.store_path)
    assert predictor.model_id() == doc.model_id
    assert predictor.predict(water).n_electrons() == pytest.approx(8, abs=1e-5)
    monkeypatch.setattr(train, "run_training", None)
    assert _train(maker, "dataset") == doc


def test_what_was_done_is_recorded(
    maker: TrainMaker, dataset: DatasetDoc, instant_training: list[Path]
) -> None:
    doc = _train(maker, dataset.dataset_id)
    assert doc.metrics == {"train_loss_ha": 0.5, "validation_loss_ha": 0.7}
    assert doc.train_seconds == 3.0
    assert doc.config["network"]["n_channels"] == 4
    assert doc.config["training"]["n_steps"] == 6
    assert doc.kind == dataset.kind
    assert not (instant_training[0] / "shards").exists()


def test_other_settings_are_another_run_and_threads_are_not(
    maker: TrainMaker, dataset: DatasetDoc, instant_training: list[Path]
) -> None:
    _train(maker, dataset.dataset_id)
    _train(replace(maker, training={**maker.training, "threads": 1}), dataset.dataset_id)
    assert len(instant_training) == 1
    _train(replace(maker, training={**maker.training, "seed": 1}), dataset.dataset_id)
    assert len(set(instant_training)) == 2


def test_another_start_is_another_run_and_is_recorded(
    maker: TrainMaker, dataset: DatasetDoc, instant_training: list[Path], tiny_checkpoint: Path
) -> None:
    copy = tiny_checkpoint.with_name("copy.safetensors")
    copy.write_bytes(tiny_checkpoint.read_bytes())
    assert _train(maker, dataset.dataset_id).parent_id is None
    for start in (tiny_checkpoint, copy):
        doc = _train(maker, dataset.dataset_id, str(start))
        assert doc.parent_id == file_sha256(tiny_checkpoint)
    assert len(instant_training) == 2
    settings = json.loads((instant_training[1] / "run.json").read_text())
    assert settings["training"]["initial_weights"] == str(tiny_checkpoint)


def test_a_trained_model_takes_a_new_name(
    maker: TrainMaker, dataset: DatasetDoc, instant_training: list[Path]
) -> None:
    first = _train(maker, dataset.dataset_id)
    second = _train(replace(maker, model_name="other"), dataset.dataset_id)
    assert (second.model_id, second.name) == (first.model_id, "other")
    assert len(instant_training) == 1


def test_a_model_that_was_not_stored_in_time_is_not_trained_again(
    maker: TrainMaker, dataset: DatasetDoc, instant_training: list[Path]
) -> None:
    doc = _train(maker, dataset.dataset_id)
    with maker.open_stores() as stores:
        stores.models.documents.remove(doc.model_id)
    assert _train(maker, dataset.dataset_id).model_id == doc.model_id
    assert len(instant_training) == 1


def test_a_damaged_checkpoint_is_stored_anew_from_the_folder_of_its_run(
    maker: TrainMaker, dataset: DatasetDoc, instant_training: list[Path], damage: Any
) -> None:
    doc = _train(maker, dataset.dataset_id)
    assert doc.blob is not None
    with maker.open_stores() as stores:
        damage(stores, doc.blob)
        assert _train(maker, dataset.dataset_id).model_id == doc.model_id
        assert stores.blobs.is_whole(doc.blob)
    assert len(instant_training) == 1


def test_an_interrupted_run_keeps_its_lowered_learning_rate(
    maker: TrainMaker, dataset: DatasetDoc, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = []

    def fail(folder: Path, watch: Watch) -> bool:
        path = folder / "run.json"
        document = json.loads(path.read_text())
        rates.append(document["training"]["learning_rate"])
        document["training"]["learning_rate"] *= 0.1
        path.write_text(json.dumps(document) if len(rates) < 2 else "{cut sho")
        raise TrainingError("killed")

    monkeypatch.setattr(train, "run_training", fail)
    for _ in range(3):
        with pytest.raises(TrainingError, match="killed"):
            _train(maker, dataset.dataset_id)
    assert rates == pytest.approx([5e-3, 5e-4, 5e-3])


@pytest.mark.parametrize(
    ("network", "training", "message"),
    [
        ({"n_layer": 2}, {}, "unknown network settings .*n_layer"),
        ({}, {"steps": 2}, "unknown training settings .*steps"),
        ({"n_layers": "two"}, {}, "fields network and training"),
        ({"target": "total"}, {}, "target 'total' does not fit dataset 'dataset'"),
        ({}, {"loss": "grid_mae"}, "keep_grid=True"),
        ({}, {"loss_weights": {"coulomb_g": 0.1}}, "keep_grid=True"),
        ({}, {"initial_weights": "model.safetensors"}, "make.. as start_from"),
    ],
)
def test_wrong_settings_are_named(
    network: dict[str, Any],
    training: dict[str, Any],
    message: str,
    maker: TrainMaker,
    dataset: DatasetDoc,
) -> None:
    with pytest.raises(SettingsError, match=message):
        _train(replace(maker, network=network, training=training), dataset.dataset_id)


def test_a_run_that_runs_out_of_time_goes_on_in_a_job_of_the_same_sort(
    maker: TrainMaker,
    dataset: DatasetDoc,
    instant_training: list[Path],
    run_flow: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finish, configurations = vars(train)["run_training"], []

    def train_in_turns(folder: Path, watch: Watch) -> bool:
        configurations.append(deepcopy(CURRENT_JOB.job.config))
        (folder / "last.ckpt").touch()
        return len(configurations) == 3 and bool(finish(folder, watch))

    monkeypatch.setattr(train, "run_training", train_in_turns)
    job = replace(maker, wall_time_s=100.0).make(dataset.dataset_id)
    job.config.manager_config = {"worker": "gpu"}
    job.config.response_manager_config = {"worker": "cpu"}
    after = store_inputs(job.output.model_id)
    model_id = run_flow(Flow([job, after], output=after.output))
    assert len(configurations) == 3
    assert {str(config.manager_config) for config in configurations} == {"{'worker': 'gpu'}"}
    with maker.open_stores() as stores:
        assert stores.models.get(model_id).name == "tiny"
    assert len(set(instant_training)) == 1


def test_limits_reach_those_who_watch(
    maker: TrainMaker, dataset: DatasetDoc, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Watch] = []
    monkeypatch.setattr(train, "run_training", lambda _, watch: seen.append(watch))
    maker = replace(maker, hang_s=7.0, n_corrections=3, wall_time_s=500.0, launcher=["nice"])
    answer = TrainMaker.make.original(maker, dataset.dataset_id)  # type: ignore[attr-defined]
    assert answer.replace.function_args[0] == dataset.dataset_id
    (watch,) = seen
    assert (watch.hang_s, watch.n_corrections, watch.launcher) == (7.0, 3, ("nice",))
    assert watch.time_limit is not None
    assert watch.time_limit.margin_s == pytest.approx(50)


def test_a_batch_job_without_time_is_not_used(
    maker: TrainMaker, dataset: DatasetDoc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_START_TIME", str(time.time() - 990))
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(time.time() + 10))
    with pytest.raises(TrainingError, match=r"submit the flow again.*rapidfire --timeout"):
        _train(maker, dataset.dataset_id)


@pytest.mark.requires("fireworks")
def test_a_worker_that_stops_in_time_leaves_the_continuation_to_the_next(
    maker: TrainMaker,
    dataset: DatasetDoc,
    instant_training: list[Path],
    launchpad: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fireworks.core.rocket_launcher import rapidfire
    from jobflow.managers.fireworks import flow_to_workflow

    finish = vars(train)["run_training"]

    def run_out_of_time(_folder: Path, watch: Watch) -> bool:
        assert watch.time_limit is not None
        monkeypatch.setenv("SLURM_JOB_END_TIME", str(time.time() + 1))
        monkeypatch.setattr(train, "run_training", finish)
        time.sleep(1.1)
        return False

    monkeypatch.setattr(train, "run_training", run_out_of_time)
    monkeypatch.setenv("SLURM_JOB_START_TIME", str(time.time()))
    outputs = job_store(str(maker.store_path))
    launchpad.add_wf(flow_to_workflow(maker.make(dataset.dataset_id), store=outputs))
    for states in (["COMPLETED", "READY"], ["COMPLETED", "COMPLETED"]):
        monkeypatch.setenv("SLURM_JOB_END_TIME", str(time.time() + 5000))
        rapidfire(launchpad, timeout=1, sleep_time=0.01, strm_lvl="ERROR")
        numbers = sorted(launchpad.get_fw_ids())
        assert [launchpad.get_fw_by_id(number).state for number in numbers] == states
    assert len(instant_training) == 1
    with maker.open_stores() as stores:
        assert stores.models.get("tiny").dataset_id == dataset.dataset_id


def test_corrections_are_kept_with_the_model(
    maker: TrainMaker,
    dataset: DatasetDoc,
    instant_training: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finish = vars(train)["run_training"]

    def correct(folder: Path, watch: Watch) -> bool:
        for part in range(150):
            note_correction(folder, "OutOfMemoryHandler", "out of memory", {"accumulate": part})
        return bool(finish(folder, watch))

    monkeypatch.setattr(train, "run_training", correct)
    corrections = _train(maker, dataset.dataset_id).corrections
    assert len(corrections) == 100
    assert corrections[-1].action == {"accumulate": 149}


def test_a_dataset_without_samples_is_refused(maker: TrainMaker, dataset: DatasetDoc) -> None:
    with maker.open_stores() as stores:
        stores.datasets.put(dataset.updated(shards=[]))
    with pytest.raises(DatasetError, match="build it again"):
        _train(maker, dataset.dataset_id)


def test_a_folder_that_cannot_be_written_is_named(maker: TrainMaker, dataset: DatasetDoc) -> None:
    with maker.open_stores() as stores:
        (stores.path / "training").write_text("no folder")
    with pytest.raises(StoreError, match=r"training.*cannot be written"):
        _train(maker, dataset.dataset_id)
