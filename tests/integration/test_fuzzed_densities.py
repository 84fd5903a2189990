"""Damage density files in every way: either a typed error, or the density that is written there."""

from __future__ import annotations

import gzip
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scdp_flows.augmentation import Augmentation
from scdp_flows.density import ChargeDensity
from scdp_flows.errors import DensityFormatError
from scdp_flows.io.base import write_density
from scdp_flows.io.chgcar import read_chgcar
from scdp_flows.io.cube import read_cube

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SOAK_SECONDS = 150.0  # for each of the four soak tests: ten minutes in all


def _density() -> ChargeDensity:
    """Give a small polarised density with occupancies and moments."""
    rng = np.random.default_rng(0)
    values = rng.random((2, 3, 4)) * 10.0 ** rng.integers(-14, 2, size=(2, 3, 4))
    kept = tuple(Augmentation.from_records(rng.normal(size=(2, 3)), [1.0, -1.0]) for _ in range(2))
    return ChargeDensity(
        values,
        np.array([[2.0, 0.1, 0.0], [0.0, 2.5, 0.0], [0.3, 0.0, 3.0]]),
        np.zeros(3),
        np.array([3, 1]),
        np.array([[0.5, 0.5, 0.5], [1.5, 1.5, 2.0]]),
        pbc=(True, True, True),
        magnetization=0.1 * values,
        augmentation=kept,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder for the files of this module."""
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module", params=["CHGCAR", "rho.cube"])
def file(request: pytest.FixtureRequest, folder: Path) -> Path:
    """Give a valid file of each format."""
    path = folder / str(request.param)
    write_density(_density(), path)
    return path


_READERS: dict[bool, Callable[[Path], ChargeDensity]] = {True: read_cube, False: read_chgcar}


def _read(content: bytes, path: Path) -> ChargeDensity | None:
    """Read damaged content; None if it is refused, with the name of the file."""
    path.write_bytes(content)
    start = time.process_time()
    try:
        return _READERS["cube" in path.name](path)
    except DensityFormatError as error:
        return None if path.name in str(error) else pytest.fail(f"{error} names no file")
    finally:
        assert time.process_time() - start < 5.0


def _ends_of_smaller_files(text: str) -> set[int]:
    """Give where a complete file of one spin ends: before its occupancies, and behind them."""
    if "augmentation" not in text:
        return set()
    first = text.index("augmentation")
    shape = text.index("    2    3    4\n", first)
    moments = text.rindex("\n", 0, shape - 1) + 1
    return {len(text[:end].rstrip()) for end in (first, moments)}


def test_files_cut_at_any_byte_are_refused(file: Path, folder: Path) -> None:
    content = file.read_bytes()
    whole = _READERS["cube" in file.name](file)
    allowed = _ends_of_smaller_files(content.decode())
    for size in range(len(content)):
        density = _read(content[:size], folder / f"cut_{file.name}")
        if density is not None:
            # What is left is whole: it lacks a second spin, occupancies or a last line feed.
            assert len(content[:size].rstrip()) in allowed or not content[size:].strip(), size
            assert np.array_equal(density.values, whole.values)


def _differs(density: ChargeDensity, whole: ChargeDensity) -> bool:
    """Tell whether any number differs."""
    return not (
        density.shape == whole.shape
        and np.array_equal(density.values, whole.values)
        and np.array_equal(density.cell, whole.cell)
        and np.array_equal(density.positions, whole.positions)
        and np.array_equal(density.numbers, whole.numbers)
    )


def _flip_bits(file: Path, folder: Path, flips: list[tuple[float, int]]) -> None:
    """Flip bits of a file, which must be refused, or still be a finite density of its grid."""
    content = bytearray(file.read_bytes())
    for place, bit in flips:
        content[int(place * (len(content) - 1))] ^= 1 << bit
    density = _read(bytes(content), folder / f"flipped_{file.name}")
    if density is not None:
        assert np.isfinite(density.values).all()
        # Digits may have become others, which nothing can tell; none may be made up.
        assert density.values.size < len(content.split())


def _flip_compressed_bits(file: Path, folder: Path, flips: list[tuple[float, int]]) -> None:
    """Flip bits of a gzipped file, whose checksum notices every wrong number."""
    content = bytearray(gzip.compress(file.read_bytes(), mtime=0))
    for place, bit in flips:
        content[int(place * (len(content) - 1))] ^= 1 << bit
    density = _read(bytes(content), folder / f"flipped_{file.name}.gz")
    if density is not None:
        assert not _differs(density, _READERS["cube" in file.name](file))


_WORDS = ["-1", "0", "1", "99999999", "1e300", "NaN", "*****", "", "2 3", "\x00", "é", "3", "-0.0"]


def _edit_header(file: Path, folder: Path, edits: list[tuple[int, int, str]]) -> None:
    """Replace words of the header; what is accepted has as many values as its shape says."""
    rows = file.read_text().splitlines(keepends=True)
    for row, column, word in edits:
        words = rows[row].split()
        if words:
            words[column % len(words)] = word
            rows[row] = " ".join(words) + "\n"
    density = _read("".join(rows).encode(), folder / f"edited_{file.name}")
    if density is not None:
        assert np.isfinite(density.values).all()
        assert density.values.size <= 24
        assert 0 < density.volume < 1e10


def _cut_compressed(file: Path, folder: Path, cuts: list[tuple[float, int]]) -> None:
    """Cut a compressed file, which must be refused."""
    content = gzip.compress(file.read_bytes(), mtime=0)
    place = int(cuts[0][0] * (len(content) - 1))
    assert _read(content[:place], folder / f"cut_{file.name}.gz") is None


_FLIPS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 7)), min_size=1, max_size=4)
_EDITS = st.lists(
    st.tuples(st.integers(0, 11), st.integers(0, 4), st.sampled_from(_WORDS)),
    min_size=1,
    max_size=3,
)
_DAMAGES: dict[str, tuple[Callable[[Path, Path, list[Any]], None], st.SearchStrategy[Any]]] = {
    "flip": (_flip_bits, _FLIPS),
    "flip compressed": (_flip_compressed_bits, _FLIPS),
    "edit header": (_edit_header, _EDITS),
    "cut compressed": (_cut_compressed, _FLIPS),
}


@pytest.mark.parametrize("damage", _DAMAGES)
def test_damaged_files_are_refused_or_read_as_they_stand(
    damage: str, file: Path, folder: Path
) -> None:
    _fuzz(damage, file, folder, n_examples=60)


@pytest.mark.soak
@pytest.mark.parametrize("damage", _DAMAGES)
def test_damaged_files_for_minutes(damage: str, folder: Path) -> None:
    start = time.monotonic()
    names = ["CHGCAR", "rho.cube"]
    while time.monotonic() - start < _SOAK_SECONDS:
        for name in names:
            path = folder / name
            write_density(_density(), path)
            _fuzz(damage, path, folder, n_examples=1000, derandomize=False)


def _fuzz(
    damage: str, file: Path, folder: Path, *, n_examples: int, derandomize: bool = True
) -> None:
    """Try one way of damage on many examples."""
    check, examples = _DAMAGES[damage]

    @settings(
        max_examples=n_examples,
        deadline=None,
        database=None,
        derandomize=derandomize,
        suppress_health_check=list(HealthCheck),
    )
    @given(examples)
    def attempt(changes: list[Any]) -> None:
        check(file, folder, changes)

    attempt()
