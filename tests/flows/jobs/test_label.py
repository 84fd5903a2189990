"""Labels are stored one by one, found again, and refused with reasons."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from pymatgen.core import Molecule

from scdp_flows.density import ChargeDensity
from scdp_flows.errors import (
    CalculationError,
    DatasetError,
    SettingsError,
    StoreError,
    StructureError,
)
from scdp_flows.jobs.label import LabelMaker, merge_labels
from scdp_flows.schemas.outputs import LabelOutput, Refusal
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from scdp_flows.dft.base import DftCode


def _label(maker: LabelMaker, molecules: Sequence[Molecule], **given: Any) -> LabelOutput:
    """Run the step of a job without an engine."""
    output = LabelMaker.make.original(maker, molecules, **given)  # type: ignore[attr-defined]
    assert isinstance(output, LabelOutput)
    return output


@pytest.fixture
def maker(gaussian_code: DftCode, tmp_path: Path) -> LabelMaker:
    """Label with the free code into a store of the test."""
    return LabelMaker(code=gaussian_code, store_path=str(tmp_path / "store"))


@pytest.fixture
def overlapping() -> Molecule:
    """Give two atoms in one place."""
    return Molecule(["H", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.1]])


def test_a_label_holds_grid_fit_and_atoms(maker: LabelMaker, molecules: list[Molecule]) -> None:
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.density.orbital import OrbitalDensity

    output = _label(maker, molecules[2:3], tags=["mine"])
    with maker.open_stores() as stores:
        doc = stores.densities.get(output.density_ids[0])
        grid = ChargeDensity.from_arrays(stores.densities.load_arrays(doc, "grid"))
        orbital = OrbitalDensity.from_arrays(stores.densities.load_arrays(doc, "orbital"))
        atoms = AtomicReference.from_dict(json.loads(stores.blobs.get(doc.blobs["reference"])))
    assert (doc.formula, doc.tags, doc.n_electrons) == ("H2O", ["mine"], 8)
    assert grid.values.dtype == np.float32
    assert doc.integral_e == pytest.approx(8, abs=0.05)
    assert orbital.n_electrons() == pytest.approx(8, abs=1e-9)
    assert set(atoms.atoms) == {1, 8}
    assert doc.fit is not None
    assert doc.fit.residual_charge_e == pytest.approx(0, abs=1e-9)
    assert doc.scf is not None
    assert doc.scf.conv_tol_ha == 1e-7


def test_nothing_is_computed_twice(
    maker: LabelMaker, molecules: list[Molecule], gaussian_code: Any
) -> None:
    first = _label(maker, molecules[:3])
    second = _label(maker, molecules)
    assert len(gaussian_code.computed) == len(molecules)
    assert (first.n_new, first.n_reused) == (3, 0)
    assert (second.n_new, second.n_reused) == (3, 3)
    assert second.density_ids[:3] == first.density_ids


def test_a_label_whose_arrays_are_damaged_or_gone_is_made_anew(
    maker: LabelMaker, molecules: list[Molecule], gaussian_code: Any, damage: Any
) -> None:
    ids = _label(maker, molecules[:3]).density_ids
    with maker.open_stores() as stores:
        damage(stores, stores.densities.get(ids[0]).blobs["grid"])
        stores.blobs.discard(stores.densities.get(ids[1]).blobs["orbital"])
        again = _label(maker, molecules[:3])
        assert (again.n_new, again.n_reused) == (2, 1)
        assert len(gaussian_code.computed) == 5
        assert all(stores.densities.is_whole(stores.densities.get(key)) for key in ids)


def test_equal_structures_of_a_batch_are_computed_once(
    maker: LabelMaker, water: Molecule, gaussian_code: Any
) -> None:
    output = _label(maker, [water, water.copy()])
    assert len(output.density_ids) == len(gaussian_code.computed) == 1


def test_other_settings_and_other_fits_are_other_labels(
    maker: LabelMaker, water: Molecule, gaussian_code: Any
) -> None:
    plain = _label(maker, [water])
    other = LabelMaker(code=gaussian_code, basis="lean+small", store_path=maker.store_path)
    assert _label(other, [water]).density_ids != plain.density_ids


def test_tags_are_added_to_earlier_labels(maker: LabelMaker, water: Molecule) -> None:
    _label(maker, [water], tags=["a"])
    (density_id,) = _label(maker, [water], tags=["b"]).density_ids
    with maker.open_stores() as stores:
        assert stores.densities.get(density_id).tags == ["a", "b"]


def test_who_labels_the_same_at_once_keeps_his_tags(
    maker: LabelMaker, water: Molecule, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = type(maker.code)
    compute = code.label_many

    def compute_after_another(*given: Any, **named: Any) -> Iterator[Any]:
        monkeypatch.setattr(code, "label_many", compute)
        _label(maker, [water], tags=["theirs"])
        return compute(*given, **named)

    monkeypatch.setattr(code, "label_many", compute_after_another)
    output = _label(maker, [water], tags=["mine"])
    with maker.open_stores() as stores:
        assert stores.densities.get(output.density_ids[0]).tags == ["mine", "theirs"]


def test_the_origin_of_a_structure_is_kept(maker: LabelMaker, water: Molecule) -> None:
    water.properties = {"qm7_id": 12, "forces": [1.0, 2.0]}
    (density_id,) = _label(maker, [water]).density_ids
    with maker.open_stores() as stores:
        assert stores.densities.get(density_id).source == "qm7_id=12"


def test_failures_are_listed_with_reasons(
    maker: LabelMaker, water: Molecule, overlapping: Molecule
) -> None:
    hydroxyl = Molecule(["O", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.97]])
    silicon = Molecule(["Si", "H", "H"], [[0.0, 0.0, 0.0], [0.0, 1.2, 1.0], [0.0, -1.2, 1.0]])
    output = _label(maker, [overlapping, water, hydroxyl, silicon])
    assert [(f.index, f.error) for f in output.failed] == [
        (0, "StructureError"),
        (2, "StructureError"),
        (3, "CalculationError"),
    ]
    assert "overlap" in output.failed[0].reason
    assert len(output.density_ids) == 1
    with maker.open_stores() as stores:
        assert stores.densities.count() == 1


def test_a_single_failure_is_raised_as_it_is(maker: LabelMaker, overlapping: Molecule) -> None:
    with pytest.raises(StructureError, match="overlap"):
        _label(maker, [overlapping])
    with maker.open_stores() as stores:
        assert stores.densities.count() == 0
        assert list(stores.blobs.iterate()) == []


def test_failures_throughout_are_raised(maker: LabelMaker, overlapping: Molecule) -> None:
    other = overlapping.copy()
    other.translate_sites(vector=[0.0, 1.0, 0.0])
    with pytest.raises(CalculationError, match=r"none of the 2 structures.*overlap"):
        _label(maker, [overlapping, other])


def test_a_nan_density_leaves_nothing_behind(
    maker: LabelMaker, water: Molecule, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scdp_models.density import evaluate

    monkeypatch.setattr(
        evaluate, "evaluate_on_grid", lambda _density, _origin, _cell, shape: np.full(shape, np.nan)
    )
    with pytest.raises(ValueError, match="not finite"):
        _label(maker, [water])
    with maker.open_stores() as stores:
        assert stores.densities.count() == 0
        assert list(stores.blobs.iterate()) == []


def test_an_unknown_basis_is_named(gaussian_code: DftCode, water: Molecule, tmp_path: Path) -> None:
    maker = LabelMaker(code=gaussian_code, basis="leen", store_path=str(tmp_path))
    with pytest.raises(SettingsError, match="'leen' names no basis"):
        _label(maker, [water])


def test_no_structures_is_an_error(maker: LabelMaker) -> None:
    with pytest.raises(DatasetError, match="no structures"):
        _label(maker, [])


def test_an_unwritable_store_is_named(gaussian_code: Any, water: Molecule, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    maker = LabelMaker(code=gaussian_code, store_path=str(tmp_path / "file" / "store"))
    with pytest.raises(StoreError, match="file/store"):
        _label(maker, [water])
    assert not gaussian_code.computed


def test_what_was_finished_before_a_crash_is_kept(
    maker: LabelMaker, molecules: list[Molecule], gaussian_code: Any, monkeypatch: Any
) -> None:
    whole = type(gaussian_code).label_many

    def interrupted(self: Any, *given: Any, **named: Any) -> Iterator[Any]:
        for number, outcome in enumerate(whole(self, *given, **named)):
            if number == 2:
                raise KeyboardInterrupt
            yield outcome

    monkeypatch.setattr(type(gaussian_code), "label_many", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _label(maker, molecules)
    monkeypatch.undo()
    assert _label(maker, molecules).n_reused == 2


def test_it_runs_as_a_job(maker: LabelMaker, molecules: list[Molecule]) -> None:
    job = maker.make(molecules)
    store = JobStore(MemoryStore())
    run_locally(job, log=False, store=store, raise_immediately=True)
    output = store.get_output(job.uuid)
    with open_stores(maker.store_path) as stores:
        assert stores.densities.count() == len(output["density_ids"]) == len(molecules)


def test_outputs_of_batches_are_put_together() -> None:
    refusal = Refusal(index=1, item="H2", error="StructureError", reason="overlap")
    first = LabelOutput(density_ids=["a", "b"], failed=[refusal], n_items=3, n_new=2)
    second = LabelOutput(density_ids=["b", "c"], failed=[refusal], n_items=3, n_reused=2)
    merged = merge_labels.original([first, second])  # type: ignore[attr-defined]
    assert merged.density_ids == ["a", "b", "c"]
    assert [item.index for item in merged.failed] == [1, 4]
    assert (merged.n_items, merged.n_new, merged.n_reused) == (6, 2, 2)
