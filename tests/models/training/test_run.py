"""Whole runs: they learn, stop, resume and export."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from scdp_models.checkpoint import load_checkpoint
from scdp_models.data.shards import ShardReader, write_shard
from scdp_models.density.coulomb import coulomb_error
from scdp_models.errors import TrainingError
from scdp_models.predict import load
from scdp_models.training.module import DensityModule
from scdp_models.training.run import MODEL_FILE, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_models.data.samples import TrainingSample
    from scdp_models.training.batches import Batch
    from scdp_models.training.config import RunSpecification

    WriteRun = Callable[..., Path]


class StoppedError(RuntimeError):
    """Stands for what ends a process: a kill, a full disk, the wall time."""


def _stop_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make training stop in the middle of a step."""
    whole = DensityModule.training_step

    def training_step(self: DensityModule, batch: Batch, batch_idx: int) -> torch.Tensor:
        if self.trainer.global_step == step:
            raise StoppedError
        return whole(self, batch, batch_idx)

    monkeypatch.setattr(DensityModule, "training_step", training_step)


def _weights(folder: Path) -> bytes:
    return (folder / MODEL_FILE).read_bytes()


@pytest.mark.parametrize("loss", ["coulomb", "grid_mae"])
def test_training_lowers_the_loss(write_run: WriteRun, loss: str) -> None:
    result = run(write_run(loss=loss, n_steps=60, steps_per_round=20, learning_rate=0.02))
    assert [row["step"] for row in result.history] == [20, 40, 60]
    for name in ("train_loss", "validation_loss"):
        assert result.history[-1][name] < 0.7 * result.history[0][name]


def test_what_is_exported_predicts_as_well_as_it_says(
    write_run: WriteRun, shards: tuple[Path, Path]
) -> None:
    result = run(write_run())
    model, errors = load(result.model, "float64"), []
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
        _stop_at(stop, patched)
        with pytest.raises(StoppedError):
            run(broken)
    assert not (broken / MODEL_FILE).exists()
    result = run(broken)
    first, second = (load_checkpoint(f / MODEL_FILE).state for f in (whole, broken))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert [row["step"] for row in result.history] == [5, 10, 15, 20]


def test_running_a_finished_run_again_changes_nothing(write_run: WriteRun) -> None:
    folder = write_run()
    history = run(folder).history
    weights = _weights(folder)
    assert run(folder).history == history
    assert _weights(folder) == weights


def test_the_same_seed_gives_the_same_model(write_run: WriteRun) -> None:
    folders = [write_run("a"), write_run("b"), write_run("c", seed=1)]
    states = [load_checkpoint(run(folder).model).state for folder in folders]
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
