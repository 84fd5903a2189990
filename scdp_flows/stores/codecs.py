"""Compress payloads, and never unpack more than was packed.

Neighbouring values of a smooth density differ in their low bytes alone. With all first bytes put
together, then all second bytes and so on ("shuffled"), a general compressor finds that. Of those
that ``benchmarks/stores.py`` compares on real densities, zstd at level 3 on shuffled bytes makes
the smallest files among the fast ones; shuffling single bits instead of bytes, or taking
differences first, makes larger ones.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np
import zstandard

from scdp_flows.errors import BlobError

__all__ = ["CODECS", "codec_for", "compress", "decompress"]


class _Codec(NamedTuple):
    """How many bytes are shuffled, and what compresses them."""

    width: int
    method: str


CODECS: dict[str, _Codec] = {
    "zstd": _Codec(1, "zstd"),
    "shuffle4-zstd": _Codec(4, "zstd"),
    "shuffle8-zstd": _Codec(8, "zstd"),
    "zlib": _Codec(1, "zlib"),
    "shuffle4-zlib": _Codec(4, "zlib"),
    "shuffle8-zlib": _Codec(8, "zlib"),
}
"""What is known, by the name that is also the suffix of a file. Only zstd is written; blobs of
earlier versions are zlib's."""

_ZSTD_LEVEL = 3
_ZLIB_LEVEL = 1


def codec_for(itemsize: int) -> str:
    """Return the codec for numbers of ``itemsize`` bytes."""
    return {4: "shuffle4-zstd", 8: "shuffle8-zstd"}.get(itemsize, "zstd")


def compress(payload: bytes, codec: str) -> bytes:
    """Return the compressed payload.

    Raises
    ------
    BlobError
        If there is no such codec.
    """
    width, method = _known(codec)
    shuffled = _shuffle(payload, width)
    if method == "zlib":
        return zlib.compress(shuffled, _ZLIB_LEVEL)
    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(shuffled)


def decompress(data: bytes, codec: str, *, size: int) -> bytes:
    """Return the payload that was compressed.

    Parameters
    ----------
    data
        What ``compress`` returned.
    codec
        The codec that it was given.
    size
        The size of the payload in bytes. Unpacking stops there, so that a small file cannot fill
        the memory.

    Raises
    ------
    BlobError
        If the data are damaged or hold more or less than ``size`` bytes.
    """
    width, method = _known(codec)
    payload = _inflate(data, size) if method == "zlib" else _unpack_zstd(data, size)
    return _unshuffle(payload, width)


def _inflate(data: bytes, size: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        # One byte more than expected tells too long from just right.
        payload = unpacker.decompress(data, size + 1)
    except zlib.error as error:
        raise BlobError(f"the compressed data are damaged: {error}") from error
    if len(payload) > size:
        raise BlobError(f"the data unpack to more than the {size} bytes that were promised")
    if len(payload) < size or not unpacker.eof:
        raise BlobError(f"the data end after {len(payload)} of {size} bytes")
    return payload


def _unpack_zstd(data: bytes, size: int) -> bytes:
    try:
        # The frame states its size; zstandard would allocate that before it unpacks anything.
        stated = zstandard.frame_content_size(data)
        if stated > size:
            raise BlobError(f"the data unpack to more than the {size} bytes that were promised")
        if stated < size:
            raise BlobError(f"the data end after {max(stated, 0)} of {size} bytes")
        unpacker = zstandard.ZstdDecompressor()
        payload = unpacker.decompress(data, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise BlobError(f"the compressed data are damaged: {error}") from error
    return bytes(payload)


def _known(codec: str) -> _Codec:
    if codec not in CODECS:
        raise BlobError(f"codec {codec!r} is unknown; known: {', '.join(CODECS)}")
    return CODECS[codec]


def _shuffle(payload: bytes, width: int) -> bytes:
    if width == 1:
        return payload
    whole = len(payload) - len(payload) % width
    columns = np.frombuffer(payload[:whole], dtype=np.uint8).reshape(-1, width)
    return columns.T.tobytes() + payload[whole:]


def _unshuffle(payload: bytes, width: int) -> bytes:
    if width == 1:
        return payload
    whole = len(payload) - len(payload) % width
    rows = np.frombuffer(payload[:whole], dtype=np.uint8).reshape(width, -1)
    return rows.T.tobytes() + payload[whole:]
