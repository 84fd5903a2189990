"""The folder of a training run: which files there are, and who writes what."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scdp_flows.schemas.training import TrainingCorrection
from scdp_flows.stores.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "LOG_FILE",
    "METRICS_FILE",
    "MODEL_FILE",
    "SETTINGS_FILE",
    "STATE_FILE",
    "STOP_FILE",
    "change_training_settings",
    "note_correction",
    "put_log_away",
    "read_corrections",
    "read_log",
    "read_metrics",
    "training_settings",
]

SETTINGS_FILE = "run.json"
"""What to train on and how; written before the process starts, changed by corrections."""
LOG_FILE = "train.log"
"""What the training process says; those of earlier attempts end in .0, .1, ..."""
METRICS_FILE = "metrics.jsonl"
"""One line of losses per round."""
STATE_FILE = "last.ckpt"
"""From where an interrupted run goes on."""
STOP_FILE = "STOP"
"""Makes the process save its state and end."""
MODEL_FILE = "model.safetensors"
"""What the process makes."""
_CORRECTIONS_FILE = "corrections.jsonl"


def read_log(folder: Path) -> str:
    """Return what the present attempt has said so far."""
    log = folder / LOG_FILE
    return log.read_text(errors="replace") if log.is_file() else ""


def put_log_away(folder: Path) -> None:
    """Rename the log of an earlier attempt: its errors are not those of the next."""
    log = folder / LOG_FILE
    if log.is_file():
        log.rename(log.with_name(f"{LOG_FILE}.{len(list(folder.glob(f'{LOG_FILE}.*')))}"))


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """Return the rows of the metrics file, without a last one that a crash cut short."""
    return _read_lines(folder / METRICS_FILE)


def training_settings(folder: Path) -> dict[str, Any]:
    """Return the fields of the training configuration in ``run.json``.

    Plain JSON, because those who watch a run need not load the models.
    """
    settings: dict[str, Any] = json.loads((folder / SETTINGS_FILE).read_text())["training"]
    return settings


def change_training_settings(folder: Path, changes: Mapping[str, Any]) -> None:
    """Rewrite fields of the training configuration in ``run.json``."""
    path = folder / SETTINGS_FILE
    document = json.loads(path.read_text())
    document["training"].update(changes)
    write_whole(path, json.dumps(document, indent=1).encode())


def note_correction(folder: Path, handler: str, error: str, action: Mapping[str, Any]) -> None:
    """Add a line to the list of corrections, at once: whoever corrects may be killed next."""
    correction = TrainingCorrection(
        time=datetime.now(UTC).isoformat(), handler=handler, error=error, action=dict(action)
    )
    with (folder / _CORRECTIONS_FILE).open("a") as stream:
        stream.write(json.dumps(correction.to_dict()) + "\n")


def read_corrections(folder: Path) -> list[TrainingCorrection]:
    """Return what was corrected in this run so far, over all its jobs, the oldest first."""
    lines = _read_lines(folder / _CORRECTIONS_FILE)
    return [TrainingCorrection.model_validate(line) for line in lines]


def _read_lines(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for line in path.read_text().splitlines() if path.is_file() else ():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows
