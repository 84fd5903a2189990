"""The benchmark of starts, with any code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pymatgen.core import Molecule

from scdp_flows.errors import DatasetError
from scdp_flows.flows.seeding_benchmark import SeedingBenchmarkMaker
from scdp_flows.jobs.report import SeedingReportMaker
from scdp_flows.jobs.seed import SeedMaker

if TYPE_CHECKING:
    from pathlib import Path


def test_starts_are_compared_summed_up_and_reported_once(
    gaussian_code: Any, molecules: list[Molecule], run_flow: Any, tmp_path: Path
) -> None:
    maker = SeedingBenchmarkMaker(
        name="Free code",
        seed_maker=SeedMaker(code=gaussian_code),
        report_maker=SeedingReportMaker(folder=str(tmp_path / "report")),
        store_path=str(tmp_path / "store"),
        batch_size=2,
    )
    doc = run_flow(maker.make(molecules[:3], predictors=()))
    assert doc.name == "Free code"
    assert [summary.start for summary in doc.starts] == ["default", "atomic", "exact"]
    assert {file.suffix for file in (tmp_path / "report").iterdir()} == {".html", ".json", ".png"}
    computed = len(gaussian_code.computed)
    again = run_flow(maker.make(molecules[:3], predictors=()))
    assert again.benchmark_id == doc.benchmark_id
    assert len(gaussian_code.computed) == computed


def test_a_batch_of_failures_does_not_keep_the_others_from_being_summed_up(
    gaussian_code: Any, molecules: list[Molecule], run_flow: Any, tmp_path: Path
) -> None:
    radical = Molecule(["O", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.97]])
    maker = SeedingBenchmarkMaker(
        seed_maker=SeedMaker(code=gaussian_code),
        report_maker=None,
        store_path=str(tmp_path / "store"),
        batch_size=1,
    )
    doc = run_flow(maker.make([molecules[0], radical, molecules[1]], predictors=()))
    assert len(doc.seed_ids) == 2
    assert [(refusal.item, refusal.error) for refusal in doc.failed] == [
        ("H1 O1", "StructureError")
    ]


def test_nothing_to_benchmark_is_an_error() -> None:
    with pytest.raises(DatasetError, match="nothing to benchmark"):
        SeedingBenchmarkMaker().make()
