"""Documents and arrays to store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_flows.schemas.dataset import AtomCounts, DatasetDoc, DatasetMember, Split
from scdp_flows.schemas.density import DensityDoc
from scdp_flows.stores.factory import Stores, open_stores
from scdp_flows.stores.folder_blobs import FolderBlobStore
from scdp_flows.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.fixture
def density_doc(example: Callable[[str], dict[str, Any]]) -> DensityDoc:
    """Give a document of a density that is not stored yet."""
    return DensityDoc.model_validate(example("density")).updated(blobs={})


@pytest.fixture
def arrays() -> dict[str, dict[str, NDArray[Any]]]:
    """Give the arrays of a density by role."""
    grid = np.exp(-np.linspace(0, 5, 120, dtype=np.float32)).reshape(4, 5, 6)
    return {"grid": {"values": grid}, "orbital": {"coefficients": np.arange(7.0)}}


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[SqliteStore]:
    """Give an open, empty store."""
    with SqliteStore(tmp_path / "docs.sqlite", "docs", key="name") as store:
        yield store


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobStore:
    """Give an empty folder of blobs."""
    return FolderBlobStore(tmp_path / "blobs")


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    """Give open, empty stores in a folder."""
    with open_stores(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def dataset(
    stores: Stores, put_density: Callable[..., DensityDoc], molecules: list[Any]
) -> DatasetDoc:
    """Give a stored dataset of four densities."""
    docs = [put_density(stores, molecule) for molecule in molecules[:4]]
    places: list[Split] = ["train", "train", "validation", "test"]
    members = [
        DatasetMember(density_id=doc.density_id, split=place)
        for doc, place in zip(docs, places, strict=True)
    ]
    doc = DatasetDoc.from_members(
        members,
        target={"target": "delta"},
        name="four",
        kind=docs[0].kind,
        kind_key=docs[0].kind_key,
        elements=["H", "O"],
        n_atoms=AtomCounts.from_counts([doc.n_atoms for doc in docs]),
    )
    return stores.datasets.put(doc, [{"targets": np.arange(3.0)}])
