"""Open plain and compressed files alike."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol, cast
from uuid import uuid4

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

__all__ = [
    "COMPRESSED_SUFFIXES",
    "DECODE_ERRORS",
    "open_binary",
    "open_text",
    "replace_binary",
    "replace_text",
]

COMPRESSED_SUFFIXES = (".gz", ".bz2", ".xz", ".lz4", ".zst")

# What the decompressors raise on damaged input; OSError covers gzip.BadGzipFile.
DECODE_ERRORS = (EOFError, OSError, UnicodeDecodeError, lzma.LZMAError, zlib.error)

_MAGIC = {
    b"\x1f\x8b": ".gz",
    b"BZh": ".bz2",
    b"\xfd7zXZ\x00": ".xz",
    b"\x04\x22\x4d\x18": ".lz4",
    b"\x28\xb5\x2f\xfd": ".zst",
}
# zstd offers no bound on what one call returns, and 1 kB can grow to 32 MB, but not further.
_PIECE = 1024
_LARGEST_WINDOW = 2**27
# Zeros shrink a thousandfold, densities fivefold; with much vacuum, some ten times more.
_GROWTH = 250
_LEAST_LIMIT = 2**26
_BUFFER = 2**17


def open_binary(path: str | os.PathLike[str], *, limit: int | None = None) -> IO[bytes]:
    """Open a file for reading, decompressing it if its first bytes say so.

    The content decides, not the name: VASP runs are full of gzipped files called ``CHGCAR``.
    Nothing is read ahead of what is asked for but some kilobytes, so that a file which grows
    without end when decompressed costs no memory.

    Parameters
    ----------
    path
        The file.
    limit
        Bytes beyond which a compressed file is taken for one that was made to fill the memory;
        default: 250 times its size, and at least 64 MiB.

    Raises
    ------
    OSError
        If the file cannot be opened; while it is read, if it is damaged or exceeds the limit.
    """
    with Path(path).open("rb") as raw:
        head = raw.read(6)
    suffix = next((suffix for magic, suffix in _MAGIC.items() if head.startswith(magic)), "")
    stream = _open(path, "rb", suffix)
    if not suffix:
        return stream
    most = limit or max(_LEAST_LIMIT, _GROWTH * Path(path).stat().st_size)
    return io.BufferedReader(_Bounded(stream, most), _BUFFER)


class _Bounded(io.RawIOBase):
    """Read a decompressed stream up to a limit."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream = cast("io.BufferedIOBase", stream)
        self._limit = self._left = limit

    def readable(self) -> bool:
        """Return that this can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer as far as the stream does at once."""
        count = self._stream.readinto(buffer)
        self._left -= count
        if self._left < 0:
            raise OSError(
                f"it grows without end when decompressed, beyond {self._limit} bytes; decompress "
                "it yourself if you trust it"
            )
        return count

    def close(self) -> None:
        """Close the stream, too."""
        self._stream.close()
        super().close()


def open_text(path: str | os.PathLike[str]) -> TextIOWrapper:
    """Open a file for reading as text; bytes outside UTF-8 become replacement characters."""
    return TextIOWrapper(open_binary(path), encoding="utf-8", errors="replace")


@contextmanager
def replace_binary(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Write a file as a whole or not at all, compressed if its name ends so.

    The bytes go to a temporary file in the same folder, which replaces the target only after
    everything was written; an error in between leaves neither a partial nor a temporary file.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{uuid4().hex}.partial")
    try:
        with _open(partial, "wb", target.suffix) as stream:
            yield stream
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def replace_text(path: str | os.PathLike[str]) -> Iterator[TextIOWrapper]:
    """Write a text file in the way of :func:`replace_binary`."""
    with replace_binary(path) as binary, TextIOWrapper(binary, encoding="ascii") as stream:
        yield stream


def _open(path: str | os.PathLike[str], mode: Literal["rb", "wb"], suffix: str) -> IO[bytes]:
    """Open with the compression that the suffix names, none for other suffixes."""
    if suffix == ".gz":
        # Level 9, the default of Python, takes far longer for hardly fewer bytes.
        return cast("IO[bytes]", gzip.open(path, mode, compresslevel=6))
    if suffix == ".bz2":
        return bz2.open(path, mode)
    if suffix == ".xz":
        return lzma.open(path, mode)
    if suffix == ".lz4":
        return _open_lz4(path, mode)
    if suffix == ".zst":
        return _open_zstd(path, mode)
    return Path(path).open(mode)


def _open_lz4(path: str | os.PathLike[str], mode: Literal["rb", "wb"]) -> IO[bytes]:
    """Open an LZ4 frame."""
    import lz4.frame

    if mode == "wb":
        return cast("IO[bytes]", lz4.frame.open(str(path), "wb", content_checksum=True))
    # lz4 raises RuntimeError for damaged input.
    return _open_frames(path, lz4.frame.LZ4FrameDecompressor, RuntimeError)


def _open_zstd(path: str | os.PathLike[str], mode: Literal["rb", "wb"]) -> IO[bytes]:
    """Open a Zstandard frame."""
    import zstandard

    if mode == "wb":
        raw = Path(path).open("wb")  # noqa: SIM115 - closed with the stream
        compressor = zstandard.ZstdCompressor(write_checksum=True)
        return cast("IO[bytes]", compressor.stream_writer(raw, closefd=True))
    decompressor = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
    return _open_frames(path, decompressor.decompressobj, zstandard.ZstdError)


class _Decompressor(Protocol):
    """What lz4 and zstandard have in common."""

    eof: bool
    unused_data: bytes | None

    def decompress(self, data: bytes, /) -> bytes:
        """Return what the data stand for."""
        ...


def _open_frames(
    path: str | os.PathLike[str], new: Callable[[], Any], failure: type[Exception]
) -> IO[bytes]:
    """Open a file of frames, each of which gets a new decompressor."""
    raw = Path(path).open("rb")  # noqa: SIM115 - closed with the stream
    return io.BufferedReader(_Frames(raw, new, failure))


class _Frames(io.RawIOBase):
    """Decompress frames one after the other; a file that ends within one is an error."""

    def __init__(
        self, raw: IO[bytes], new: Callable[[], _Decompressor], failure: type[Exception]
    ) -> None:
        self._raw = raw
        self._new = new
        self._failure = failure
        self._frame: _Decompressor | None = None
        self._ready = memoryview(b"")
        self._unused = b""

    def readable(self) -> bool:
        """Return that this can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer as far as one piece of the file allows."""
        while not self._ready:
            piece = self._unused or self._raw.read(_PIECE)
            self._unused = b""
            if not piece:
                if self._frame is not None:
                    raise EOFError("the compressed file ends before its end-of-frame mark")
                return 0
            self._ready = memoryview(self._decompress(piece))
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _decompress(self, piece: bytes) -> bytes:
        """Decompress one piece of the file."""
        frame = self._frame = self._frame or self._new()
        try:
            data = frame.decompress(piece)
        except self._failure as error:
            raise OSError(f"the compressed data are damaged ({error})") from error
        if frame.eof:
            self._frame, self._unused = None, frame.unused_data or b""
        return data

    def close(self) -> None:
        """Close the file, too."""
        self._raw.close()
        super().close()
