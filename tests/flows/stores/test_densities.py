from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_flows.errors import DensityError, StoreError, UnknownNameError
from scdp_flows.stores.densities import DensityStore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_flows.schemas.density import DensityDoc
    from scdp_flows.stores.folder_blobs import FolderBlobStore
    from scdp_flows.stores.sqlite import SqliteStore

Arrays = dict[str, dict[str, "NDArray[Any]"]]


@pytest.fixture
def densities(sqlite_store: SqliteStore, blobs: FolderBlobStore) -> DensityStore:
    """Give an empty store."""
    return DensityStore(sqlite_store, blobs)


def test_a_density_comes_back(
    densities: DensityStore, density_doc: DensityDoc, arrays: Arrays
) -> None:
    stored = densities.put(density_doc, arrays)
    found = densities.get(density_doc.density_id)
    assert found == stored
    assert found.updated(blobs={}) == density_doc
    for role, content in arrays.items():
        for name, array in densities.load_arrays(found, role).items():
            np.testing.assert_array_equal(array, content[name])


def test_ingesting_twice_gives_one_document(
    densities: DensityStore, density_doc: DensityDoc, arrays: Arrays
) -> None:
    first = densities.put(density_doc, arrays)
    assert densities.put(density_doc, arrays) == first
    assert densities.count() == 1
    assert len(list(densities.blobs.iterate())) == 2


def test_found_by_structure_and_settings(densities: DensityStore, density_doc: DensityDoc) -> None:
    hashes = {
        "structure_hash": density_doc.structure_hash,
        "settings_hash": density_doc.settings_hash,
    }
    assert densities.find(**hashes) is None
    densities.put(density_doc)
    assert densities.find(**hashes) == density_doc
    assert densities.find(**hashes | {"settings_hash": "other"}) is None


def test_nan_is_refused_and_nothing_is_left(
    densities: DensityStore, density_doc: DensityDoc, arrays: Arrays
) -> None:
    arrays["orbital"]["coefficients"][2] = np.nan
    with pytest.raises(DensityError, match=r"H2O.*orbital: 1 of 7 values of array 'coefficients'"):
        densities.put(density_doc, arrays)
    assert densities.count() == 0
    assert list(densities.blobs.iterate()) == []


def test_blobs_are_written_before_the_document(
    densities: DensityStore,
    density_doc: DensityDoc,
    arrays: Arrays,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("no blobs today")

    monkeypatch.setattr(densities.blobs, "put_arrays", fail)
    with pytest.raises(StoreError, match="no blobs today"):
        densities.put(density_doc, arrays)
    assert densities.count() == 0


def test_a_failed_document_can_be_put_again(
    densities: DensityStore, density_doc: DensityDoc, arrays: Arrays
) -> None:
    store = densities.documents.store
    store.close()
    with pytest.raises(StoreError, match="not connected"):
        densities.put(density_doc, arrays)
    store.connect()
    assert densities.count() == 0
    densities.put(density_doc, arrays)
    assert len(list(densities.blobs.iterate())) == 2


def test_queries_stream_typed_documents(densities: DensityStore, density_doc: DensityDoc) -> None:
    for n in range(5):
        key = {"structure_hash": str(n), "density_id": density_doc.make_id(str(n), "s")}
        densities.put(density_doc.updated(settings_hash="s", energy_ev=float(n), **key))
    energies = [doc.energy_ev for doc in densities.query({"energy_ev": {"$gt": 1}}, limit=2)]
    assert energies == [2.0, 3.0]
    assert densities.distinct("elements") == ["H", "O"]
    densities.remove(key["density_id"])
    assert densities.count({"kind.functional": "pbe"}) == 4


def test_unknown_arrays_are_named(
    densities: DensityStore, density_doc: DensityDoc, arrays: Arrays
) -> None:
    stored = densities.put(density_doc, arrays)
    with pytest.raises(UnknownNameError, match=r"'grids'.*grid, orbital"):
        densities.load_arrays(stored, "grids")
