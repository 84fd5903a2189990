"""Densities out of a real jobflow store, as atomate2 leaves them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from jobflow import JobStore, job, run_locally
from pymatgen.io.vasp.outputs import Chgcar

from scdp_flows.errors import DatasetError
from scdp_flows.jobs.ingest_job_store import IngestJobStoreMaker, has_density, task_folder
from scdp_flows.stores.factory import open_stores
from scdp_flows.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.schemas.outputs import LabelOutput

_TASK: dict[str, Any] = {
    "input": {
        "incar": {"ENCUT": 268, "ISPIN": 1},
        "parameters": {"NELECT": 16.0, "GGA": "PE"},
        "potcar_spec": [{"titel": "PAW_PBE Fe 06Sep2000"}],
    }
}


@job(data=[Chgcar])
def _static(folder: str, chgcar: Any = None) -> dict[str, Any]:
    """Return what atomate2's static calculation does."""
    return {**_TASK, "dir_name": f"node01:{folder}", "vasp_objects": {"chgcar": chgcar}}


@pytest.fixture
def maker(repository: Path, tmp_path: Path) -> IngestJobStoreMaker:
    """Give a store of three runs: density in the data store, on disk, and nowhere."""
    source = repository / "tests" / "data" / "vasp" / "Fe2_cubic_CHGCAR.gz"
    for name in ("stored", "disk", "none"):
        (tmp_path / name).mkdir()
    shutil.copy(source, tmp_path / "disk" / "CHGCAR.gz")
    file = str(tmp_path / "jobs.sqlite")
    store = JobStore(
        SqliteStore(file, "outputs", key="uuid"),
        additional_stores={"data": SqliteStore(file, "data", key="blob_uuid")},
    )
    chgcar = Chgcar.from_file(str(source))
    for made in (
        _static(str(tmp_path / "stored"), chgcar),
        _static(str(tmp_path / "disk")),
        _static(str(tmp_path / "none")),
    ):
        run_locally(made, store=store, log=False, raise_immediately=True)
    store.close()
    described = {"type": "sqlite", "path": file}
    return IngestJobStoreMaker(
        job_docs={**described, "collection_name": "outputs", "key": "uuid"},
        data={**described, "collection_name": "data", "key": "blob_uuid"},
        store_path=str(tmp_path / "store"),
        n_processes=1,
    )


def _make(maker: IngestJobStoreMaker) -> LabelOutput:
    output: LabelOutput = IngestJobStoreMaker.make.original(maker, ["dft"])  # type: ignore[attr-defined]
    return output


def test_both_places_give_the_same_density(maker: IngestJobStoreMaker) -> None:
    output = _make(maker)
    assert (output.n_items, len(output.density_ids), output.n_new) == (3, 1, 1)
    assert "repeat the run with LCHARG=True" in output.failed[0].reason
    with open_stores(maker.store_path) as stores:
        doc = stores.densities.get(output.density_ids[0])
        arrays = stores.densities.load_arrays(doc, "grid")
    assert (doc.kind["functional"], doc.kind["basis"], doc.n_electrons) == ("PBE", "268eV", 16.0)
    assert doc.tags == ["dft", "potcar:PAW_PBE Fe 06Sep2000"]
    assert any("occupancies" in name for name in arrays)


def test_a_second_time_nothing_is_new(maker: IngestJobStoreMaker) -> None:
    first = _make(maker)
    assert _make(maker).n_new == 0
    assert _make(maker).density_ids == first.density_ids


def test_queries_must_find_runs(maker: IngestJobStoreMaker) -> None:
    maker.query = {"name": "relax"}
    with pytest.raises(DatasetError, match="finds no run"):
        _make(maker)


def test_hosts_are_left_out_of_folders(tmp_path: Path) -> None:
    assert task_folder({"dir_name": f"node01:{tmp_path}"}) == tmp_path
    assert task_folder({"dir_name": str(tmp_path)}) == tmp_path
    assert not has_density({"dir_name": str(tmp_path)})
