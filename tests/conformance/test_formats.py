"""What every format that can be written must do, beside what every reader must."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.base import DensityReader, DensityWriter, sniff
from scdp_flows.plugins import available, resolve

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.density import ChargeDensity

_ELECTRONS = 6.0
_NAMES = available("readers")
_WRITABLE = [name for name in _NAMES if hasattr(resolve("readers", name), "write")]


class _Format(DensityReader, DensityWriter, Protocol):
    """A format that can be read and written."""


@pytest.fixture(params=_WRITABLE)
def name(request: pytest.FixtureRequest) -> str:
    """Give the name of every format that can be written."""
    return str(request.param)


@pytest.fixture
def format_(name: str) -> _Format:
    """Give the format itself."""
    return cast("type[_Format]", resolve("readers", name))()


@pytest.fixture
def file(format_: _Format, crystal: ChargeDensity, tmp_path: Path) -> Path:
    """Give a file of the format."""
    path = tmp_path / "density"
    format_.write(crystal, path)
    return path


def test_the_sample_holds_its_electrons(crystal: ChargeDensity) -> None:
    assert crystal.integral() == pytest.approx(_ELECTRONS, abs=1e-3)


def test_values_and_places_come_back(format_: _Format, file: Path, crystal: ChargeDensity) -> None:
    density = format_.read(file)
    assert density.nmae(crystal) < 1e-3
    assert np.allclose(density.values, crystal.values, rtol=1e-5, atol=1e-9)
    assert np.allclose(density.cell, crystal.cell, atol=1e-6)
    assert np.allclose(density.positions, crystal.positions, atol=1e-6)
    assert density.numbers.tolist() == [8, 1]


def test_units_are_angstrom_and_electrons(format_: _Format, file: Path) -> None:
    density = format_.read(file)
    assert density.integral() == pytest.approx(_ELECTRONS, abs=1e-3)
    assert density.volume == pytest.approx(90.0, rel=1e-6)
    peak = density.coordinates()[np.unravel_index(density.values.argmax(), density.shape)]
    distances = np.linalg.norm(density.positions - peak, axis=1)
    assert distances.min() < density.spacing.max()


def test_writing_what_was_read_changes_nothing(
    format_: _Format, file: Path, tmp_path: Path
) -> None:
    first = format_.read(file)
    format_.write(first, tmp_path / "again")
    second = format_.read(tmp_path / "again")
    assert np.allclose(second.values, first.values, rtol=1e-13, atol=0)
    assert np.allclose(second.cell, first.cell, rtol=0, atol=1e-12)
    assert np.allclose(second.positions, first.positions, rtol=0, atol=1e-12)
    assert second.pbc == first.pbc == (True, True, True)


def test_the_format_is_recognised_and_by_no_other(name: str, file: Path) -> None:
    head = file.read_bytes()[:4096].decode("latin-1")
    readers = [cast("type[DensityReader]", resolve("readers", other)) for other in _NAMES]
    assert [reader().sniff(head) for reader in readers].count(True) == 1
    assert sniff(file) == name


def test_some_file_names_belong_to_the_format(name: str, format_: _Format) -> None:
    assert format_.claims(f"density.{name}")


def test_compressed_files_are_read(format_: _Format, file: Path, tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(file.read_bytes()))
    assert np.array_equal(format_.read(tmp_path / "x.gz").values, format_.read(file).values)


@pytest.mark.parametrize("fraction", [0.0, 0.0005, 0.001, 0.002, 0.1, 0.5, 0.9, 0.999])
def test_truncated_files_are_refused(format_: _Format, file: Path, fraction: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(DensityFormatError, match=str(file)):
        format_.read(file)


@pytest.mark.parametrize("missing", [2, 5, 9])
def test_files_cut_within_the_last_number_are_refused(
    format_: _Format, file: Path, missing: int
) -> None:
    file.write_bytes(file.read_bytes().rstrip()[:-missing])
    with pytest.raises(DensityFormatError, match=str(file)):
        format_.read(file)


def test_truncated_compression_is_refused(format_: _Format, file: Path) -> None:
    content = gzip.compress(file.read_bytes())
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(DensityFormatError, match=str(file)):
        format_.read(file)


@pytest.mark.parametrize("token", [b"NaN", b"*****", b"Infinity", b"1.0.0"])
def test_what_is_no_number_is_refused_with_its_line(
    format_: _Format, file: Path, token: bytes
) -> None:
    lines = file.read_bytes().split(b"\n")
    row = len(lines) // 2
    lines[row] = lines[row].replace(lines[row].split()[1], token, 1)
    file.write_bytes(b"\n".join(lines))
    with pytest.raises(DensityFormatError, match=rf"line {row + 1}\b"):
        format_.read(file)


@pytest.mark.parametrize("content", [b"", b"\n" * 50, b"not a density\n" * 50, bytes(range(256))])
def test_other_files_are_refused(format_: _Format, file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(DensityFormatError, match=str(file)):
        format_.read(file)


def test_a_missing_file_is_refused(format_: _Format, tmp_path: Path) -> None:
    with pytest.raises(DensityFormatError, match="no such file"):
        format_.read(tmp_path / "absent")
