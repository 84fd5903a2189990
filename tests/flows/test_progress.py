"""Progress is told in few lines, with what is left."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from scdp_flows.progress import Progress, track

if TYPE_CHECKING:
    import pytest


def test_log_lines_are_few_and_end_with_the_total(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert list(track(range(50), "count", total=50)) == list(range(50))
    assert [record.message.split(",")[0] for record in caplog.records] == [
        "count: 50 to do",
        "count: 50/50",
    ]


def test_the_rest_is_estimated_from_what_was_done_now(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 30.0, 30.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with Progress("label", 10, done=4) as progress:
        progress.done += 3
        assert progress.summary("CH4") == "label: 7/10, 30 s, about 30 s left (CH4)"


def test_a_terminal_gets_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Progress("label", 2) as progress:
        progress.advance("H2")
        progress.advance("H2O")
    shown = capsys.readouterr().err
    assert "2/2" in shown
    assert "H2O" in shown


def test_nothing_to_do_is_not_announced(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), Progress("label", 3, done=3):
        pass
    assert not caplog.records
