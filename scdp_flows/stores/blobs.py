"""Keep arrays and files once each, under the checksum of their content."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from scdp_flows.errors import BlobError
from scdp_flows.schemas.density import BlobReference
from scdp_flows.stores.codecs import codec_for, compress, decompress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["BlobStore", "StoredBlob"]

Arrays = dict[str, "NDArray[Any]"]
_DEFAULT_MAX_BYTES = 16 * 2**30


class StoredBlob(NamedTuple):
    """Name one stored blob, whether anything refers to it or not."""

    key: str
    """sha256 of the uncompressed content."""
    codec: str
    """What it is compressed with."""


class BlobStore(ABC):
    """Keep payloads under the sha256 of their uncompressed content.

    The same content is stored once, however often it is put. Every read checks the checksum.
    Putting what is there already marks it as just used, which keeps garbage collection from
    removing it before its document is written.

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
    def _codecs(self, key: str) -> list[str]: ...

    @abstractmethod
    def _mark_used(self, key: str, codec: str) -> bool: ...

    @abstractmethod
    def entries(self) -> Iterator[StoredBlob]:
        """Yield every stored blob, without reading them."""

    @abstractmethod
    def discard_unused(self, blob: StoredBlob, *, since: float) -> bool:
        """Remove a blob unless it was put or kept at ``since`` or later; say whether it was.

        Parameters
        ----------
        blob
            Of ``entries``.
        since
            Time in s as ``clock`` counts it.
        """

    @abstractmethod
    def last_used(self, blob: StoredBlob) -> float:
        """Return when a blob was last put or kept, as ``clock`` counts; infinity if it is gone."""

    @abstractmethod
    def clock(self) -> float:
        """Return the time in s since 1970 by which the store dates what it keeps."""

    def sweep(self, *, older_than_s: float = 3600.0) -> int:  # noqa: ARG002 - for those that need it
        """Clear up after processes that were killed, and return how many files that were.

        Parameters
        ----------
        older_than_s
            Age in s from which a temporary file counts as abandoned.
        """
        return 0

    def iterate(self) -> Iterator[str]:
        """Yield the key of every stored blob, without reading them."""
        return (blob.key for blob in self.entries())

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
        return self._put(payload, BlobReference(**_identity(payload, codec_for(1)), media="bytes"))

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
        identity = _identity(payload, codec_for(largest.itemsize))
        names = [str(name) for name in plain]
        reference = BlobReference(**identity, media="arrays", names=names)
        return self._put(payload, reference)

    def put_arrays_many(self, many: Sequence[Mapping[str, NDArray[Any]]]) -> list[BlobReference]:
        """Store several sets of named arrays; see :meth:`put_arrays`."""
        return [self.put_arrays(arrays) for arrays in many]

    def get(self, reference: BlobReference) -> bytes:
        """Return the stored bytes.

        Raises
        ------
        BlobError
            If the blob is missing, damaged or larger than its reference says.
        """
        return self._unpack(reference, self.get_packed(reference))

    def get_packed(self, reference: BlobReference) -> bytes:
        """Return the bytes as they are stored: compressed, and not checked.

        Raises
        ------
        BlobError
            If the blob is missing or larger than the store accepts.
        """
        self._check_size(reference)
        data = self._read(reference.key, reference.compression)
        if data is None:
            raise self._missing(reference.key)
        return data

    def put_packed(self, reference: BlobReference, data: bytes) -> BlobReference:
        """Store what ``get_packed`` of another store returned, after checking it.

        Raises
        ------
        BlobError
            If the data are not what the reference says, or cannot be written.
        """
        self._check_size(reference)
        return self._put(self._unpack(reference, data), reference)

    def keep(self, reference: BlobReference) -> None:
        """Mark a blob as just used, so that garbage collection leaves it alone for a while.

        Call it before a document that refers to a blob put long ago is written.

        Raises
        ------
        BlobError
            If the blob is missing.
        """
        if not self._mark_used(reference.key, reference.compression):
            raise self._missing(reference.key)

    def has(self, reference: BlobReference) -> bool:
        """Return whether the blob is stored, without reading it."""
        return reference.compression in self._codecs(reference.key)

    def is_whole(self, reference: BlobReference) -> bool:
        """Return whether the blob is stored and undamaged, which takes reading it.

        Raises
        ------
        BlobError
            If the store cannot be read.
        """
        data = self._read(reference.key, reference.compression)
        if data is None:
            return False
        try:
            self._unpack(reference, data)
        except BlobError:
            return False
        return True

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
        for codec in self._codecs(reference.key):
            stored = reference.updated(compression=codec)
            if self._is_intact(stored, payload) and self._mark_used(reference.key, codec):
                return stored
        self._write(reference.key, reference.compression, compress(payload, reference.compression))
        return reference

    def _unpack(self, reference: BlobReference, data: bytes) -> bytes:
        try:
            payload = decompress(data, reference.compression, size=reference.size)
        except BlobError as error:
            raise BlobError(self._damaged(reference.key, str(error))) from error
        if hashlib.sha256(payload).hexdigest() != reference.key:
            raise BlobError(self._damaged(reference.key, "its checksum is wrong"))
        return payload

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

    def _missing(self, key: str) -> BlobError:
        return BlobError(
            f"blob {key} is not in {self.name}; restore the folder or make its document anew, "
            "which writes the blob again"
        )

    def _damaged(self, key: str, why: str) -> str:
        return (
            f"blob {key} in {self.name} is damaged: {why}; make its document anew, which writes "
            "the blob again, or restore it from a backup"
        )


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
