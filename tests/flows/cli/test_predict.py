"""Predicting from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.io.base import read_density
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from pathlib import Path


def test_a_chgcar_and_a_cube_are_written(
    scdp: Any,
    water_file: Path,
    tiny_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = scdp("predict", water_file, "--model", tiny_checkpoint, "-o", "out", "--spacing", 0.3)
    assert result.exit_code == 0, result.stderr
    assert "8.0000" in result.stdout
    assert "out/water.chgcar" in result.stdout
    for name in ("water.chgcar", "water.cube"):
        assert read_density(tmp_path / "out" / name).numbers.tolist() == [8, 1, 1]
    assert not (tmp_path / "scdp_data").exists()


def test_predictions_are_kept_on_request(
    scdp: Any, water_file: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    result = scdp(
        "predict", water_file, "-m", tiny_checkpoint, "-f", "cube", "-o", tmp_path / "out",
        "--store", tmp_path / "s", "--spacing", 0.3,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["water.cube"]
    with open_stores(tmp_path / "s") as stores:
        assert stores.reports.predictions.count() == 1


def test_several_models_say_how_far_they_disagree(
    scdp: Any, water_file: Path, two_models: list[str], tmp_path: Path
) -> None:
    result = scdp(
        "predict", water_file, "-m", two_models[0], "-m", two_models[1], "-f", "cube",
        "-o", tmp_path, "--store", tmp_path / "s", "--spacing", 0.4,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    with open_stores(tmp_path / "s") as stores:
        (doc,) = stores.reports.predictions.query({})
    assert doc.uncertainty_ha_per_atom is not None
    assert doc.uncertainty_ha_per_atom > 1e-6
    assert f"{1e3 * doc.uncertainty_ha_per_atom:.4g}" in result.stdout


def test_part_of_a_batch_may_fail(
    scdp: Any, water_file: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.xyz"
    bad.write_text("2\n\nH 0 0 0\nH 0 0 0.1\n")
    result = scdp(
        "predict", bad, water_file, "-m", tiny_checkpoint, "-f", "cube", "-o", tmp_path,
        "--spacing", 0.4,
    )  # fmt: skip
    assert result.exit_code == 1
    assert "overlap" in result.stderr
    assert (tmp_path / "water.cube").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "gone"], "there is no model 'gone'"),
        (["--format", "cbue"], "unknown format 'cbue'"),
    ],
)
def test_wrong_requests_are_one_red_line(
    arguments: list[str], message: str, scdp: Any, water_file: Path, tmp_path: Path
) -> None:
    result = scdp("predict", water_file, "-o", tmp_path / "out", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "out").exists()
