"""Files become stored densities once, and what is no density is refused."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import lz4.frame
import numpy as np
import pytest

from scdp_flows.density import ChargeDensity
from scdp_flows.errors import CalculationError, DensityError, DensityFormatError
from scdp_flows.io.base import write_density
from scdp_flows.io.qm9_tar import check_index_rule
from scdp_flows.jobs.ingest import IngestMaker
from scdp_flows.jobs.ingest_records import list_offers
from scdp_flows.schemas.outputs import LabelOutput

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Molecule


def _ingest(maker: IngestMaker, *files: Path | str, **named: Any) -> LabelOutput:
    paths = [str(file) for file in files]
    output = IngestMaker.make.original(maker, paths, **named)  # type: ignore[attr-defined]
    assert isinstance(output, LabelOutput)
    return output


@pytest.fixture
def density(gaussian_code: Any, water: Molecule) -> ChargeDensity:
    """Give the density of water."""
    label = replace(gaussian_code, spacing=0.3).label(water)
    assert isinstance(label.density, ChargeDensity)
    return label.density


@pytest.fixture
def cube(density: ChargeDensity, tmp_path: Path) -> Path:
    """Give its file."""
    write_density(density, tmp_path / "water.cube")
    return tmp_path / "water.cube"


@pytest.fixture
def maker(store_path: str, gaussian_code: Any) -> IngestMaker:
    """Ingest densities of the kind of the free code; the files tell the spin."""
    kind = gaussian_code.kind().as_dict()
    return IngestMaker(store_path=store_path, kind={k: v for k, v in kind.items() if k != "spin"})


def test_a_density_whose_arrays_are_damaged_is_taken_again(
    maker: IngestMaker, cube: Path, damage: Any
) -> None:
    first = _ingest(maker, cube)
    with maker.open_stores() as stores:
        doc = stores.densities.get(first.density_ids[0])
        damage(stores, doc.blobs["grid"])
        assert _ingest(maker, cube).density_ids == first.density_ids
        assert stores.densities.is_whole(doc)


def test_a_file_becomes_a_stored_density(
    maker: IngestMaker, cube: Path, density: ChargeDensity
) -> None:
    output = _ingest(maker, cube, tags=["mine"])
    with maker.open_stores() as stores:
        doc = stores.densities.get(output.density_ids[0])
        grid = ChargeDensity.from_arrays(stores.densities.load_arrays(doc, "grid"))
    assert (doc.formula, doc.source, doc.tags) == (
        "H2O",
        f"{cube.parent.name}/water.cube",
        ["mine"],
    )
    assert doc.kind["functional"] == "PBE"
    np.testing.assert_allclose(grid.values, density.values, atol=1e-5)


def test_the_file_tells_the_spin(maker: IngestMaker, repository: Path) -> None:
    iron = repository / "tests" / "data" / "vasp" / "Fe_bcc_CHGCAR_spin.gz"
    (density_id,) = _ingest(maker, iron).density_ids
    with maker.open_stores() as stores:
        assert stores.densities.get(density_id).kind["spin"] == "unrestricted"
    stated = replace(maker, kind={**(maker.kind or {}), "spin": "restricted"})
    with pytest.raises(DensityError, match=r"magnetisation of 2\.46.* no spin-restricted density"):
        _ingest(stated, iron)


def test_the_same_content_is_stored_once(maker: IngestMaker, cube: Path) -> None:
    packed = cube.with_name("copy.cube.gz")
    packed.write_bytes(gzip.compress(cube.read_bytes()))
    first = _ingest(maker, cube, packed)
    assert (len(first.density_ids), first.n_new) == (1, 1)
    again = _ingest(maker, packed, tags=["late"])
    assert (again.density_ids, again.n_reused) == (first.density_ids, 1)
    with maker.open_stores() as stores:
        assert stores.densities.get(first.density_ids[0]).tags == ["late"]


def test_the_electron_count_is_checked_where_it_is_known(maker: IngestMaker, cube: Path) -> None:
    right = replace(maker, electrons={"H": 1, "O": 6})
    (density_id,) = _ingest(right, cube).density_ids
    with maker.open_stores() as stores:
        assert stores.densities.get(density_id).n_electrons == 8
    with pytest.raises(DensityError, match=r"holds 8.* electrons and not 10"):
        _ingest(replace(maker, electrons={"H": 1, "O": 8}), cube)
    with pytest.raises(DensityError, match="says nothing of O"):
        _ingest(replace(maker, electrons={"H": 1}), cube)


def test_implausible_densities_are_refused_unless_wanted(
    maker: IngestMaker, density: ChargeDensity, tmp_path: Path
) -> None:
    write_density(replace(density, values=0.5 - density.values), tmp_path / "odd.cube")
    with pytest.raises(DensityError, match=r"odd\.cube: .*doubtful=True"):
        _ingest(maker, tmp_path / "odd.cube")
    with maker.open_stores() as stores:
        assert stores.densities.count() == 0
        assert list(stores.blobs.iterate()) == []
    assert _ingest(replace(maker, doubtful=True), tmp_path / "odd.cube").n_new == 1


def test_nan_is_refused(maker: IngestMaker, cube: Path) -> None:
    text = cube.read_text().splitlines()
    text[-1] = " ".join(["nan", *text[-1].split()[1:]])
    cube.write_text("\n".join(text))
    with pytest.raises(DensityError, match=r"water\.cube"):
        _ingest(maker, cube)


def test_bad_files_do_not_spoil_the_batch(maker: IngestMaker, cube: Path, tmp_path: Path) -> None:
    (tmp_path / "a.cube").write_text("nothing\n")
    output = _ingest(maker, tmp_path / "*.cube")
    assert [f.error for f in output.failed] == ["DensityFormatError"]
    assert output.failed[0].item.endswith("a.cube")
    cube.write_text("nothing\n")
    with pytest.raises(CalculationError, match="none of the 2 files could be ingested"):
        _ingest(maker, tmp_path / "*.cube")
    with pytest.raises(DensityFormatError):
        _ingest(maker, cube)


def _tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_an_archive_of_real_runs(maker: IngestMaker, repository: Path, tmp_path: Path) -> None:
    data = repository / "tests" / "data"
    iron = (data / "vasp" / "Fe_bcc_CHGCAR_spin.gz").read_bytes()
    save = {f"oh.save/{p.name}": p.read_bytes() for p in sorted((data / "qe/oh.save").iterdir())}
    members = {"Fe/CHGCAR.gz": iron, "Fe/INCAR": b"ENCUT = 268", **save, "bad/CHGCAR": b"cut"}
    output = _ingest(maker, _tar(tmp_path / "runs.tar", members))
    assert (output.n_new, [failed.item[-10:] for failed in output.failed]) == (2, ["bad/CHGCAR"])
    with maker.open_stores() as stores:
        doc = next(stores.densities.query({"elements": ["Fe"]}))
        arrays = stores.densities.load_arrays(doc, "grid")
        assert {d.source for d in stores.densities.query()} == {
            "runs.tar:Fe/CHGCAR.gz", "runs.tar:oh.save/charge-density.dat",
        }  # fmt: skip
    moment = arrays["magnetization"].mean() * 11.8  # of a cell of 11.8 Å^3
    assert moment == pytest.approx(2.27, abs=0.01)
    assert any("occupancies" in name for name in arrays)


def test_qm9_archives_follow_the_index_rule(
    maker: IngestMaker, gaussian_code: Any, molecules: list[Molecule], tmp_path: Path
) -> None:
    """Files of the set's names and packing; the molecules are those of QM9's first rows."""
    reference = ["CH4", "H3N", "H2O"]
    code = replace(gaussian_code, spacing=0.3)
    members = {}
    for number, molecule in ((1, molecules[4]), (3, molecules[2])):
        write_density(code.label(molecule).density, tmp_path / "x.CHGCAR")
        content = lz4.frame.compress((tmp_path / "x.CHGCAR").read_bytes())
        members[f"{number:06d}.CHGCAR.lz4"] = content
    output = _ingest(maker, _tar(tmp_path / "000xxx.tar", members))
    with maker.open_stores() as stores:
        docs = [stores.densities.get(density_id) for density_id in output.density_ids]
    found = {str(doc.source).rpartition(":")[2]: doc.formula for doc in docs}
    assert found == {"000001.CHGCAR.lz4": "CH4", "000003.CHGCAR.lz4": "H2O"}
    check_index_rule(found, reference)


def test_every_misleading_file_gets_its_verdict_at_the_door(
    maker: IngestMaker, repository: Path
) -> None:
    data = repository / "tests" / "data"
    table: dict[str, tuple[str, str]] = json.loads((data / "verdicts.json").read_text())
    output = _ingest(maker, *(data / name for name in table))
    with maker.open_stores() as stores:
        found = {doc.source: doc for doc in list_offers(stores)}
        assert stores.densities.count() == len(output.density_ids)
    for name, (verdict, reason) in table.items():
        doc = found[str(data / name)]
        assert doc.status == verdict, name
        assert any(reason in text for text in doc.reasons) or not reason, name
    assert len(output.density_ids) == sum(v == "accepted" for v, _ in table.values())
    assert output.n_quarantined == sum(v == "quarantined" for v, _ in table.values())


@pytest.mark.slow
def test_many_files_are_read_in_processes(
    maker: IngestMaker, density: ChargeDensity, tmp_path: Path
) -> None:
    for number in range(9):
        write_density(replace(density, values=density.values * (1 + 1e-6 * number)),
                      tmp_path / f"{number}.cube")  # fmt: skip
    output = _ingest(replace(maker, n_processes=2), tmp_path / "*.cube")
    assert (output.n_items, output.n_new) == (9, 9)
    with maker.open_stores() as stores:
        sources = [stores.densities.get(key).source for key in output.density_ids]
    assert [str(source)[-6:] for source in sources] == [f"{n}.cube" for n in range(9)]
