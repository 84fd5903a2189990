from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.errors import DensityError, DensityFormatError
from scdp_flows.io import grid_text
from scdp_flows.io.grid_text import (
    Lines,
    format_pbc,
    open_lines,
    parse_pbc,
    read_head,
    read_numbers,
    write_numbers,
)

if TYPE_CHECKING:
    from pathlib import Path


def _read(text: str, count: int) -> np.ndarray:
    return read_numbers(Lines(StringIO(text), "rho"), count, field="grid")


def test_numbers_are_read_in_order_and_no_further() -> None:
    lines = Lines(StringIO("1 2 3\n4 5 6\n7\nnext\n"), "rho")
    assert read_numbers(lines, 7, field="grid").tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert next(lines) == "next\n"
    assert lines.number == 4


def test_short_rows_within_the_block_are_read() -> None:
    text = "1 2 3 4\n5\n6 7 8 9\n10\n\n11 12 13 14\n15\n"
    assert _read(text, 15).tolist() == list(range(1, 16))


def test_blocks_longer_than_the_buffer_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid_text, "_LINES_AT_A_TIME", 3)
    text = "".join(f"{i} {i + 0.5}\n" for i in range(50))
    assert _read(text, 100).tolist() == [i / 2 for i in range(100)]


@pytest.mark.parametrize("text", ["1 0.25-101\n", "1.0 .25-101\n", "1 +0.25-101 \n"])
def test_exponents_of_three_digits_need_no_letter(text: str) -> None:
    # What a Fortran format such as E17.11 makes of 0.25E-101.
    assert _read(text, 2).tolist() == [1.0, 0.25e-101]


@pytest.mark.parametrize("token", ["***********", "NaN", "inf", "1.0.0", "abc", "0x10", "1_0"])
def test_what_is_no_number_is_named_with_its_line(token: str) -> None:
    with pytest.raises(DensityFormatError, match=r"rho, line 2 \(grid\)") as caught:
        _read(f"1 2\n3 {token}\n5 6\n", 6)
    assert repr(token) in str(caught.value)


@pytest.mark.parametrize("text", ["", "1 2\n3\n", "1 2\n3 4\n5\n\n\n"])
def test_too_few_numbers_are_counted(text: str) -> None:
    with pytest.raises(DensityFormatError, match=rf"{len(text.split())} of 6 values"):
        _read(text, 6)


def test_too_many_numbers_are_refused() -> None:
    with pytest.raises(DensityFormatError, match="more than the 5 values"):
        _read("1 2\n3 4\n5 6\n", 5)


def test_a_file_that_ends_within_a_number_is_refused() -> None:
    with pytest.raises(DensityFormatError, match="is cut"):
        _read("1.234 -2.345\n3.456 4.5", 4)
    assert _read("1.234 -2.345\n3.456 4.567", 4)[-1] == 4.567


@pytest.mark.parametrize("count", [0, -8, 2**40])
def test_impossible_counts_are_refused_before_memory_is_taken(count: int) -> None:
    with pytest.raises(DensityFormatError, match=f"{count} values are announced"):
        _read("1 2 3\n", count)


@pytest.mark.parametrize("shape", [(3, 4, 7), (1, 1, 1), (2, 3, 12)])
@pytest.mark.parametrize("row", [None, 7, 12])
def test_written_numbers_come_back(
    shape: tuple[int, ...], row: int | None, rng: np.random.Generator
) -> None:
    values = rng.normal(size=shape) * 10.0 ** rng.integers(-120, 90, size=shape)
    stream = StringIO()
    write_numbers(stream, values, number_format=" % .16E", per_line=5, row=row, factor=2.0)
    assert np.allclose(_read(stream.getvalue(), values.size), 2 * values.ravel(), rtol=1e-15)


def test_the_layout_is_independent_of_the_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(97.0)
    texts = []
    for size in (1, 10, 60_000):
        monkeypatch.setattr(grid_text, "_NUMBERS_AT_A_TIME", size)
        stream = StringIO()
        write_numbers(stream, values, number_format=" %.1f", per_line=4, row=9)
        texts.append(stream.getvalue())
    assert texts[0] == texts[1] == texts[2]
    assert [len(line.split()) for line in texts[0].splitlines()[:4]] == [4, 4, 1, 4]


def test_the_transpose_is_written_with_the_first_index_fastest() -> None:
    stream = StringIO()
    write_numbers(stream, np.arange(6.0).reshape(2, 3).T, number_format=" %.0f", per_line=10)
    assert stream.getvalue() == " 0 3 1 4 2 5\n"


def test_a_missing_line_is_an_incomplete_file() -> None:
    lines = Lines(StringIO("one\n"), "rho")
    assert lines.require("comment") == "one"
    with pytest.raises(DensityFormatError, match=r"line 1 \(cell\): the file ends before it"):
        lines.require("cell")


def test_a_missing_file_is_a_format_error(tmp_path: Path) -> None:
    with pytest.raises(DensityFormatError, match="no such file"):
        read_head(tmp_path / "CHGCAR")


def test_a_folder_is_a_format_error(tmp_path: Path) -> None:
    with pytest.raises(DensityFormatError, match="cannot be read"):
        read_head(tmp_path)


@pytest.mark.parametrize("magic", [b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\x00"])
def test_damaged_compression_is_a_format_error(magic: bytes, tmp_path: Path) -> None:
    (tmp_path / "CHGCAR").write_bytes(magic + b"\x08\x00 not really compressed")
    with pytest.raises(DensityFormatError, match=r"CHGCAR: cannot be read"):
        read_head(tmp_path / "CHGCAR")


def test_impossible_densities_name_their_file(tmp_path: Path) -> None:
    (tmp_path / "CHGCAR").touch()
    with (
        pytest.raises(DensityFormatError, match="CHGCAR: no volume"),
        open_lines(tmp_path / "CHGCAR"),
    ):
        raise DensityError("no volume")


@pytest.mark.parametrize("pbc", [(True, True, True), (False, False, False), (True, False, True)])
def test_periodic_directions_survive_a_comment(pbc: tuple[bool, bool, bool]) -> None:
    assert parse_pbc(f"rho {format_pbc(pbc)}, bohr") == pbc


def test_other_comments_say_nothing_of_periodicity() -> None:
    assert parse_pbc("pbc=TTFF, xpbc=TTT, pbc = TTT") is None
