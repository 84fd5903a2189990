from __future__ import annotations

import numpy as np
import pytest

from scdp_flows.errors import BlobError
from scdp_flows.stores.codecs import CODECS, compress, decompress


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("size", [0, 1, 7, 8, 1001])
def test_payloads_of_any_size_come_back(codec: str, size: int) -> None:
    payload = np.random.default_rng(size).bytes(size)
    assert decompress(compress(payload, codec), codec, size=size) == payload


def test_shuffling_pays_on_a_smooth_density() -> None:
    axis = np.linspace(-4, 4, 48)
    x, y, z = np.meshgrid(axis, axis - 0.23, axis - 0.37, indexing="ij")
    density = np.exp(-0.7 * (x**2 + y**2 + z**2)).astype(np.float32).tobytes()
    shuffled, plain = (len(compress(density, codec)) for codec in ("shuffle4-zstd", "zstd"))
    assert shuffled < 0.95 * plain


@pytest.mark.parametrize("codec", ["zlib", "zstd"])
def test_a_bomb_is_stopped_at_the_promised_size(codec: str) -> None:
    bomb = compress(bytes(20_000_000), codec)
    with pytest.raises(BlobError, match="more than the 1000 bytes"):
        decompress(bomb, codec, size=1000)


@pytest.mark.parametrize("damage", [lambda d: d[:-5], lambda d: b"\0" + d[1:], lambda _: b""])
@pytest.mark.parametrize("codec", ["zlib", "zstd"])
def test_damaged_data_are_noticed(damage: object, codec: str) -> None:
    data = compress(bytes(range(100)), codec)
    with pytest.raises(BlobError, match=r"damaged|end after"):
        decompress(damage(data), codec, size=100)  # type: ignore[operator]


def test_an_unknown_codec_is_named() -> None:
    with pytest.raises(BlobError, match=r"'brotli'.*known: zstd"):
        compress(b"", "brotli")
