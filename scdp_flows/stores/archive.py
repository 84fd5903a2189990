"""Carry a dataset from one store to another in a single file.

An archive is a ZIP file: ``manifest.json`` names every other member with size and sha256;
``documents/*.jsonl`` hold one document per line; ``blobs/`` hold the blobs as they are stored. It
needs nothing of this package to be read.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field, ValidationError

from scdp_flows.errors import DatasetError
from scdp_flows.schemas.dataset import DatasetDoc
from scdp_flows.schemas.density import DensityDoc
from scdp_flows.schemas.part import ScdpPart
from scdp_flows.schemas.provenance import Provenance
from scdp_flows.schemas.split import SplitDoc
from scdp_flows.scratch import scratch_folder
from scdp_flows.stores.references import blob_references

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scdp_flows.schemas.base import ScdpDoc
    from scdp_flows.schemas.density import BlobReference
    from scdp_flows.stores.documents import DocumentStore
    from scdp_flows.stores.factory import Stores

__all__ = ["Imported", "export_dataset", "import_dataset"]

_FORMAT = "scdp dataset"
_VERSION = 1
_MANIFEST = "manifest.json"
_LARGEST_MANIFEST = 256 * 2**20
_ENCRYPTED = 1
_LARGEST_LINE = 64 * 2**20
_TYPES: dict[str, type[ScdpDoc]] = {
    "densities": DensityDoc,
    "splits": SplitDoc,
    "datasets": DatasetDoc,
}
_DOCUMENTS = re.compile(r"documents/(densities|splits|datasets)\.jsonl")
_BLOB = re.compile(r"blobs/[0-9a-f]{64}\.[a-z0-9-]{1,32}")


class _Member(ScdpPart):
    """Describe one member of an archive."""

    size: int = Field(ge=0, description="Bytes.")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="Checksum of the bytes.")


class _Manifest(ScdpPart):
    """Describe an archive."""

    format: str = Field(description="What kind of archive it is.")
    version: int = Field(description="Of the layout of the archive.")
    dataset_id: str = Field(description="The dataset in it.")
    name: str = Field(description="Name of the dataset.")
    provenance: Provenance = Field(description="Who wrote the archive.")
    members: dict[str, _Member] = Field(description="Every member but this one, by its name.")


class Imported(NamedTuple):
    """What an import brought."""

    dataset: DatasetDoc
    """The dataset."""
    n_new: int
    """Documents that were not there before."""
    n_known: int
    """Documents that were there and stayed as they were."""
    n_blobs: int
    """Blobs in the archive."""


def export_dataset(stores: Stores, dataset: DatasetDoc, path: str | Path) -> Path:
    """Write a dataset, its densities, its split and all their blobs into one file.

    Parameters
    ----------
    stores
        Where they are.
    dataset
        The dataset.
    path
        The file, which is replaced if it exists; it appears when it is complete.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DatasetError
        If a member of the dataset is missing, or the file cannot be written.
    BlobError
        If a blob is missing or damaged.
    """
    file = Path(path)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(".export-", file.parent) as folder:
            made = folder / "archive"
            # What is inside is compressed already.
            with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
                _write(archive, stores, dataset)
            made.replace(file)
    except OSError as error:
        raise DatasetError(
            f"{file}: cannot be written: {error.strerror}; choose a folder that is writable and "
            "has space"
        ) from error
    return file


def _write(archive: zipfile.ZipFile, stores: Stores, dataset: DatasetDoc) -> None:
    members: dict[str, _Member] = {}
    references: dict[str, BlobReference] = {}

    def put(name: str, rows: Iterable[ScdpDoc]) -> None:
        digest, size = hashlib.sha256(), 0
        with archive.open(f"documents/{name}.jsonl", "w", force_zip64=True) as stream:
            for doc in rows:
                content = doc.to_dict()
                for reference in blob_references(content):
                    references[f"blobs/{reference.key}.{reference.compression}"] = reference
                line = json.dumps(content, sort_keys=True).encode() + b"\n"
                stream.write(line)
                digest.update(line)
                size += len(line)
        members[f"documents/{name}.jsonl"] = _Member(size=size, sha256=digest.hexdigest())

    put("densities", _members(stores, dataset))
    split = dataset.split_id
    put("splits", [] if split is None else [stores.curation.splits.get(split)])
    put("datasets", [dataset])
    for name, reference in sorted(references.items()):
        stores.blobs.get(reference)
        data = stores.blobs.get_packed(reference)
        archive.writestr(name, data)
        members[name] = _Member(size=len(data), sha256=hashlib.sha256(data).hexdigest())
    manifest = _Manifest(
        format=_FORMAT,
        version=_VERSION,
        dataset_id=dataset.dataset_id,
        name=dataset.name,
        provenance=Provenance.collect(),
        members=members,
    )
    archive.writestr(_MANIFEST, json.dumps(manifest.to_dict(), indent=1))


def _members(stores: Stores, dataset: DatasetDoc) -> Iterator[DensityDoc]:
    for member in dataset.members:
        doc = stores.densities.documents.find({"density_id": member.density_id})
        if doc is None:
            raise DatasetError(
                f"dataset {dataset.name!r}: density {member.density_id} is not in the store any "
                "more; ingest or label it again before the export"
            )
        yield doc


def import_dataset(stores: Stores, path: str | Path) -> Imported:
    """Read an archive into the stores.

    Everything is checked before it is stored: names, sizes and checksums of the members, every
    blob against the checksum of its content, every document against its schema. Blobs are stored
    before the documents that need them, the dataset last. Documents that are there already stay as
    they are. Importing the same archive twice changes nothing.

    Parameters
    ----------
    stores
        Where it goes.
    path
        The archive.

    Raises
    ------
    DatasetError
        If the file is no such archive, or something in it is not what the manifest says.
    StoreError
        If the store cannot be written.
    """
    file = Path(path)
    with _opened(file) as archive:
        manifest = _manifest(file, archive)
        n_blobs = _store_blobs(file, archive, manifest, stores)
        counts = [0, 0]
        views: dict[str, DocumentStore[Any]] = {
            "densities": stores.densities.documents,
            "splits": stores.curation.splits,
        }
        for name, view in views.items():
            for doc in _documents(file, archive, manifest, name):
                known = view.find({view.document.id_field: doc.identifier}) is not None
                if not known:
                    view.put(doc)
                counts[known] += 1
        found = list(_documents(file, archive, manifest, "datasets"))
        if len(found) != 1 or found[0].identifier != manifest.dataset_id:
            raise DatasetError(f"{file}: holds another dataset than its manifest says; {_AGAIN}")
        dataset = stores.datasets.documents.find({"dataset_id": manifest.dataset_id})
        counts[dataset is not None] += 1
        if dataset is None:
            dataset = stores.datasets.put(found[0])  # type: ignore[arg-type]
    return Imported(dataset, counts[0], counts[1], n_blobs)


_AGAIN = "get the archive anew from where it came from"


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except OSError as error:
        raise DatasetError(
            f"{file}: cannot be read: {error.strerror or error}; correct the path"
        ) from error
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise DatasetError(f"{file}: is no whole archive ({error}); {_AGAIN}") from error


def _manifest(file: Path, archive: zipfile.ZipFile) -> _Manifest:
    """Read the manifest and hold the list of members against it."""
    names = archive.namelist()
    if names.count(_MANIFEST) != 1 or archive.getinfo(_MANIFEST).file_size > _LARGEST_MANIFEST:
        raise DatasetError(f"{file}: has no manifest; expected an archive of 'scdp dataset export'")
    try:
        manifest = _Manifest.model_validate_json(archive.read(_MANIFEST))
    except ValidationError as error:
        raise DatasetError(f"{file}, {_MANIFEST}: {error.errors()[0]['msg']}; {_AGAIN}") from error
    if (manifest.format, manifest.version) != (_FORMAT, _VERSION):
        raise DatasetError(
            f"{file}: format {manifest.format!r} version {manifest.version}, expected {_FORMAT!r} "
            f"version {_VERSION}; upgrade scdp-flows"
        )
    expected = sorted([_MANIFEST, *manifest.members])
    if sorted(names) != expected:
        odd = sorted(set(names) ^ set(expected)) or ["a name twice"]
        raise DatasetError(f"{file}: the manifest and the members differ in {odd[0]!r}; {_AGAIN}")
    for info in archive.infolist():
        name, member = info.filename, manifest.members.get(info.filename)
        if member is None:
            continue
        if not _DOCUMENTS.fullmatch(name) and not _BLOB.fullmatch(name):
            raise DatasetError(f"{file}: {name!r} is no name of a member; {_AGAIN}")
        plain = info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & _ENCRYPTED
        if info.file_size != member.size or not plain:
            raise DatasetError(
                f"{file}, {name}: is not stored as {member.size} plain bytes, as the manifest "
                f"says; {_AGAIN}"
            )
    return manifest


def _store_blobs(file: Path, archive: zipfile.ZipFile, manifest: _Manifest, stores: Stores) -> int:
    """Store the blobs that the documents refer to, and insist that there are no others."""
    stored: set[str] = set()
    for kind in _TYPES:
        for doc in _documents(file, archive, manifest, kind):
            for reference in blob_references(doc.to_dict()):
                name = f"blobs/{reference.key}.{reference.compression}"
                if name in stored:
                    continue
                if name not in manifest.members:
                    raise DatasetError(f"{file}: {name} is missing; {_AGAIN}")
                if manifest.members[name].size > stores.blobs.max_bytes:
                    raise DatasetError(f"{file}, {name}: larger than the store accepts")
                stores.blobs.put_packed(reference, archive.read(name))
                stored.add(name)
    surplus = sorted(n for n in manifest.members if n.startswith("blobs/") and n not in stored)
    if surplus:
        raise DatasetError(f"{file}: no document refers to {surplus[0]}; {_AGAIN}")
    return len(stored)


def _documents(
    file: Path, archive: zipfile.ZipFile, manifest: _Manifest, kind: str
) -> Iterator[ScdpDoc]:
    """Yield the documents of one kind, once the checksum of all of them is right."""
    name = f"documents/{kind}.jsonl"
    if name not in manifest.members:
        raise DatasetError(f"{file}: {name} is missing; {_AGAIN}")
    with archive.open(name) as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
    if digest != manifest.members[name].sha256:
        raise DatasetError(f"{file}, {name}: the checksum is wrong; {_AGAIN}")
    with archive.open(name) as stream:
        number = 0
        while line := stream.readline(_LARGEST_LINE):
            number += 1
            try:
                yield _TYPES[kind].model_validate_json(line)
            except ValidationError as error:
                raise DatasetError(
                    f"{file}, {name}, line {number}: {error.errors()[0]['msg']}; {_AGAIN}"
                ) from error
