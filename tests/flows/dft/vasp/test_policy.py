from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.dft.vasp.policy import earlier_state, why_not

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"ICHARG": 11}, "ICHARG"),
        ({"ICHARG": 4}, "potential"),
        ({"LSORBIT": True}, "non-collinear"),
        ({"LNONCOLLINEAR": ".TRUE."}, "non-collinear"),
        ({"IMAGES": 3}, "elastic band"),
        ({"ALGO": "GW0"}, "ALGO"),
        ({"NELM": 1}, "NELM"),
        ({"ISTART": 1}, "ISTART"),
    ],
    ids=str,
)
def test_what_a_seed_would_spoil_is_left_alone(
    tmp_path: Path, tags: dict[str, Any], reason: str
) -> None:
    found = why_not(tags, tmp_path)
    assert found is not None
    assert reason in found


@pytest.mark.parametrize(
    "tags",
    [{}, {"ICHARG": 2}, {"ICHARG": 0}, {"IBRION": 6}, {"LEPSILON": True}, {"ALGO": "All"}],
    ids=str,
)
def test_calculations_that_start_cold_are_seeded(tmp_path: Path, tags: dict[str, Any]) -> None:
    assert why_not(tags, tmp_path) is None


@pytest.mark.parametrize("name", ["WAVECAR", "CHGCAR", "CHGCAR.gz"])
def test_an_earlier_state_comes_first_unless_told_otherwise(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("state")
    assert "earlier calculation" in str(why_not({}, tmp_path))
    assert why_not({}, tmp_path, strategy="every") is None
    assert "response" in str(why_not({"IBRION": 8}, tmp_path, strategy="every"))


def test_empty_files_are_no_state(tmp_path: Path) -> None:
    (tmp_path / "WAVECAR").touch()
    assert earlier_state(tmp_path) == []
