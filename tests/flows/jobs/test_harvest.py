from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from monty.json import MontyEncoder

from scdp_flows.jobs.harvest import (
    RECORD,
    TAG,
    HarvestRequest,
    harvest_leaderboard,
    harvest_records,
    main,
)
from scdp_flows.predictors.atomic import AtomicPredictor
from scdp_flows.schemas.vasp_harvest import VaspHarvestDoc
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from pathlib import Path

OUTCAR = """ vasp.5.4.1 24Jun15
   LEXCH  = PE
   TITEL  = PAW_PBE Si 01Jan2026
   ISPIN  =      1    spin polarized calculation?
   ENCUT  =  245.0 eV
   NIONS =      2
   NELECT =       8.0000    total number of electrons
   LCHARG =      T    write CHGCAR
"""
KIND = {"electrons": "valence", "pseudopotential": "paw-pbe", "functional": "PBE", "basis": "245eV"}


def _atoms(width: float = 0.4, functional: str = "PBE", name: str = "atomic") -> AtomicPredictor:
    from scdp_models.basis.shells import shell_charge
    from scdp_models.density.atomic import AtomicDensity, AtomicReference

    atom = AtomicDensity(4.0, (width,), (4.0 / float(shell_charge(0, width)),))
    reference = AtomicReference("one Gaussian", {14: atom}).to_dict()
    kind: dict[str, Any] = {**KIND, "functional": functional}
    return AtomicPredictor(reference=reference, density_kind=kind, name=name)


@pytest.fixture
def folder(repository: Path, tmp_path: Path) -> Path:
    """Give the folder of a finished run with a real CHGCAR."""
    made = tmp_path / "launcher" / "run"
    made.mkdir(parents=True)
    shutil.copy(repository / "tests/data/vasp/Si2_24_CHGCAR.gz", made / "CHGCAR.gz")
    (made / "OUTCAR").write_text(OUTCAR)
    return made


def _request(folder: Path, *predictors: AtomicPredictor) -> HarvestRequest:
    return HarvestRequest(
        str(folder), list(predictors), str(folder.parent / "store"), ["mine"],
        {"job_uuid": "abc", "job_index": 1, "job_name": "static"},
    )  # fmt: skip


def test_a_density_is_taken_and_predictors_are_judged_by_it(folder: Path) -> None:
    doc = _request(folder, _atoms()).execute()
    assert (doc.status, doc.is_new, doc.problems) == ("taken", True, [])
    assert 5 < doc.nmae_percent["atomic"] < 60
    assert (doc.source, doc.job_uuid) == ("launcher/run", "abc")
    with open_stores(folder.parent / "store") as stores:
        density = stores.densities.get(str(doc.density_id))
        assert {TAG, "mine", "job:abc", "potcar:PAW_PBE Si 01Jan2026"} <= set(density.tags)
        assert density.kind == KIND | {"spin": "restricted", "code": "vasp"}
        assert harvest_records(stores).get(doc.harvest_id) == doc
    again = _request(folder, _atoms()).execute()
    assert (again.density_id, again.is_new) == (doc.density_id, False)


def test_a_predictor_that_fails_is_named_and_the_others_are_judged(folder: Path) -> None:
    doc = _request(folder, _atoms(functional="LDA", name="other"), _atoms()).execute()
    assert list(doc.nmae_percent) == ["atomic"]
    assert len(doc.problems) == 1
    assert doc.problems[0].startswith("other: ")


def test_runs_without_a_density_are_recorded(folder: Path) -> None:
    (folder / "OUTCAR").write_text(OUTCAR.replace("LCHARG =      T", "LCHARG =      F"))
    doc = _request(folder).execute()
    assert doc.status == "left"
    assert "LCHARG = .FALSE." in str(doc.reason)
    assert VaspHarvestDoc.model_validate_json((folder / RECORD).read_bytes()) == doc


def test_a_damaged_density_is_recorded(folder: Path) -> None:
    (folder / "CHGCAR.gz").unlink()
    (folder / "CHGCAR").write_text("nothing")
    doc = _request(folder).execute()
    assert doc.status == "left"
    assert "CHGCAR" in str(doc.reason)


def test_a_leaderboard_grows_with_the_runs(folder: Path) -> None:
    with open_stores(folder.parent / "store") as stores:
        assert harvest_leaderboard(stores) is None
    _request(folder, _atoms(0.4), _atoms(0.1, name="wide")).execute()
    with open_stores(folder.parent / "store") as stores:
        board = harvest_leaderboard(stores)
        assert board is not None
        assert [row.predictor for row in board.rows] == ["atomic", "wide"]
        assert board.n_structures == 1
        assert stores.curation.leaderboards.get(board.leaderboard_id) == board


def test_a_request_is_executed_from_its_file(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text(json.dumps(_request(folder, _atoms()), cls=MontyEncoder))
    assert main([str(file)]) == 0
    assert (folder / RECORD).is_file()
