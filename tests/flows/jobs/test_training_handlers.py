"""What goes wrong in training is corrected, within limits, and written down."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import TrainingError
from scdp_flows.jobs.training_folder import (
    LOG_FILE,
    METRICS_FILE,
    MODEL_FILE,
    STATE_FILE,
    STOP_FILE,
    read_corrections,
    training_settings,
)
from scdp_flows.jobs.training_handlers import (
    HangHandler,
    NonFiniteLossHandler,
    OutOfMemoryHandler,
    WallTimeHandler,
)
from scdp_flows.jobs.training_process import Watch, run_training
from scdp_flows.jobs.wall_time import TimeLimit

if TYPE_CHECKING:
    from pathlib import Path

_WRITE_MODEL = f"open('{MODEL_FILE}', 'w').write('weights')"
_SETTINGS = "s = json.load(open('run.json'))['training']"
_WAIT = f"while not os.path.exists('{STOP_FILE}'): print('step', flush=True); time.sleep(0.1)\n"
_OBEY = f"{_WAIT}open('{METRICS_FILE}', 'a').write(json.dumps({{'step': time.time()}}))\n"


def _noted(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    return [(one.handler, one.action) for one in read_corrections(folder)]


def _ends_in(seconds: float) -> TimeLimit:
    return TimeLimit(time.time(), time.time() + seconds / 0.9)


def test_a_diverged_run_starts_again_with_a_lower_rate(run_folder: Path, train_by: Any) -> None:
    train_by(
        f"{_SETTINGS}\nif s['learning_rate'] > 2e-3: sys.exit('non-finite loss at step 3')\n"
        f"{_WRITE_MODEL}"
    )
    assert run_training(run_folder)
    assert training_settings(run_folder)["learning_rate"] == pytest.approx(1e-3)
    assert not (run_folder / STATE_FILE).exists()
    assert "non-finite" in (run_folder / f"{LOG_FILE}.0").read_text()
    assert _noted(run_folder) == [("NonFiniteLossHandler", {"learning_rate": pytest.approx(1e-3)})]


def test_a_run_that_always_diverges_is_given_up(run_folder: Path, train_by: Any) -> None:
    train_by("sys.exit('non-finite loss at step 3')")
    with pytest.raises(TrainingError, match=r"at any learning rate .* ends with: non-finite loss"):
        run_training(run_folder, Watch(n_corrections=2))
    assert len(list(run_folder.glob(f"{LOG_FILE}*"))) == 3


def test_an_error_of_an_earlier_attempt_is_no_error_now(run_folder: Path, train_by: Any) -> None:
    (run_folder / LOG_FILE).write_text("non-finite loss at step 3")
    train_by(_WRITE_MODEL)
    assert run_training(run_folder)
    assert training_settings(run_folder)["learning_rate"] == 0.01


@pytest.mark.parametrize("needed", [2, 5])
def test_batches_are_cut_until_they_fit(needed: int, run_folder: Path, train_by: Any) -> None:
    train_by(
        f"{_SETTINGS}\nif s['accumulate'] < {needed}: sys.exit('CUDA Out Of Memory')\n"
        f"{_WRITE_MODEL}"
    )
    assert run_training(run_folder)
    parts = [action["accumulate"] for _, action in _noted(run_folder)]
    assert parts == {2: [2], 5: [2, 4, 5]}[needed]
    assert (run_folder / STATE_FILE).exists()


def test_a_structure_that_never_fits_is_given_up(run_folder: Path, train_by: Any) -> None:
    train_by("sys.exit('out of memory')")
    with pytest.raises(TrainingError, match="single structure does not fit into memory"):
        run_training(run_folder)
    assert [action for _, action in _noted(run_folder)][-1] == {}
    assert training_settings(run_folder)["accumulate"] == 5


def test_a_run_that_hangs_starts_again(run_folder: Path, train_by: Any) -> None:
    train_by(
        f"print('step', flush=True)\nif not os.path.exists('{LOG_FILE}.0'): time.sleep(60)\n"
        f"{_WRITE_MODEL}"
    )
    assert run_training(run_folder, Watch(hang_s=1.0))
    assert _noted(run_folder) == [("HangHandler", {"start_from": STATE_FILE})]
    assert (run_folder / STATE_FILE).exists()


def test_a_run_that_always_hangs_is_given_up(run_folder: Path, train_by: Any) -> None:
    train_by("print('step', flush=True); time.sleep(60)")
    with pytest.raises(TrainingError, match="again and again"):
        run_training(run_folder, Watch(hang_s=0.5, n_corrections=0))


def test_a_run_stops_before_its_time_is_over_and_goes_on_later(
    run_folder: Path, train_by: Any
) -> None:
    train_by(_OBEY)
    assert not run_training(run_folder, Watch(time_limit=_ends_in(1.0)))
    assert _noted(run_folder) == [("WallTimeHandler", {"start_from": STATE_FILE})]
    train_by(_WRITE_MODEL)
    assert run_training(run_folder, Watch(time_limit=_ends_in(60.0)))
    assert not (run_folder / STOP_FILE).exists()


def test_a_job_too_short_for_a_round_is_not_repeated_for_ever(
    run_folder: Path, train_by: Any
) -> None:
    train_by(_OBEY)
    assert not run_training(run_folder, Watch(time_limit=_ends_in(0.5)))
    train_by(_WAIT)
    with pytest.raises(TrainingError, match="over before a round of steps; give it more time"):
        run_training(run_folder, Watch(time_limit=_ends_in(0.5)))


def test_a_run_with_long_rounds_is_asked_earlier(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "time", lambda: now)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    handler, asked = WallTimeHandler(stop_at=2000.0), []
    for now in (1000.0, 1250.0, 1500.0, 1650.0, 1800.0):
        (run_folder / METRICS_FILE).write_text("row\n" * int(now / 250))
        asked.append(handler.check(str(run_folder)))
    assert asked == [False, False, False, False, True]


def test_a_run_that_fails_instead_of_stopping_is_an_error(run_folder: Path, train_by: Any) -> None:
    train_by(f"{_OBEY}sys.exit('disk full')")
    with pytest.raises(TrainingError, match="disk full"):
        run_training(run_folder, Watch(time_limit=_ends_in(0.5)))


@pytest.mark.parametrize("delay", [0.0, 2.0])
def test_what_diverges_while_it_stops_is_corrected_for_the_next(
    delay: float, run_folder: Path, train_by: Any
) -> None:
    train_by(f"{_OBEY}time.sleep({delay})\nsys.exit('non-finite loss')")
    assert not run_training(run_folder, Watch(time_limit=_ends_in(0.5), n_corrections=1))
    assert training_settings(run_folder)["learning_rate"] == pytest.approx(1e-3)


def test_handlers_survive_json() -> None:
    from monty.json import MontyDecoder

    handlers = [
        NonFiniteLossHandler(3),
        OutOfMemoryHandler(),
        HangHandler(5.0, 4),
        WallTimeHandler(7.0),
    ]
    text = json.dumps([handler.as_dict() for handler in handlers])
    loss, _, hang, wall = MontyDecoder().decode(text)
    assert (loss.max_num_corrections, hang.hang_s, hang.max_num_corrections) == (3, 5.0, 4)
    assert wall.stop_at == 7.0
