"""Whole runs: they learn, stop, resume and export."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from scdp_models.checkpoint import load_checkpoint
from scdp_models.data.shards import ShardReader, write_shard
from scdp_models.density.coulomb import coulomb_error
from scdp_models.errors import TrainingError
from scdp_models.predict import load
from scdp_models.training.module import DensityModule
from scdp_models.training.progress import read_metrics
from scdp_models.training.run import MODEL_FILE, RunResult, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_models.data.samples import TrainingSample
    from scdp_models.training.batches import Batch
    from scdp_models.training.config import RunSpecification

    WriteRun = Callable[..., Path]


# Where the package is, for processes that are started.
_MODELS = str(Path(run.__code__.co_filename).parents[2])


class StoppedError(RuntimeError):
    """Stands for what ends a process: a kill, a full disk, the wall time."""


def _stop() -> None:
    raise StoppedError


def _do_at(step: int, action: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Do something in the middle of a step."""
    whole = DensityModule.training_step

    def training_step(self: DensityModule, batch: Batch, batch_idx: int) -> torch.Tensor:
        if self.trainer.global_step == step:
            action()
        return whole(self, batch, batch_idx)

    monkeypatch.setattr(DensityModule, "training_step", training_step)


def _exported(result: RunResult) -> Path:
    assert result.model is not None
    return result.model


def _state(result: RunResult) -> dict[str, torch.Tensor]:
    return dict(load_checkpoint(_exported(result)).state)


def _weights(folder: Path) -> bytes:
    return (folder / MODEL_FILE).read_bytes()


@pytest.mark.parametrize("loss", ["coulomb", "grid_mae", "coulomb_g", "coefficients"])
def test_training_lowers_the_loss(write_run: WriteRun, loss: str) -> None:
    result = run(write_run(loss=loss, n_steps=60, steps_per_round=20, learning_rate=0.02))
    assert [row["step"] for row in result.history] == [20, 40, 60]
    for name in ("train_loss", "validation_loss"):
        assert result.history[-1][name] < 0.8 * result.history[0][name]


def test_what_is_exported_predicts_as_well_as_it_says(
    write_run: WriteRun, shards: tuple[Path, Path]
) -> None:
    result = run(write_run())
    model, errors = load(_exported(result), "float64"), []
    for index in range(2):
        sample = ShardReader([shards[1]])[index]
        predicted = model.predict(sample.template.numbers, sample.template.positions)
        atoms = model.reference.superposition(sample.template.numbers, sample.template.positions)
        errors.append(coulomb_error(predicted, atoms + sample.template))
    assert sum(errors) / 2 == pytest.approx(result.history[-1]["validation_loss"], rel=1e-3)
    assert model.training["dataset"] == "shaken water"
    assert model.kind == {"electrons": "valence"}


@pytest.mark.parametrize(
    ("stop", "loss"), [(3, "coulomb"), (5, "coulomb"), (12, "coulomb"), (12, "grid_mae")]
)
def test_a_stopped_run_goes_on_to_the_same_bits(
    write_run: WriteRun, monkeypatch: pytest.MonkeyPatch, stop: int, loss: str
) -> None:
    whole, broken = write_run("whole", loss=loss), write_run("broken", loss=loss)
    run(whole)
    with monkeypatch.context() as patched:
        _do_at(stop, _stop, patched)
        with pytest.raises(StoppedError):
            run(broken)
    assert not (broken / MODEL_FILE).exists()
    result = run(broken)
    first, second = (load_checkpoint(f / MODEL_FILE).state for f in (whole, broken))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert [row["step"] for row in result.history] == [5, 10, 15, 20]


def test_a_run_that_is_asked_to_stop_goes_on_to_the_same_bits(
    write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"loss": "grid_mae", "loss_switch": {"after": 0.6, "to": "coulomb"}, "patience": 9}
    whole, broken = write_run("whole", **settings), write_run("broken", **settings)
    run(whole)
    with monkeypatch.context() as patched:
        _do_at(7, (broken / "STOP").touch, patched)
        result = run(broken)
    assert (result.model, result.stopped, len(result.history)) == (None, "stop_file", 2)
    assert json.loads((broken / "result.json").read_text())["stopped"] == "stop_file"
    assert not (broken / MODEL_FILE).exists()
    (broken / "STOP").unlink()
    result = run(broken)
    assert result.stopped == "n_steps"
    first, second = (load_checkpoint(f / MODEL_FILE).state for f in (whole, broken))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_asking_in_the_last_round_changes_nothing(
    write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_run()
    _do_at(18, (folder / "STOP").touch, monkeypatch)
    result = run(folder)
    assert result.stopped == "n_steps"
    assert result.model == folder / MODEL_FILE


def test_parts_of_a_batch_give_the_same_weights(write_run: WriteRun) -> None:
    settings: dict[str, Any] = {"batch_size": 4, "n_steps": 6, "precision": "64"}
    states = [_state(run(write_run(f"in {n}", **settings, accumulate=n))) for n in (1, 3, 4)]
    for name, weights in states[0].items():
        for other in states[1:]:
            torch.testing.assert_close(other[name], weights, rtol=1e-9, atol=1e-11)
    assert states[0]["readout.bias"].dtype == torch.float64


def test_time_ends_a_run(write_run: WriteRun) -> None:
    folder = write_run(n_steps=10**6, max_seconds=0.5, steps_per_round=3)
    result = run(folder)
    assert result.stopped == "max_seconds"
    last = result.history[-1]
    assert 0.5 <= last["training_seconds"] < 5
    assert last["step"] < 5000
    # What is over stays over.
    weights = _weights(folder)
    assert run(folder).history == result.history
    assert _weights(folder) == weights


def test_patience_exports_the_best_weights(
    write_run: WriteRun, shards: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = write_run(n_steps=400, steps_per_round=2, patience=2, learning_rate=0.3)
    result = run(folder)
    assert result.stopped == "patience"
    losses = [row["validation_loss"] for row in result.history]
    assert min(losses) == losses[-3]
    document = json.loads((folder / "result.json").read_text())
    assert document["best_step"] == result.history[-3]["step"]
    # A run that starts from these weights, and learns nothing, judges them.
    judged = run(
        write_run("again", n_steps=1, learning_rate=1e-30, initial_weights=str(result.model))
    )
    assert judged.history[0]["validation_loss"] == pytest.approx(min(losses), rel=1e-5)
    weights = _weights(folder)
    run(folder)
    assert _weights(folder) == weights


def test_a_second_stage_learns_exponents(specification: RunSpecification, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    specification.write(folders[0])
    first = run(folders[0]).model
    training = replace(
        specification.training,
        loss="grid_mae",
        loss_weights={"coulomb_g": 0.1},
        initial_weights=str(first),
        schedule="paper_fine_tuning",
        learning_rate=1e-2,
    )
    network = replace(specification.network, scale_exponents=True)
    replace(specification, training=training, network=network).write(folders[1])
    result = run(folders[1])
    before = run(folders[0]).history[-1]["validation_nmae_percent"]
    assert result.history[-1]["validation_nmae_percent"] < before
    state = load_checkpoint(folders[1] / MODEL_FILE).state
    assert state["exponents.weight"].any()


def test_fitted_coefficients_do_not_go_with_learnt_exponents(
    specification: RunSpecification, tmp_path: Path
) -> None:
    network = replace(specification.network, scale_exponents=True)
    replace(specification, network=network).write(tmp_path)
    with pytest.raises(TrainingError, match="fitted coefficients belong to fixed exponents"):
        run(tmp_path)


@pytest.mark.parametrize("predicted", [False, True], ids=["no output", "no loss"])
def test_a_spin_density_is_learnt_where_it_is_predicted(
    specification: RunSpecification, tmp_path: Path, predicted: bool
) -> None:
    network = replace(specification.network, charge_input=predicted, spin_output=predicted)
    weights = {} if predicted else {"coulomb_spin": 1.0}
    training = replace(specification.training, loss_weights=weights)
    replace(specification, network=network, training=training).write(tmp_path)
    with pytest.raises(TrainingError, match="'coulomb_spin'"):
        run(tmp_path)


def test_grids_alone_can_be_trained_on(
    specification: RunSpecification, samples: list[TrainingSample], tmp_path: Path
) -> None:
    bare = [replace(sample, metric=None) for sample in samples]
    shard = str(write_shard(tmp_path / "bare", bare))
    training = replace(specification.training, loss="grid_mae", n_steps=40, learning_rate=0.02)
    replace(
        specification, training_shards=(shard,), validation_shards=(shard,), training=training
    ).write(tmp_path)
    history = run(tmp_path).history
    assert history[-1]["validation_nmae_percent"] < history[0]["validation_nmae_percent"]
    assert "validation_coulomb_ha" in history[0]


def test_event_files_are_written(write_run: WriteRun) -> None:
    folder = write_run(tensorboard=True)
    run(folder)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    steps = [event.step for event in events.Scalars("validation_loss")]
    assert len(steps) == 4


def test_running_out_of_memory_is_said_in_one_line(
    write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    _do_at(7, lambda: torch.empty(2**56), monkeypatch)
    folder = write_run()
    with pytest.raises(TrainingError, match="out of memory with 2 structures at a time"):
        run(folder)
    assert (folder / "last.ckpt").is_file()


_PYTHON = (sys.executable, "-m")
_TORCHRUN = (*_PYTHON, "torch.distributed.run", "--nproc-per-node=2", "--standalone", "-m")
_SRUN = ("srun", "--nodes=1", "--ntasks=2", "--kill-on-bad-exit", *_PYTHON)


@pytest.fixture
def slurm_environment(request: pytest.FixtureRequest) -> dict[str, str]:
    """Give variables with which srun finds a cluster, where it is wanted."""
    if request.node.get_closest_marker("requires") is None:
        return {}
    found: dict[str, str] = request.getfixturevalue("slurm").environment
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "devices"),
    [
        pytest.param(_PYTHON, 2, id="own"),
        pytest.param(_TORCHRUN, None, id="torchrun"),
        pytest.param(_SRUN, None, id="srun", marks=pytest.mark.requires("slurm")),
    ],
)
def test_two_processes_train_as_one(
    write_run: WriteRun,
    command: tuple[str, ...],
    devices: int | None,
    slurm_environment: dict[str, str],
) -> None:
    settings = {"n_steps": 6, "batch_size": 4, "steps_per_round": 3, "loss": "grid_mae"}
    alone, shared = write_run("alone", **settings), write_run("shared", **settings, devices=devices)
    expected = run(alone)
    done = subprocess.run(
        [*command, "scdp_models.training", str(shared)],
        env={**os.environ, **slurm_environment, "PYTHONPATH": _MODELS, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second = (load_checkpoint(f / MODEL_FILE) for f in (alone, shared))
    assert second.training["config"]["devices"] == 2
    for name, weights in first.state.items():
        torch.testing.assert_close(second.state[name], weights, rtol=1e-5, atol=1e-6)
    rows = read_metrics(shared / "metrics.jsonl")
    assert [row["step"] for row in rows] == [3, 6]
    for name in ("train_loss", "validation_loss"):
        assert rows[-1][name] == pytest.approx(expected.history[-1][name], rel=1e-4)


def test_running_a_finished_run_again_changes_nothing(write_run: WriteRun) -> None:
    folder = write_run()
    history = run(folder).history
    weights = _weights(folder)
    assert run(folder).history == history
    assert _weights(folder) == weights


def test_the_same_seed_gives_the_same_model(write_run: WriteRun) -> None:
    folders = [write_run("a"), write_run("b"), write_run("c", seed=1)]
    states = [_state(run(folder)) for folder in folders]
    name = "readout.weights.0"
    assert torch.equal(states[0][name], states[1][name])
    assert not torch.equal(states[0][name], states[2][name])


class Payload:
    """What a hostile file would do when it is unpickled."""

    def __init__(self, touched: Path) -> None:
        self.touched = touched

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.touched,)


def test_a_damaged_or_hostile_state_is_refused(write_run: WriteRun, tmp_path: Path) -> None:
    folder, touched = write_run(), tmp_path / "touched"
    torch.save({"state_dict": Payload(touched)}, folder / "last.ckpt")
    payload = (folder / "last.ckpt").read_bytes()
    for content in (payload, payload[: len(payload) // 2], b""):
        (folder / "last.ckpt").write_bytes(content)
        with pytest.raises(TrainingError, match=r"last\.ckpt is not a usable.*delete it"):
            run(folder)
    assert not touched.exists()


def test_rounds_need_not_divide_the_steps(write_run: WriteRun) -> None:
    history = run(write_run(n_steps=7, steps_per_round=5)).history
    assert [row["step"] for row in history] == [5, 7]
    assert history[-1]["learning_rate"] == 0


def test_training_works_without_validation(specification: RunSpecification, tmp_path: Path) -> None:
    replace(specification, validation_shards=()).write(tmp_path)
    history = run(tmp_path).history
    assert len(history) == 4
    assert "validation_loss" not in history[-1]


def test_a_loss_that_is_no_number_stops_the_run(
    write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = DensityModule.structure_losses

    def structure_losses(self: DensityModule, batch: Batch) -> torch.Tensor:
        losses = whole(self, batch)
        return losses * float("nan") if self.trainer.global_step == 7 else losses

    monkeypatch.setattr(DensityModule, "structure_losses", structure_losses)
    folder = write_run()
    with pytest.raises(TrainingError, match="non-finite loss at step 8; lower the learning rate"):
        run(folder)
    # What is on disk is the last good round, from which a gentler run can go on.
    state = torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]
    assert all(bool(tensor.isfinite().all()) for tensor in state.values())


def test_a_dataset_without_structures_is_refused(
    specification: RunSpecification, tmp_path: Path
) -> None:
    empty = str(write_shard(tmp_path / "empty", []))
    replace(specification, training_shards=(empty,)).write(tmp_path)
    with pytest.raises(TrainingError, match="no training structures; label or ingest"):
        run(tmp_path)


def test_grid_loss_without_grids_says_what_to_build(
    specification: RunSpecification, samples: list[TrainingSample], tmp_path: Path
) -> None:
    bare = write_shard(tmp_path / "bare", [replace(sample, grid=None) for sample in samples])
    training = replace(specification.training, loss="grid_mae")
    replace(specification, training_shards=(str(bare),), training=training).write(tmp_path)
    with pytest.raises(TrainingError, match="keep_grid=True"):
        run(tmp_path)


def test_a_misspelt_setting_is_named(write_run: WriteRun) -> None:
    folder = write_run()
    document = json.loads((folder / "run.json").read_text())
    document["training"]["learning_rat"] = 1e-3
    (folder / "run.json").write_text(json.dumps(document))
    with pytest.raises(TrainingError, match=r"\['learning_rat'\]"):
        run(folder)


def test_lightning_is_as_loud_afterwards_as_before(
    write_run: WriteRun, capfd: pytest.CaptureFixture[str]
) -> None:
    level = logging.getLogger("lightning.pytorch").level
    run(write_run())
    assert logging.getLogger("lightning.pytorch").level == level
    out, err = capfd.readouterr()
    assert not out
    assert "GPU" not in err
