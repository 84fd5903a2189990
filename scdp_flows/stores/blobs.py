"""Keep arrays and files once each, under the checksum of their content."""

from __future__ import annotations

import base64
import hashlib
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from scdp_flows.errors import BlobError
from scdp_flows.schemas.density import BlobReference
from scdp_flows.stores.codecs import CODECS, compress, decompress
from scdp_flows.stores.files import TEMPORARY_PREFIX, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from maggma.core import Store
    from numpy.typing import NDArray

__all__ = ["BlobStore", "FolderBlobStore", "MaggmaBlobStore"]

Arrays = dict[str, "NDArray[Any]"]
_DEFAULT_MAX_BYTES = 16 * 2**30


class BlobStore(ABC):
    """Keep payloads under the sha256 of their uncompressed content.

    The same content is stored once, however often it is put. Every read checks the checksum.

    Parameters
    ----------
    max_bytes
        Largest uncompressed payload in bytes that is written or read.
    """

    def __init__(self, *, max_bytes: int = _DEFAULT_MAX_BYTES) -> None:
        self.max_bytes = max_bytes

    # What a kind of store must be able to do. Data are compressed and opaque here.
    @abstractmethod
    def _read(self, key: str, codec: str) -> bytes | None: ...

    @abstractmethod
    def _write(self, key: str, codec: str, data: bytes) -> None: ...

    @abstractmethod
    def _remove(self, key: str, codec: str) -> None: ...

    @abstractmethod
    def iterate(self) -> Iterator[str]:
        """Yield the key of every stored blob."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Say where the blobs are."""

    def put(self, payload: bytes) -> BlobReference:
        """Store bytes.

        Parameters
        ----------
        payload
            The uncompressed content.

        Returns
        -------
        BlobReference
            What ``get`` needs to find them again.

        Raises
        ------
        BlobError
            If the content is too large or cannot be written.
        """
        return self._put(payload, BlobReference(**_identity(payload, "zlib"), media="bytes"))

    def put_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> BlobReference:
        """Store named arrays.

        Parameters
        ----------
        arrays
            Arrays of numbers or booleans, of any shape.

        Returns
        -------
        BlobReference
            What ``get_arrays`` needs to find them again.

        Raises
        ------
        BlobError
            If an array does not hold numbers, is too large or cannot be written.
        """
        plain = {name: _plain(name, arrays[name]) for name in sorted(arrays)}
        payload = save(plain)
        largest = max(plain.values(), key=lambda array: array.nbytes, default=np.zeros(0, "f4"))
        codec = {4: "shuffle4-zlib", 8: "shuffle8-zlib"}.get(largest.itemsize, "zlib")
        reference = BlobReference(
            **_identity(payload, codec), media="arrays", names=[str(name) for name in plain]
        )
        return self._put(payload, reference)

    def get(self, reference: BlobReference) -> bytes:
        """Return the stored bytes.

        Raises
        ------
        BlobError
            If the blob is missing, damaged or larger than its reference says.
        """
        self._check_size(reference)
        data = self._read(reference.key, reference.compression)
        if data is None:
            raise BlobError(
                f"blob {reference.key} is not in {self.name}; restore the folder or make its "
                "document anew, which writes the blob again"
            )
        try:
            payload = decompress(data, reference.compression, size=reference.size)
        except BlobError as error:
            raise BlobError(self._damaged(reference.key, str(error))) from error
        if hashlib.sha256(payload).hexdigest() != reference.key:
            raise BlobError(self._damaged(reference.key, "its checksum is wrong"))
        return payload

    def get_arrays(self, reference: BlobReference) -> Arrays:
        """Return the stored arrays.

        Raises
        ------
        BlobError
            If the blob is missing, damaged, or does not hold arrays.
        """
        if reference.media != "arrays":
            raise BlobError(f"blob {reference.key} holds bytes, not arrays; read it with get()")
        try:
            arrays: Arrays = load(self.get(reference))
        except SafetensorError as error:
            raise BlobError(self._damaged(reference.key, f"no arrays in it: {error}")) from error
        return arrays

    def discard(self, reference: BlobReference) -> None:
        """Remove a blob; that it is gone already is no error.

        Nothing counts references: other documents may point to the same content.
        """
        self._remove(reference.key, reference.compression)

    def _put(self, payload: bytes, reference: BlobReference) -> BlobReference:
        self._check_size(reference)
        for codec in CODECS:
            stored = reference.updated(compression=codec)
            if self._is_intact(stored, payload):
                return stored
        self._write(reference.key, reference.compression, compress(payload, reference.compression))
        return reference

    def _is_intact(self, reference: BlobReference, payload: bytes) -> bool:
        # Looking at the content, not only for the name, lets a second put repair a damaged blob.
        data = self._read(reference.key, reference.compression)
        if data is None:
            return False
        try:
            return decompress(data, reference.compression, size=reference.size) == payload
        except BlobError:
            return False

    def _check_size(self, reference: BlobReference) -> None:
        if reference.size > self.max_bytes:
            raise BlobError(
                f"blob {reference.key} has {reference.size} bytes, more than the {self.max_bytes} "
                f"that {self.name} accepts; use a coarser grid or raise max_bytes"
            )

    def _damaged(self, key: str, why: str) -> str:
        return (
            f"blob {key} in {self.name} is damaged: {why}; make its document anew, which writes "
            "the blob again, or restore it from a backup"
        )


class FolderBlobStore(BlobStore):
    """Keep blobs as files in a folder that every worker can see.

    Parameters
    ----------
    path
        The folder; it is made on the first write.
    max_bytes
        Largest uncompressed payload in bytes that is written or read.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     blobs = FolderBlobStore(folder)
    ...     blobs.get(blobs.put(b"electrons"))
    b'electrons'
    """

    def __init__(self, path: str | Path, *, max_bytes: int = _DEFAULT_MAX_BYTES) -> None:
        super().__init__(max_bytes=max_bytes)
        self.path = Path(path).expanduser().absolute()

    @property
    def name(self) -> str:
        """The folder."""
        return str(self.path)

    def iterate(self) -> Iterator[str]:
        """Yield the key of every stored blob, without reading them."""
        for file in sorted(self.path.glob("??/??/*")):
            if not file.name.startswith("."):
                yield file.name.partition(".")[0]

    def sweep(self, *, older_than_s: float = 3600.0) -> int:
        """Remove what killed writers left behind, and return how many files that were.

        Parameters
        ----------
        older_than_s
            Age in s from which a temporary file counts as abandoned.
        """
        abandoned = 0
        newest = time.time() - older_than_s
        for file in self.path.glob(f"??/??/{TEMPORARY_PREFIX}*"):
            if file.stat().st_mtime <= newest:
                file.unlink(missing_ok=True)
                abandoned += 1
        return abandoned

    def _file(self, key: str, codec: str) -> Path:
        return self.path / key[:2] / key[2:4] / f"{key}.{codec}"

    def _read(self, key: str, codec: str) -> bytes | None:
        file = self._file(key, codec)
        try:
            return file.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise BlobError(
                f"{file}: cannot be read: {error.strerror}; check the permissions of the folder"
            ) from error

    def _write(self, key: str, codec: str, data: bytes) -> None:
        file = self._file(key, codec)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, data)
        except OSError as error:
            raise BlobError(
                f"{file}: cannot be written: {error.strerror}; make {self.path} writable, free "
                "some space, or choose another folder with SCDP_STORE_PATH"
            ) from error

    def _remove(self, key: str, codec: str) -> None:
        self._file(key, codec).unlink(missing_ok=True)


class MaggmaBlobStore(BlobStore):
    """Keep blobs in a maggma store, such as S3Store or GridFSStore.

    Parameters
    ----------
    store
        A connected store with the key ``blob_key``.
    max_bytes
        Largest uncompressed payload in bytes that is written or read.
    """

    def __init__(self, store: Store, *, max_bytes: int = _DEFAULT_MAX_BYTES) -> None:
        super().__init__(max_bytes=max_bytes)
        self.store = store

    @property
    def name(self) -> str:
        """The name of the maggma store."""
        return str(self.store.name)

    def iterate(self) -> Iterator[str]:
        """Yield the key of every stored blob."""
        for found in self.store.distinct("blob_key"):
            yield str(found).partition(".")[0]

    def _read(self, key: str, codec: str) -> bytes | None:
        document = self.store.query_one({"blob_key": f"{key}.{codec}"})
        return None if document is None else base64.b64decode(document["data"])

    def _write(self, key: str, codec: str, data: bytes) -> None:
        # Text, because several of maggma's stores go through JSON, which has no bytes.
        text = base64.b64encode(data).decode()
        self.store.update({"blob_key": f"{key}.{codec}", "data": text}, key="blob_key")

    def _remove(self, key: str, codec: str) -> None:
        self.store.remove_docs({"blob_key": f"{key}.{codec}"})


def _identity(payload: bytes, codec: str) -> dict[str, Any]:
    digest = hashlib.sha256(payload).hexdigest()
    return {"key": digest, "size": len(payload), "compression": codec}


def _plain(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return an array in native byte order and C order, which is what the file format holds."""
    values = np.asarray(array, order="C")
    if values.dtype.kind not in "biuf" or values.dtype.itemsize > 8:
        raise BlobError(
            f"array {name!r} has dtype {values.dtype}; blobs hold booleans, integers and real "
            "numbers of at most 8 bytes: convert it, complex arrays as two real ones"
        )
    return values.astype(values.dtype.newbyteorder("="), copy=False)
