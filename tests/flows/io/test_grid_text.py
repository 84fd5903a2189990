from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import DensityError, DensityFormatError
from scdp_flows.io.grid_text import Lines, format_pbc, open_lines, parse_pbc, read_numbers

if TYPE_CHECKING:
    from pathlib import Path


def _lines(content: bytes) -> Lines:
    return Lines(BytesIO(content), "rho")


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_lines_are_counted(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scdp_flows.io.grid_text._PIECE", piece)
    lines = _lines(b"one\r\ntwo\n\nlast")
    assert list(lines) == ["one\n", "two\n", "\n", "last\n"]
    assert lines.number == 4
    assert lines.is_unterminated


def test_numbers_are_read_in_order_and_no_further() -> None:
    lines = _lines(b"1 2 3\n4 5 6\n7\nnext\n")
    assert read_numbers(lines, 7, field="grid").tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert (lines.number, lines.offset) == (3, 14)
    assert next(lines) == "next\n"


def test_a_missing_line_is_an_incomplete_file() -> None:
    lines = _lines(b"one\n")
    assert lines.require("comment") == "one"
    with pytest.raises(DensityFormatError, match=r"line 1 \(cell\), byte 4: the file ends before"):
        lines.require("cell")


def test_blank_lines_are_skipped_but_not_for_ever() -> None:
    assert _lines(b"\n \n\t\nword\n").skip_blank("grid") == "word\n"
    assert _lines(b"\n\n").skip_blank("grid") is None
    with pytest.raises(DensityFormatError, match="nothing but blank lines"):
        _lines(b"\n" * 3_000_000).skip_blank("grid")


def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(DensityFormatError, match="a line of more than"):
        next(_lines(b"x" * 3_000_000))


def test_a_missing_file_is_a_format_error(tmp_path: Path) -> None:
    with pytest.raises(DensityFormatError, match="no such file"), open_lines(tmp_path / "CHGCAR"):
        pass


def test_a_folder_is_a_format_error(tmp_path: Path) -> None:
    with pytest.raises(DensityFormatError, match="cannot be read"), open_lines(tmp_path):
        pass


@pytest.mark.parametrize(
    "magic", [b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\x00", b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd"]
)
def test_damaged_compression_is_a_format_error(magic: bytes, tmp_path: Path) -> None:
    (tmp_path / "CHGCAR").write_bytes(magic + b"\x08\x00 not really compressed")
    with (
        pytest.raises(DensityFormatError, match=r"CHGCAR: cannot be read"),
        open_lines(tmp_path / "CHGCAR") as lines,
    ):
        next(lines)


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
