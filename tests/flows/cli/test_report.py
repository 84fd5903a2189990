"""Reporting from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scdp_flows.flows.seeding_benchmark import SeedingBenchmarkMaker
from scdp_flows.jobs.seed import SeedMaker

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Molecule


def test_what_the_store_holds_is_reported(
    scdp: Any, store: Path, instant_training: list[Path], tmp_path: Path
) -> None:
    scdp("train", "--store", store, "--name", "mine")
    result = scdp("report", "--store", store, "-o", tmp_path / "out", "--dataset", "mine")
    assert result.exit_code == 0, result.stderr
    assert str(tmp_path / "out" / "report.html") in result.stdout
    numbers = json.loads((tmp_path / "out" / "report.json").read_text())
    assert len(numbers["evaluations"]) == 2


def test_an_empty_store_is_an_error(scdp: Any, store: Path, tmp_path: Path) -> None:
    result = scdp("report", "--store", store, "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "no evaluations and no restarts" in result.stderr
    assert not (tmp_path / "out").exists()


def test_benchmarks_of_starts_are_tabled_and_drawn(
    scdp: Any, tmp_path: Path, gaussian_code: Any, molecules: list[Molecule], run_flow: Any
) -> None:
    maker = SeedingBenchmarkMaker(
        name="Free code",
        seed_maker=SeedMaker(code=gaussian_code),
        report_maker=None,
        store_path=str(tmp_path / "s"),
    )
    run_flow(maker.make(molecules[:2], predictors=()))
    result = scdp("report", "seeding", "--store", tmp_path / "s", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert "Free code" in result.stdout
    assert "(+60 %)" in result.stdout
    numbers = json.loads((tmp_path / "out" / "seeding.json").read_text())
    assert len(numbers["seeds"]) == 2
    assert "<svg" in (tmp_path / "out" / "seeding.html").read_text()


def test_without_benchmarks_there_is_no_seeding_report(scdp: Any, tmp_path: Path) -> None:
    result = scdp("report", "seeding", "--store", tmp_path / "s")
    assert result.exit_code == 2
    assert "no benchmark of starts" in result.stderr
