"""Files become stored densities once, and what is no density is refused."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_flows.density import ChargeDensity
from scdp_flows.errors import CalculationError, DensityError, DensityFormatError
from scdp_flows.io.base import write_density
from scdp_flows.jobs.ingest import IngestMaker
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
    label = replace(gaussian_code, spacing=0.3)._label(water, None)
    assert isinstance(label.density, ChargeDensity)
    return label.density


@pytest.fixture
def cube(density: ChargeDensity, tmp_path: Path) -> Path:
    """Give its file."""
    write_density(density, tmp_path / "water.cube")
    return tmp_path / "water.cube"


@pytest.fixture
def maker(store_path: str, gaussian_code: Any) -> IngestMaker:
    """Ingest densities of the kind of the free code."""
    return IngestMaker(store_path=store_path, kind=gaussian_code.kind().as_dict())


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
