"""Models of the official code go into the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import DensityError, ModelError
from scdp_flows.kind import DensityKind
from scdp_flows.predictors.published import import_published
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pymatgen.core import Molecule


def test_an_imported_model_is_a_model_of_the_store(
    official_run: Callable[..., Path], tmp_path: Path, water: Molecule
) -> None:
    store = str(tmp_path / "store")
    with open_stores(store) as stores:
        doc = import_published(official_run("B"), stores, name="published").doc
        assert stores.models.get("published") == doc
    assert doc.elements == ["C", "F", "H", "N", "O"]
    assert doc.config["network"]["mode"] == "legacy"
    predictor = ScdpPredictor("published", store_path=store, dtype="float64")
    density = predictor.predict(water)
    assert density.numbers.tolist() == [8, 1, 1, 0, 0]
    assert predictor.kind() == DensityKind.from_dict(doc.kind)


def test_the_default_kind_is_spelt_out(official_run: Callable[..., Path], tmp_path: Path) -> None:
    with open_stores(str(tmp_path / "store")) as stores:
        doc = import_published(official_run(), stores, name="a", kind={"basis": "520eV"}).doc
    assert doc.kind["pseudopotential"] == "paw-pbe"
    assert (doc.kind["electrons"], doc.kind["basis"]) == ("valence", "520eV")


def test_what_cannot_be_imported_is_named(
    official_run: Callable[..., Path], tmp_path: Path
) -> None:
    folder = official_run()
    (folder / "config.yaml").unlink()
    with open_stores(str(tmp_path / "store")) as stores:
        with pytest.raises(ModelError, match=r"cannot import .*config\.yaml cannot be read"):
            import_published(folder, stores, name="a")
        with pytest.raises(DensityError, match="not the fields of a density kind"):
            import_published(folder, stores, name="a", kind={"grid": "fine"})
