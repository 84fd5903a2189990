"""Records of Fortran's unformatted files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.fortran import FortranRecords, fortran_record

if TYPE_CHECKING:
    from pathlib import Path


def _record(content: bytes) -> bytes:
    length = len(content).to_bytes(4, "little")
    return length + content + length


def test_records_come_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(_record(b"ab") + _record(np.arange(3.0).tobytes()))
    records = FortranRecords(tmp_path / "x")
    assert records.next_bytes("letters") == b"ab"
    assert records.next_array("<f8", 3, "numbers").tolist() == [0, 1, 2]
    assert records.at_end


@pytest.mark.parametrize("keep", [0, 3, 5, 9])
def test_cut_records_are_refused(tmp_path: Path, keep: int) -> None:
    (tmp_path / "x").write_bytes(_record(b"abcd")[:keep])
    with pytest.raises(DensityFormatError, match="x, letters: the record at byte 0"):
        FortranRecords(tmp_path / "x").next_bytes("letters")


def test_lengths_must_agree(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(_record(b"abcd")[:-4] + b"\5\0\0\0")
    with pytest.raises(DensityFormatError, match="cut or damaged"):
        FortranRecords(tmp_path / "x").next_bytes("letters")
    (tmp_path / "y").write_bytes(_record(b"abcd"))
    with pytest.raises(DensityFormatError, match="holds 4 bytes, expected 8"):
        FortranRecords(tmp_path / "y").next_array("<f8", 1, "number")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    values = np.array([1.5, -2.0, 3.25])
    (tmp_path / "records").write_bytes(fortran_record(values) + fortran_record(values[:1]))
    records = FortranRecords(tmp_path / "records")
    np.testing.assert_array_equal(records.next_array("<f8", 3, "first"), values)
    np.testing.assert_array_equal(records.next_array("<f8", 1, "second"), values[:1])
    assert records.at_end
