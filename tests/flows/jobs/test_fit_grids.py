"""Densities of files get fits and atoms, so that datasets can be made of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import DatasetError, DensityError, SettingsError
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.fit_grids import FitGridsMaker
from scdp_flows.jobs.ingest import IngestMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.schemas.outputs import LabelOutput

if TYPE_CHECKING:
    from pathlib import Path

KIND = {"pseudopotential": "paw-pbe", "functional": "PBE", "basis": "250eV"}


def _fit(maker: FitGridsMaker, **query: Any) -> LabelOutput:
    output = FitGridsMaker.make.original(maker, **query)  # type: ignore[attr-defined]
    return LabelOutput.model_validate(output)


@pytest.fixture
def maker(store_path: str, repository: Path) -> FitGridsMaker:
    """Give the Maker, over a store with silicon and iron."""
    data = repository / "tests" / "data" / "vasp"
    ingest = IngestMaker(store_path=store_path, kind=KIND)
    for name, tag in {"Si2_24_CHGCAR.gz": "silicon", "Fe2_cubic_CHGCAR.gz": "iron"}.items():
        IngestMaker.make.original(ingest, [str(data / name)], tags=[tag])  # type: ignore[attr-defined]
    return FitGridsMaker(store_path=store_path, n_processes=1)


def test_a_dataset_is_made_of_files(maker: FitGridsMaker, store_path: str) -> None:
    output = _fit(maker, criteria={"tags": "silicon"})
    assert (output.n_new, output.failed) == (1, [])
    with maker.open_stores() as stores:
        doc = stores.densities.get(output.density_ids[0])
    assert doc.fit is not None
    assert doc.fit.nmae_percent == pytest.approx(0.77, abs=0.1)
    build = BuildDatasetMaker(
        store_path=store_path, n_processes=1, split=SplitRule(validation=0.0, test=0.0)
    )
    dataset = BuildDatasetMaker.make.original(build, output.density_ids)  # type: ignore[attr-defined]
    assert (dataset.n_train, list(dataset.reference["atoms"])) == (1, ["14"])


def test_fits_and_atoms_stay_when_others_come(maker: FitGridsMaker) -> None:
    _fit(maker, criteria={"tags": "silicon"})
    with maker.open_stores() as stores:
        before = stores.densities.documents.find({"tags": "silicon"})
    output = _fit(replace(maker, basis="etb-2.0-max20"), criteria={"tags": "iron"})
    assert (output.n_new, output.n_reused) == (1, 0)
    assert _fit(maker, criteria={"tags": "silicon"}).n_reused == 1
    with maker.open_stores() as stores:
        assert stores.densities.documents.find({"tags": "silicon"}) == before
        (iron,) = stores.densities.query({"tags": "iron"})
        atoms = stores.blobs.get(iron.blobs["reference"])
    assert b'"14"' in atoms
    assert b'"26"' in atoms


def test_what_cannot_be_fitted_is_told(maker: FitGridsMaker) -> None:
    with pytest.raises(SettingsError, match="no lean valence range for atomic number 26"):
        _fit(maker)
    with pytest.raises(DatasetError, match="there are no densities to fit"):
        _fit(maker, criteria={"tags": "gold"})
    with pytest.raises(SettingsError, match=r"electrons: .*Xx"):
        _fit(replace(maker, electrons={"Xx": 1}), criteria={"tags": "silicon"})
    wrong = replace(maker, electrons={"Si": 3})
    with pytest.raises(DensityError, match=r"holds 8\.0.* and neutral atoms have 6"):
        _fit(wrong, criteria={"tags": "silicon"})
