"""Folders, series and archives offer what they hold."""

from __future__ import annotations

import io
import pickle
import shutil
import tarfile
import zipfile
from typing import TYPE_CHECKING

import lz4.frame
import numpy as np
import pytest

from scdp_flows.errors import DatasetError
from scdp_flows.jobs.ingest_items import IngestRules, prepare
from scdp_flows.jobs.ingest_sources import find_files, offers_of

if TYPE_CHECKING:
    from pathlib import Path

_KIND = {"pseudopotential": "paw-pbe", "functional": "PBE", "basis": "268eV"}


@pytest.fixture
def data(repository: Path) -> Path:
    """Give the folder of real files."""
    return repository / "tests" / "data"


def _tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_patterns_must_match(tmp_path: Path) -> None:
    (tmp_path / "[1].cube").write_text("")
    (tmp_path / "2.cube").write_text("")
    found = find_files([str(tmp_path / "[1].cube"), str(tmp_path / "*.cube")])
    assert [path.name for path in found] == ["[1].cube", "2.cube"]
    with pytest.raises(DatasetError, match="matches no file"):
        find_files([str(tmp_path / "*.CHGCAR")])
    with pytest.raises(DatasetError, match="no files"):
        find_files([])


def test_folders_give_their_densities(data: Path, tmp_path: Path) -> None:
    for name in ("run/CHGCAR.gz", "run/AECCAR0", "run/x.json", "run/sub/CHGCAR"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(b"")
    shutil.copy(data / "pyscf" / "water_gth.chk", tmp_path / "run")
    found = find_files([str(tmp_path / "run")])
    assert [path.name for path in found] == ["CHGCAR.gz", "CHGCAR", "water_gth.chk"]


def test_a_file_offers_itself(data: Path, tmp_path: Path) -> None:
    path = data / "qe" / "oh.pp.gz"
    (offer,) = offers_of(path, tmp_path)
    assert (offer.path, offer.index, offer.is_copy, offer.error) == (path, None, False, None)
    (again,) = offers_of(path, tmp_path)
    assert again.fingerprint == offer.fingerprint


def test_a_series_offers_each_density(tmp_path: Path) -> None:
    np.save(tmp_path / "dft_densities.npy", np.zeros((3, 125_000), dtype=np.float32))
    offers = list(offers_of(tmp_path / "dft_densities.npy", tmp_path))
    assert [offer.index for offer in offers] == [0, 1, 2]
    assert len({offer.fingerprint for offer in offers}) == 3


def test_an_archive_offers_copies_with_what_stands_beside(data: Path, tmp_path: Path) -> None:
    run = data / "qe" / "si.save"
    members = {f"si.save/{p.name}": p.read_bytes() for p in sorted(run.iterdir())}
    path = _tar(tmp_path / "x.tar", {"../CHGCAR": b"", **members, "a.json": b"{}"})
    refused, offer = offers_of(path, tmp_path / "scratch")
    assert refused.error is not None
    assert offer.is_copy
    assert offer.path is not None
    assert offer.path.with_name("data-file-schema.xml").exists()
    assert offer.name == f"{path}:si.save/charge-density.dat"


def test_archives_in_archives(data: Path, tmp_path: Path) -> None:
    """The ECD set comes as a tar of lz4 files that are tars of one CHGCAR."""
    chgcar = (data / "vasp" / "Fe2_cubic_CHGCAR.gz").read_bytes()
    inner = _tar(tmp_path / "inner", {"CHGCAR": chgcar}).read_bytes()
    name = "0123456789.chgcar.lz4"
    path = _tar(tmp_path / "ecd.tar", {name: lz4.frame.compress(inner)})
    (offer,) = offers_of(path, tmp_path / "scratch")
    assert offer.name == f"{path}:{name}:CHGCAR"
    assert offer.path is not None
    assert offer.path.read_bytes() == chgcar


def test_what_cannot_be_opened_is_offered_with_its_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("nothing")
    (offer,) = offers_of(tmp_path / "x", tmp_path)
    assert "expected one of the formats" in str(offer.error)
    (missing,) = offers_of(tmp_path / "absent", tmp_path)
    assert missing.error is not None


def test_bad_members_say_nothing_against_others(data: Path, tmp_path: Path) -> None:
    good = (data / "vasp" / "Fe2_cubic_CHGCAR.gz").read_bytes()
    inner = _tar(tmp_path / "inner", {"CHGCAR": good}).read_bytes()
    members = {
        "1/CHGCAR.gz": good[:10],
        "2.chgcar.lz4": lz4.frame.compress(inner[:700]),
        "3.chgcar.lz4": lz4.frame.compress(inner),
        "4/CHGCAR.gz": good,
    }
    offers = list(offers_of(_tar(tmp_path / "x.tar", members), tmp_path / "scratch"))
    assert [offer.error is None for offer in offers] == [False, False, True, True]
    again = offers_of(tmp_path / "x.tar", tmp_path / "again")
    assert [offer.fingerprint for offer in again] == [offer.fingerprint for offer in offers]


def test_pickles_in_archives_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", density=np.array([{}], dtype=object))
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}))
    (objects,) = offers_of(tmp_path / "x.npz", tmp_path / "scratch")
    assert "pickled" in str(objects.error or prepare(objects, IngestRules(_KIND)))
    (nothing,) = offers_of(tmp_path / "model.zip", tmp_path / "scratch")
    assert "holds nothing that could be a density" in str(nothing.error)
