from __future__ import annotations

import json
import shutil
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import BlobError, DatasetError
from scdp_flows.stores.archive import export_dataset, import_dataset
from scdp_flows.stores.check import check_stores
from scdp_flows.stores.factory import Stores, open_stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scdp_flows.schemas.dataset import DatasetDoc

Members = dict[str, bytes]


@pytest.fixture
def archive(stores: Stores, dataset: DatasetDoc, tmp_path: Path) -> Path:
    """Give the archive of a dataset."""
    return export_dataset(stores, dataset, tmp_path / "four.zip")


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Stores]:
    """Give empty stores elsewhere."""
    with open_stores(tmp_path / "elsewhere") as opened:
        yield opened


def test_a_dataset_moves_with_everything(
    archive: Path, other: Stores, stores: Stores, dataset: DatasetDoc
) -> None:
    found = import_dataset(other, archive)
    assert (found.n_new, found.n_known, found.n_blobs) == (5, 0, 5)
    assert other.datasets.get("four").same_content(dataset)
    for member in dataset.members:
        assert other.densities.get(member.density_id) == stores.densities.get(member.density_id)
    assert check_stores(other).problems == []


def test_importing_twice_changes_nothing(archive: Path, other: Stores) -> None:
    import_dataset(other, archive)
    again = import_dataset(other, archive)
    assert (again.n_new, again.n_known) == (0, 5)


def test_a_split_goes_along(stores: Stores, dataset: DatasetDoc, tmp_path: Path) -> None:
    parts: Any = {"train": dataset.ids("train"), "test": dataset.ids("test")}
    split = stores.curation.put_split(parts, name="mine", method="structure", n_groups=3)
    made = export_dataset(stores, dataset.updated(split_id=split.split_id), tmp_path / "b.zip")
    with open_stores(tmp_path / "c") as other:
        import_dataset(other, made)
        assert len(other.curation.load_split(other.curation.splits.get_named("mine"))) == 3


def test_a_missing_density_or_blob_stops_the_export(
    stores: Stores, dataset: DatasetDoc, tmp_path: Path
) -> None:
    doc = stores.densities.get(dataset.members[0].density_id)
    stores.blobs.discard(doc.blobs["grid"])
    with pytest.raises(BlobError, match="is not in"):
        export_dataset(stores, dataset, tmp_path / "a.zip")
    stores.densities.remove(doc.density_id)
    with pytest.raises(DatasetError, match="not in the store any more"):
        export_dataset(stores, dataset, tmp_path / "a.zip")
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".zip"] == []


def _rewritten(archive: Path, change: Callable[[Members], None]) -> Path:
    with zipfile.ZipFile(archive) as old:
        members = {name: old.read(name) for name in old.namelist()}
    change(members)
    with zipfile.ZipFile(archive, "w") as new:
        for name, data in members.items():
            new.writestr(name, data)
    return archive


def _blob(members: Members) -> str:
    return next(name for name in members if name.startswith("blobs/"))


def _listed(members: Members, name: str, data: bytes) -> None:
    """Add a member that the manifest knows."""
    from hashlib import sha256

    manifest = json.loads(members["manifest.json"])
    manifest["members"][name] = {"size": len(data), "sha256": sha256(data).hexdigest()}
    members["manifest.json"] = json.dumps(manifest).encode()
    members[name] = data


CHANGES: dict[str, tuple[Callable[[Members], Any], str]] = {
    "blob flipped": (lambda m: m.update({_blob(m): bytes(len(m[_blob(m)]))}), "damaged"),
    "blob longer": (lambda m: m.update({_blob(m): m[_blob(m)] + b"x"}), "manifest says"),
    "blob lost": (lambda m: m.pop(_blob(m)), "differ in 'blobs/"),
    "surplus": (lambda m: m.update({"notes": b""}), "differ in 'notes'"),
    "path out": (lambda m: _listed(m, "../../evil", b"x"), "'../../evil' is no name"),
    "absolute": (lambda m: _listed(m, "/etc/evil", b"x"), "is no name"),
    "foreign blob": (lambda m: _listed(m, f"blobs/{'0' * 64}.zstd", b"x"), "no document refers"),
    "document changed": (
        lambda m: m.update(
            {"documents/datasets.jsonl": m["documents/datasets.jsonl"].replace(b"four", b"five")}
        ),
        "checksum is wrong",
    ),
    "document broken": (lambda m: _listed(m, "documents/densities.jsonl", b"{}\n"), "line 1"),
    "no manifest": (lambda m: m.pop("manifest.json"), "no manifest"),
    "future": (
        lambda m: m.update(
            {"manifest.json": m["manifest.json"].replace(b'"version": 1', b'"version": 9')}
        ),
        "upgrade",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_tampered_with_is_refused(archive: Path, other: Stores, change: str) -> None:
    edit, complaint = CHANGES[change]
    with pytest.raises((DatasetError, BlobError), match=complaint):
        import_dataset(other, _rewritten(archive, edit))
    assert list(other.datasets.query()) == []


@pytest.mark.parametrize("damage", ["truncated", "text", "empty", "missing"])
def test_what_is_no_archive_is_refused(archive: Path, other: Stores, damage: str) -> None:
    data = archive.read_bytes()
    contents = {"truncated": data[: len(data) // 2], "text": b"hello" * 100, "empty": b""}
    if damage == "missing":
        archive.unlink()
    else:
        archive.write_bytes(contents[damage])
    with pytest.raises(DatasetError, match=r"four\.zip: (is no whole archive|cannot be read)"):
        import_dataset(other, archive)


def test_a_bomb_is_not_unpacked(archive: Path, other: Stores, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.zip"
    shutil.copy(archive, bomb)
    with zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as more:
        more.writestr("documents/extra.jsonl", bytes(10_000_000))
    with pytest.raises(DatasetError, match="differ in 'documents/extra"):
        import_dataset(other, bomb)
