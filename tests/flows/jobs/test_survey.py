"""What there is, before anything is moved."""

from __future__ import annotations

import gzip
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from maggma.stores import MemoryStore

from scdp_flows.errors import DatasetError
from scdp_flows.jobs.survey import survey_folder, survey_store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def runs(repository: Path, tmp_path: Path) -> Path:
    """Give four runs of silicon (whole, cut, none, none) and one of another potential."""
    data = repository / "tests" / "data"
    outcar = gzip.decompress((data / "vasp" / "Si_static_OUTCAR.gz").read_bytes()).decode()
    root = tmp_path / "runs"
    for name in ("a", "b", "c", "c/static", "d"):
        (root / name).mkdir(parents=True)
        text = outcar.replace("PAW_PBE Si 05Jan2001", "PAW_PBE Si_GW 1Jan2010")
        (root / name / "OUTCAR").write_text(text if name == "d" else outcar)
    shutil.copy(data / "vasp" / "Fe2_cubic_CHGCAR.gz", root / "a" / "CHGCAR.gz")
    (root / "b" / "CHGCAR").write_text("cut")
    shutil.copy(data / "qe" / "oh.pp.gz", root / "a")
    (root / "e").mkdir()
    (root / "e" / "OUTCAR").write_text("cut")
    return root


def test_runs_are_grouped_by_settings(runs: Path) -> None:
    report = survey_folder(runs)
    assert (report.n_runs, report.n_with_density) == (5, 1)
    silicon, other = report.groups
    assert (silicon.n_runs, silicon.n_with_density, silicon.n_atoms) == (4, 1, 2)
    assert silicon.problems[0].startswith("no CHGCAR")
    assert silicon.missing_core_hours == pytest.approx(3 * 3.8995 * 16 / 3600)
    assert other.potcars == ["PAW_PBE Si_GW 1Jan2010"]
    assert report.conflicts == ["Si: PAW_PBE Si 05Jan2001, PAW_PBE Si_GW 1Jan2010"]
    assert report.trainable == {"PBE paw-pbe 520eV": 1}
    assert report.trainable_elements == {"PBE paw-pbe 520eV": ["Si"]}
    assert report.other_densities == {"espresso_plot": 1}
    assert len(report.unreadable) == 1


def test_two_relaxations_in_one_folder_are_two_runs(repository: Path, tmp_path: Path) -> None:
    data = repository / "tests" / "data"
    for end in (".relax1", ".relax2"):
        shutil.copy(data / "vasp" / "Si_static_OUTCAR.gz", tmp_path / f"OUTCAR{end}.gz")
    shutil.copy(data / "vasp" / "Fe2_cubic_CHGCAR.gz", tmp_path / "CHGCAR.relax1.gz")
    report = survey_folder(tmp_path)
    assert (report.n_runs, report.n_with_density, report.other_densities) == (2, 1, {})
    assert report.missing_core_hours == pytest.approx(3.8995 * 16 / 3600)


def test_a_store_is_surveyed_by_its_documents(tmp_path: Path) -> None:
    task: dict[str, Any] = {
        "dir_name": str(tmp_path),
        "input": {"incar": {"ENCUT": 520}, "potcar_spec": [{"titel": "PAW_PBE Si 05Jan2001"}]},
    }
    stored = {"vasp_objects": {"chgcar": {"blob_uuid": "x"}}}
    with MemoryStore(key="uuid") as store:
        store.update([
            {"uuid": "1", "output": task},
            {"uuid": "2", "output": {**task, **stored}},
            {"uuid": "3", "output": 5},
        ])  # fmt: skip
        report = survey_store(store)
        assert (report.n_runs, report.n_with_density) == (2, 1)
        assert report.groups[0].missing_core_hours is None
        assert survey_store(store, {"uuid": "1"}).n_runs == 1


def test_a_folder_is_needed(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is no folder"):
        survey_folder(tmp_path / "absent")
