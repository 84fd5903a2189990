from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import DatasetError
from scdp_flows.jobs.split_files import read_split_file
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pymatgen.core import Molecule

    from scdp_flows.schemas.density import DensityDoc


@pytest.fixture
def docs(
    store_path: str, put_density: Callable[..., Any], molecules: list[Molecule]
) -> list[DensityDoc]:
    """Give three densities that came from files as in the QM9 set."""
    with open_stores(store_path) as stores:
        return [
            put_density(stores, molecule, source=f"{n:06d}.CHGCAR.lz4")
            for n, molecule in enumerate(molecules[:3], start=1)
        ]


def _file(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "splits.json.gz"
    path.write_bytes(gzip.compress(json.dumps(content).encode()))
    return path


def test_numbers_count_from_another_start(docs: list[DensityDoc], tmp_path: Path) -> None:
    file = read_split_file(_file(tmp_path, {"train": [0, 7], "val": [2], "test": [1]}))
    places = file.assign(docs, offset=1)
    assert [places[doc.density_id] for doc in docs] == ["train", "test", "validation"]


@pytest.mark.parametrize("entry", ["000002.CHGCAR.lz4", "000002"])
def test_names_are_matched_too(docs: list[DensityDoc], tmp_path: Path, entry: str) -> None:
    file = read_split_file(_file(tmp_path, {"train": [], "test": [entry]}))
    assert file.assign(docs) == {docs[1].density_id: "test"}


def test_a_file_about_others_is_refused(docs: list[DensityDoc], tmp_path: Path) -> None:
    file = read_split_file(_file(tmp_path, {"train": [100, 200]}))
    with pytest.raises(DatasetError, match="no density came from a file of such a name"):
        file.assign(docs)
    twice = [docs[0], docs[1].updated(source=docs[0].source)]
    file = read_split_file(_file(tmp_path, {"train": [1]}))
    with pytest.raises(DatasetError, match="entry 1 of splits"):
        file.assign(twice)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ([1, 2], "expected a JSON object"),
        ({"a": [1]}, "expected a JSON object"),
        ({"train": [1], "holdout": [2]}, "'holdout' is no part"),
        ({"train": 5}, "expected a list"),
        ({"train": [1.5]}, "expected a list"),
        ({"train": [1], "test": ["1"]}, "listed twice"),
    ],
    ids=str,
)
def test_malformed_files_are_refused(tmp_path: Path, content: object, complaint: str) -> None:
    with pytest.raises(DatasetError, match=complaint):
        read_split_file(_file(tmp_path, content))


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\xfe")
    for name in ("a", "missing"):
        with pytest.raises(DatasetError, match="cannot be read as JSON"):
            read_split_file(tmp_path / name)
