"""The demo is called as asked for; what it does is tested beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest


def test_folder_and_size_are_passed_on(scdp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Path, bool]] = []
    monkeypatch.setattr(
        "scdp_flows.demo.run.run_demo", lambda output, *, small: calls.append((output, small))
    )
    assert scdp("demo").exit_code == 0
    assert scdp("demo", "--output", "there", "--small").exit_code == 0
    assert calls == [(Path("demo_output"), False), (Path("there"), True)]
