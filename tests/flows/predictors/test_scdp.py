"""A trained model as a predictor, also one that a job has yet to make."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from jobflow import Flow, JobStore, job, run_locally
from maggma.stores import MemoryStore

from scdp_flows.errors import ModelError
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.schemas.training import file_sha256
from scdp_models import predict

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Molecule

_NO_STATES = {"handles_charge": False, "handles_spin": False}


@job
def _make(path: str) -> dict[str, str]:
    return {"model_id": path}


@job
def _electrons(predictor: ScdpPredictor, molecule: Molecule) -> float:
    return predictor.predict(molecule).n_electrons()


def test_a_model_that_a_job_makes_is_found_when_the_next_job_runs(
    tiny_checkpoint: Path, water: Molecule
) -> None:
    first = _make(str(tiny_checkpoint))
    second = _electrons(ScdpPredictor(model=first.output["model_id"]), water)
    responses: dict[str, Any] = run_locally(
        Flow([first, second]), log=False, store=JobStore(MemoryStore()), raise_immediately=True
    )
    assert abs(responses[second.uuid][1].output - 8) < 1e-5


def test_batches_do_not_change_the_prediction(tiny_checkpoint: Path, water: Molecule) -> None:
    frames = [water.copy() for _ in range(5)]
    for shift, frame in enumerate(frames):
        frame.translate_sites(vector=[0.1 * shift, 0, 0])
    small = list(ScdpPredictor(str(tiny_checkpoint), batch_size=2).predict_many(frames))
    large = list(ScdpPredictor(str(tiny_checkpoint)).predict_many(iter(frames)))
    for a, b in zip(small, large, strict=True):
        np.testing.assert_allclose(a.density.coefficients, b.density.coefficients, atol=1e-5)
        assert abs(a.excess_electrons - b.excess_electrons) < 1e-4


def test_several_devices_share_the_batches_and_keep_their_order(
    tiny_checkpoint: Path, water: Molecule, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [water.copy() for _ in range(7)]
    for shift, frame in enumerate(frames):
        frame.translate_sites(vector=[0.1 * shift, 0, 0])
    alone = list(ScdpPredictor(str(tiny_checkpoint), device="cpu").predict_many(frames))
    threads: set[int] = set()
    real = predict.Model.predict_batch

    def noted(*given: Any, **options: Any) -> Any:
        threads.add(threading.get_ident())
        return real(*given, **options)

    monkeypatch.setattr(predict.Model, "predict_batch", noted)
    several = ScdpPredictor(str(tiny_checkpoint), device="cpu,cpu,cpu", batch_size=2)
    for a, b in zip(alone, several.predict_many(iter(frames)), strict=True):
        np.testing.assert_allclose(a.density.coefficients, b.density.coefficients, atol=1e-5)
    assert len(threads) == 3


def test_structures_that_need_too_much_memory_are_refused(
    tiny_checkpoint: Path, water: Molecule
) -> None:
    assert ScdpPredictor(str(tiny_checkpoint), memory_mb=100).predict(water).n_functions
    with pytest.raises(ModelError, match=r"needs about .* are allowed"):
        ScdpPredictor(str(tiny_checkpoint), memory_mb=0.001).predict(water)


def test_a_model_is_loaded_once_per_process(
    tiny_checkpoint: Path, water: Molecule, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ScdpPredictor(str(tiny_checkpoint)).predict(water)
    read = f"{predict.__name__}.load_checkpoint"
    monkeypatch.setattr(read, lambda path: pytest.fail(f"read {path} again"))
    second = ScdpPredictor(str(tiny_checkpoint)).predict(water)
    np.testing.assert_array_equal(first.coefficients, second.coefficients)


def test_double_precision_is_more_exact(tiny_checkpoint: Path, water: Molecule) -> None:
    predictor = ScdpPredictor(str(tiny_checkpoint), dtype="float64")
    moved = water.copy()
    moved.translate_sites(vector=[3.0, -2.0, 1.0])
    np.testing.assert_allclose(
        predictor.predict(water).coefficients, predictor.predict(moved).coefficients, atol=1e-10
    )


def test_the_model_is_identified_by_its_content(tiny_checkpoint: Path) -> None:
    assert ScdpPredictor(str(tiny_checkpoint)).model_id() == file_sha256(tiny_checkpoint)


def test_a_gpu_is_used_where_there_is_one_and_the_cpu_when_it_fails(
    tiny_checkpoint: Path,
    water: Molecule,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = ScdpPredictor(str(tiny_checkpoint)).predict(water)
    wanted: list[str] = []

    def load(path: Path, dtype: str, *, device: str) -> Any:
        wanted.append(device)
        if device == "cpu":
            return real(path, dtype)

        def fail(*_: Any, **__: Any) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory")

        full = real(path, dtype)
        return SimpleNamespace(elements=full.elements, predict_batch=fail, **_NO_STATES)

    real = predict.load
    monkeypatch.setattr(predict, "load", load)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    found = ScdpPredictor(str(tiny_checkpoint)).predict(water)
    np.testing.assert_array_equal(found.coefficients, expected.coefficients)
    assert wanted == ["cuda:0", "cpu"]
    assert "goes on on the CPU" in caplog.text
    with pytest.raises(torch.OutOfMemoryError):
        ScdpPredictor(str(tiny_checkpoint), device="cuda").predict(water)
