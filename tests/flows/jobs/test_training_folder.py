"""The files of a training run survive crashes and later attempts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from scdp_flows.jobs.training_folder import (
    LOG_FILE,
    METRICS_FILE,
    SETTINGS_FILE,
    change_training_settings,
    note_correction,
    put_log_away,
    read_corrections,
    read_log,
    read_metrics,
    training_settings,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_a_log_is_put_away_under_a_new_name_each_time(tmp_path: Path) -> None:
    for text in ("first", "second"):
        (tmp_path / LOG_FILE).write_text(text)
        put_log_away(tmp_path)
    put_log_away(tmp_path)
    assert read_log(tmp_path) == ""
    assert [(tmp_path / f"{LOG_FILE}.{i}").read_text() for i in (0, 1)] == ["first", "second"]


def test_a_row_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    assert read_metrics(tmp_path) == []
    (tmp_path / METRICS_FILE).write_text('{"step": 3}\n{"st')
    assert read_metrics(tmp_path) == [{"step": 3}]


def test_settings_change_one_by_one(tmp_path: Path) -> None:
    document = {"version": 1, "training": {"learning_rate": 0.1, "seed": 3}}
    (tmp_path / SETTINGS_FILE).write_text(json.dumps(document))
    change_training_settings(tmp_path, {"learning_rate": 0.01})
    assert training_settings(tmp_path) == {"learning_rate": 0.01, "seed": 3}
    assert json.loads((tmp_path / SETTINGS_FILE).read_text())["version"] == 1


def test_corrections_are_kept_in_order(tmp_path: Path) -> None:
    note_correction(tmp_path, "A", "too hot", {"fan": True})
    note_correction(tmp_path, "B", "too late", {})
    found = [(one.handler, one.error, one.action) for one in read_corrections(tmp_path)]
    assert found == [("A", "too hot", {"fan": True}), ("B", "too late", {})]
