"""The report of benchmarks of starts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import UnknownNameError
from scdp_flows.reports.seeding import SEEDING_COLUMNS, build_seeding_report, seeding_cells
from scdp_flows.schemas.outputs import Refusal
from scdp_flows.schemas.seeding_benchmark import SeedingBenchmarkDoc

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.stores.factory import Stores


@pytest.fixture
def benchmark_doc(study: Any) -> SeedingBenchmarkDoc:
    """Sum up three molecules, and one that failed."""
    refusal = Refusal(index=3, item="He3", error="StructureError", reason="too small <b>")
    return SeedingBenchmarkDoc.from_seeds(
        study.seeds, name="Three waters", code="Test", failed=[refusal]
    )


def test_cells_stand_below_their_headings(benchmark_doc: SeedingBenchmarkDoc) -> None:
    rows = {row[0]: row[1:] for row in seeding_cells(benchmark_doc)}
    headings = [column.heading for column in SEEDING_COLUMNS]
    predicted = dict(zip(headings, rows["predicted"], strict=True))
    assert predicted["SCF iterations"] == "6.00 (+40 %)"
    assert predicted["CPU / s"] == "2.00 (+33 %)"
    assert predicted["Fock work"] == "–"
    assert predicted["max\N{NO-BREAK SPACE}|ΔE| / Ha"] == "2×10⁻⁹"
    assert predicted["seeds used"] == "3/3"


def test_page_numbers_and_pictures_are_written(
    stores: Stores, stored: Any, benchmark_doc: SeedingBenchmarkDoc, tmp_path: Path
) -> None:
    assert stored
    stores.reports.put(benchmark_doc)
    folder = tmp_path / "report"
    doc = build_seeding_report(stores, folder, [benchmark_doc.benchmark_id], title="Starts")
    assert sorted(path.name for path in folder.iterdir()) == sorted(doc.files)
    assert sum(name.endswith(".png") for name in doc.files) == 2
    page = (folder / "seeding.html").read_text()
    assert "too small &lt;b&gt;" in page
    assert page.count("<svg") == 3
    numbers = json.loads((folder / "seeding.json").read_text())
    assert len(numbers["seeds"]) == 3
    assert doc.summary["iterations_saved_percent"]["Three waters"]["predicted"] == 40


def test_unknown_benchmarks_are_refused(stores: Stores, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError):
        build_seeding_report(stores, tmp_path / "report", ["none"], title="Starts")
