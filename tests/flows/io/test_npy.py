"""Arrays are loaded without running anything."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.npy import as_doubles, load_npy, npy_shape

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("order", ["C", "F"])
def test_plain_files_are_mapped_and_compressed_ones_read(tmp_path: Path, order: Any) -> None:
    array = np.asarray(np.arange(6.0).reshape(2, 3), order=order)
    np.save(tmp_path / "x.npy", array)
    (tmp_path / "y.npy").write_bytes(gzip.compress((tmp_path / "x.npy").read_bytes()))
    assert isinstance(load_npy(tmp_path / "x.npy"), np.memmap)
    for name in ("x.npy", "y.npy"):
        assert np.array_equal(load_npy(tmp_path / name), array)
        assert npy_shape(tmp_path / name) == (2, 3)


def test_pickles_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DensityFormatError, match="pickled objects"):
        load_npy(tmp_path / "x.npy")


def test_other_types_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array(["a"]))
    with pytest.raises(DensityFormatError, match="expected real numbers"):
        load_npy(tmp_path / "x.npy")


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_announced_sizes_are_not_believed(tmp_path: Path, compress: Any) -> None:
    np.save(tmp_path / "x.npy", np.zeros((100, 100)))
    content = (tmp_path / "x.npy").read_bytes().replace(b"(100, 100)", b"(900, 900)")
    (tmp_path / "x.npy").write_bytes(compress(content))
    with pytest.raises(DensityFormatError, match="holds 80000 bytes of data, expected 6480000"):
        load_npy(tmp_path / "x.npy")


def test_signalling_numbers_become_doubles_in_silence() -> None:
    damaged = np.array([0x7F800001], dtype=np.uint32).view(np.float32)
    assert np.isnan(as_doubles(damaged)[0])
