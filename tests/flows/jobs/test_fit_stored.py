from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import DatasetError, KindMismatchError
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.fit_stored import FitMaker, neutral_atoms
from scdp_flows.jobs.ingest import IngestMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.schemas.outputs import LabelOutput

KIND = {"pseudopotential": "paw-pbe", "functional": "PBE", "basis": "245eV", "code": "vasp"}


def _ingest(path: Path, store_path: str, **kind: str) -> str:
    maker = IngestMaker(store_path=store_path, kind=KIND | kind)
    output: LabelOutput = IngestMaker.make.original(maker, [str(path)])  # type: ignore[attr-defined]
    return output.density_ids[0]


def _fit(store_path: str, *density_ids: str) -> LabelOutput:
    maker = FitMaker(store_path=store_path, basis="crystal+small")
    ids = list(density_ids) or None
    output: LabelOutput = FitMaker.make.original(maker, ids)  # type: ignore[attr-defined]
    return output


def test_a_real_density_of_vasp_becomes_a_label(repository: Path, store_path: str) -> None:
    density_id = _ingest(repository / "tests/data/vasp/Si2_24_CHGCAR.gz", store_path)
    output = _fit(store_path, density_id)
    assert (output.density_ids, output.n_new, output.failed) == ([density_id], 1, [])
    with open_stores(store_path) as stores:
        doc = stores.densities.get(density_id)
    assert doc.fit is not None
    assert doc.fit.nmae_percent is not None
    assert doc.fit.nmae_percent < 1.0
    assert abs(doc.fit.residual_charge_e) < 1e-6
    maker = BuildDatasetMaker(
        store_path=store_path, basis="crystal+small", split=SplitRule(validation=0, test=0)
    )
    dataset = BuildDatasetMaker.make.original(maker, [density_id])  # type: ignore[attr-defined]
    assert dataset.ids("train") == [density_id]
    again = _fit(store_path)
    assert (again.n_new, again.n_reused) == (0, 1)


def test_what_cannot_be_fitted_together_is_refused(repository: Path, store_path: str) -> None:
    with pytest.raises(DatasetError, match="no densities to fit"):
        _fit(store_path)
    one = _ingest(repository / "tests/data/vasp/Si2_24_CHGCAR.gz", store_path)
    iron = repository / "tests/data/vasp/Fe2_cubic_CHGCAR.gz"
    two = _ingest(iron, store_path, functional="LDA")
    with pytest.raises(KindMismatchError):
        _fit(store_path, one, two)


def test_valence_electrons_follow_from_the_counts(repository: Path, store_path: str) -> None:
    data = repository / "tests/data/vasp"
    ids = [_ingest(data / name, store_path) for name in ("Si2_24_CHGCAR.gz", "LiH_CHGCAR_spin.xz")]
    with open_stores(store_path) as stores:
        silicon, hydride = map(stores.densities.get, ids)
    assert neutral_atoms([silicon]) == {"Si": 4.0}
    with pytest.raises(DatasetError, match="H, Li do not follow from 1 densities"):
        neutral_atoms([hydride])
