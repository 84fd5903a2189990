"""Restarts and their report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobflow import Job
from pymatgen.core import Molecule

from scdp_flows.dft.pyscf import PyscfCode
from scdp_flows.flows.seeded_scf import SeededScfMaker
from scdp_flows.jobs.report import ReportMaker
from scdp_flows.jobs.seed import SeedMaker
from scdp_flows.predictors.scdp import ScdpPredictor

if TYPE_CHECKING:
    from pathlib import Path


def test_restarts_are_reported(
    gaussian_code: Any, water: Molecule, run_flow: Any, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    maker = SeededScfMaker(
        seed_maker=SeedMaker(code=gaussian_code),
        report_maker=ReportMaker(folder=str(tmp_path / "report")),
        store_path=str(tmp_path / "store"),
    )
    output = run_flow(maker.make([water], predictors=ScdpPredictor(str(tiny_checkpoint))))
    assert output.mean_iterations == {"default": 10, "atomic": 7, "scdp": 7, "exact": 4}
    assert (tmp_path / "report" / "report.html").is_file()


def test_the_report_comes_even_if_nothing_could_be_restarted(
    gaussian_code: Any, run_flow: Any, tmp_path: Path
) -> None:
    maker = SeededScfMaker(
        seed_maker=SeedMaker(code=gaussian_code),
        report_maker=ReportMaker(folder=str(tmp_path / "report")),
        store_path=str(tmp_path / "store"),
    )
    radical = Molecule(["O", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.97]])
    output = run_flow(maker.make([radical], predictors=()))
    assert [refusal.error for refusal in output.failed] == ["StructureError"]
    assert (tmp_path / "report" / "report.html").is_file()


def test_pyscf_restarts_from_the_shipped_model_by_default(water: Molecule) -> None:
    maker = SeededScfMaker(report_maker=None)
    assert isinstance(maker.seed_maker.code, PyscfCode)
    (job,) = maker.make([water]).jobs
    assert isinstance(job, Job)
    assert job.function_kwargs["predictors"] == ScdpPredictor()
