"""Read whole files in bounded memory, and turn whatever is wrong with them into a typed error."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from scdp_flows.errors import DensityError, DensityFormatError
from scdp_flows.io.compression import DECODE_ERRORS, open_binary

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["COPY_ANEW", "LARGEST_FILE", "format_errors", "read_bytes", "read_start"]

LARGEST_FILE = 2**32
"""Bytes, decompressed, beyond which a file that must be held in memory is refused."""

COPY_ANEW = "the file is incomplete or damaged: copy it anew or repeat the calculation"
"""What to do about a file that ends too early or contradicts itself."""

_PIECE = 2**24


@contextmanager
def format_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what is wrong with the bytes or values of a file into an error that names the file.

    Raises
    ------
    DensityFormatError
        If the file is missing, unreadable, damaged or holds an impossible density.
    """
    try:
        yield
    except FileNotFoundError:
        raise DensityFormatError("no such file", file=path, fix="check the path") from None
    except DECODE_ERRORS as error:
        raise DensityFormatError(
            f"cannot be read ({error})", file=path, fix="the file is damaged or not permitted"
        ) from error
    except DensityFormatError:
        raise
    except DensityError as error:
        raise DensityFormatError(str(error), file=path) from error


def read_bytes(path: str | os.PathLike[str], *, limit: int = LARGEST_FILE) -> bytes:
    """Return the decompressed content of a file.

    Parameters
    ----------
    path
        The file, also compressed.
    limit
        Largest decompressed size, bytes.

    Raises
    ------
    DensityFormatError
        If the file is missing, damaged or larger than the limit.
    """
    pieces: list[bytes] = []
    size = 0
    with format_errors(path), open_binary(path) as stream:
        while piece := stream.read(_PIECE):
            size += len(piece)
            if size > limit:
                raise DensityFormatError(
                    f"holds more than {limit} bytes",
                    file=path,
                    fix="no density of this format is that large: check what the file is",
                )
            pieces.append(piece)
    return b"".join(pieces)


def read_start(path: str | os.PathLike[str], size: int) -> bytes:
    """Return the first bytes of the decompressed content of a file.

    Raises
    ------
    DensityFormatError
        If the file is missing or damaged.
    """
    with format_errors(path), open_binary(path) as stream:
        return stream.read(size)
