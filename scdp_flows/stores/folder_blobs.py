"""Keep blobs as files in a folder."""

from __future__ import annotations

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scdp_flows.errors import BlobError
from scdp_flows.stores.blobs import BlobStore, StoredBlob
from scdp_flows.stores.codecs import CODECS
from scdp_flows.stores.files import TEMPORARY_PREFIX, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from scdp_flows.schemas.density import BlobReference

__all__ = ["FolderBlobStore"]

_DEFAULT_MAX_BYTES = 16 * 2**30
_NAME = re.compile(r"([0-9a-f]{64})\.([a-z0-9-]+)")
_ASIDE = ".removing-"
_WRITERS = 8


class FolderBlobStore(BlobStore):
    """Keep blobs as files in a folder that every worker can see.

    The time of a file is when it was last put or kept.

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

    def put_arrays_many(self, many: Sequence[Mapping[str, NDArray[Any]]]) -> list[BlobReference]:
        """Store several sets of named arrays at the same time: most of it is waiting for the disk.

        Raises
        ------
        BlobError
            As ``put_arrays`` does.
        """
        if len(many) < 2:
            return super().put_arrays_many(many)
        with ThreadPoolExecutor(_WRITERS) as pool:
            return list(pool.map(self.put_arrays, many))

    def entries(self) -> Iterator[StoredBlob]:
        """Yield every stored blob, without reading them."""
        for file in sorted(self.path.glob("??/??/*")):
            named = _NAME.fullmatch(file.name)
            if named:
                yield StoredBlob(named[1], named[2])

    def clock(self) -> float:
        """Return the time of the file system, which may not be that of this machine."""
        if not self.path.is_dir():
            return time.time()
        probe = self.path / f"{TEMPORARY_PREFIX}clock-{os.getpid()}"
        try:
            probe.touch()
            return probe.stat().st_mtime
        except OSError as error:
            raise BlobError(
                f"{probe}: cannot be written: {error.strerror}; make the folder writable"
            ) from error
        finally:
            probe.unlink(missing_ok=True)

    def last_used(self, blob: StoredBlob) -> float:
        """Return when a blob was last put or kept, in s since 1970; infinity if it is gone."""
        try:
            return self._file(*blob).stat().st_mtime
        except FileNotFoundError:
            return float("inf")

    def sweep(self, *, older_than_s: float = 3600.0) -> int:
        """Remove what killed writers left, put back what a killed collection had set aside.

        Parameters
        ----------
        older_than_s
            Age in s from which a temporary file counts as abandoned.
        """
        changed = 0
        newest = self.clock() - older_than_s
        for file in self.path.glob(f"??/??/{TEMPORARY_PREFIX}*"):
            with suppress(FileNotFoundError):
                if file.stat().st_mtime <= newest:
                    file.unlink()
                    changed += 1
        for file in self.path.glob(f"??/??/{_ASIDE}*"):
            with suppress(FileNotFoundError):
                file.replace(file.with_name(file.name.removeprefix(_ASIDE)))
                changed += 1
        return changed

    def discard_unused(self, blob: StoredBlob, *, since: float) -> bool:
        """Remove a blob unless it was put or kept at ``since`` or later; say whether it was."""
        file = self._file(*blob)
        aside = file.with_name(f"{_ASIDE}{file.name}")
        try:
            if self.last_used(blob) >= since:
                return False
            # Whoever puts the same content from here on finds nothing and writes it again.
            file.rename(aside)
            if aside.stat().st_mtime >= since:
                # Somebody has used it between the two statements above.
                aside.replace(file)
                return False
            aside.unlink()
        except FileNotFoundError:
            # Another collection was faster, or has put it back.
            return False
        except OSError as error:
            raise BlobError(
                f"{file}: cannot be removed: {error.strerror}; make the folder writable"
            ) from error
        return True

    def _codecs(self, key: str) -> list[str]:
        return [codec for codec in CODECS if self._file(key, codec).is_file()]

    def _mark_used(self, key: str, codec: str) -> bool:
        file = self._file(key, codec)
        try:
            os.utime(file)
        except FileNotFoundError:
            return False
        except PermissionError:
            # Of another user, who alone can remove it.
            return True
        # A collection may have set it aside while its time was being set.
        return file.is_file()

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
