"""Open plain and compressed files alike."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, cast
from uuid import uuid4

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["COMPRESSED_SUFFIXES", "DECODE_ERRORS", "open_binary", "open_text", "replace_text"]

COMPRESSED_SUFFIXES = (".gz", ".bz2", ".xz")

# What the decompressors raise on damaged input; OSError covers gzip.BadGzipFile.
DECODE_ERRORS = (EOFError, OSError, UnicodeDecodeError, lzma.LZMAError, zlib.error)

_MAGIC = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ\x00": ".xz"}


def open_binary(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a file for reading, decompressing it if its first bytes say so.

    The content decides, not the name: VASP runs are full of gzipped files called ``CHGCAR``.

    Raises
    ------
    OSError
        If the file cannot be opened.
    """
    with Path(path).open("rb") as raw:
        head = raw.read(6)
    suffix = next((suffix for magic, suffix in _MAGIC.items() if head.startswith(magic)), "")
    return _open(path, "rb", suffix)


def open_text(path: str | os.PathLike[str]) -> TextIOWrapper:
    """Open a file for reading as text; bytes outside UTF-8 become replacement characters."""
    return TextIOWrapper(open_binary(path), encoding="utf-8", errors="replace")


@contextmanager
def replace_text(path: str | os.PathLike[str]) -> Iterator[TextIOWrapper]:
    """Write a text file as a whole or not at all, compressed if its name ends so.

    The text goes to a temporary file in the same folder, which replaces the target only after
    everything was written; an error in between leaves neither a partial nor a temporary file.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{uuid4().hex}.partial")
    try:
        with TextIOWrapper(_open(partial, "wb", target.suffix), encoding="ascii") as stream:
            yield stream
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _open(path: str | os.PathLike[str], mode: Literal["rb", "wb"], suffix: str) -> IO[bytes]:
    """Open with the compression that the suffix names, none for other suffixes."""
    if suffix == ".gz":
        return cast("IO[bytes]", gzip.open(path, mode))
    if suffix == ".bz2":
        return bz2.open(path, mode)
    if suffix == ".xz":
        return lzma.open(path, mode)
    return Path(path).open(mode)
