"""What every reader that ``plugins`` knows must do."""

from __future__ import annotations

import contextlib
import gzip
import re
import zlib
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.base import DensityReader, count_densities, read_density, sniff
from scdp_flows.plugins import available, resolve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scdp_flows.density import ChargeDensity

# Their files are those of "xsf"; only the name of the format tells the unit.
_NAMED_ONLY = {"xsf_angstrom", "xsf_bohr"}
_NAMES = [name for name in available("readers") if name not in _NAMED_ONLY]
_OPTIONAL = {"pyscf_chk": "pyscf"}


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.requires(_OPTIONAL[name]))
        if name in _OPTIONAL
        else name
        for name in _NAMES
    ]
)
def name(request: pytest.FixtureRequest) -> str:
    """Give the name of every format that has files of its own."""
    return str(request.param)


@pytest.fixture
def sample(name: str, samples: dict[str, Any]) -> Any:
    """Give a file of the format, and what it holds."""
    return samples[name]


def _shortest_distance(density: ChargeDensity, point: Any) -> float:
    """Return the distance of a point from the nearest atom or its images, Å."""
    shifts = np.stack(np.meshgrid(*3 * [[-1, 0, 1]]), axis=-1).reshape(-1, 3)
    images = (shifts * np.array(density.pbc)) @ density.cell
    places = (density.positions[:, None] + images).reshape(-1, 3)
    return float(np.linalg.norm(places - point, axis=1).min())


def test_every_format_has_a_sample(samples: dict[str, Any]) -> None:
    assert sorted(samples) == _NAMES


def test_units_are_angstrom_and_electrons(name: str, sample: Any) -> None:
    density = read_density(sample.path, format=name, index=sample.index)
    assert density.integral() == pytest.approx(sample.n_electrons, abs=sample.tolerance)
    assert density.numbers.tolist() == sample.numbers
    assert 0.05 < density.spacing.min() <= density.spacing.max() < 0.4


def test_the_density_peaks_at_an_atom(name: str, sample: Any) -> None:
    density = read_density(sample.path, format=name, index=sample.index)
    peak = density.coordinates()[np.unravel_index(density.values.argmax(), density.shape)]
    assert _shortest_distance(density, peak) < sample.peak
    # Were axes or directions exchanged, the mean over the grid would not follow the atoms.
    assert density.values.std() > 0.1 * density.values.mean()


def test_the_spin_density_is_up_minus_down(name: str, sample: Any) -> None:
    density = read_density(sample.path, format=name, index=sample.index)
    if sample.moment is None:
        assert density.magnetization is None
        return
    assert density.magnetization is not None
    moment = density.magnetization.sum() * density.voxel_volume
    assert moment == pytest.approx(sample.moment, abs=1e-3)


def test_the_content_tells_the_format(name: str, sample: Any) -> None:
    assert sniff(sample.path) == name
    assert count_densities(sample.path) == (1 if sample.index is None else 2)


def test_a_series_needs_an_index(name: str, sample: Any) -> None:
    if sample.index is None:
        with pytest.raises(DensityFormatError, match="none of index 7"):
            read_density(sample.path, index=7)
        return
    with pytest.raises(DensityFormatError, match="holds 2 densities"):
        read_density(sample.path, format=name)
    with pytest.raises(DensityFormatError, match="none of index 7"):
        read_density(sample.path, index=7)


def test_compressed_files_are_read(name: str, sample: Any, copied: Callable[[Any], Path]) -> None:
    if sample.index is not None:
        pytest.skip("a series is known by the name of its file")
    file = copied(sample)
    plain = read_density(file)
    file.write_bytes(gzip.compress(file.read_bytes(), 1))
    assert sniff(file) == name
    assert np.array_equal(read_density(file).values, plain.values)


@pytest.mark.parametrize("part", range(8))
def test_truncated_files_are_refused(
    name: str, sample: Any, part: int, copied: Callable[[Any], Path]
) -> None:
    file = copied(sample)
    content = file.read_bytes()
    random = np.random.default_rng(zlib.crc32(f"{name}{part}".encode()))
    # Not in the last bytes, where a text file may still be whole.
    file.write_bytes(content[: int(random.uniform(0, 0.98) * len(content))])
    with pytest.raises(DensityFormatError, match=file.name):
        read_density(file, format=name, index=sample.index)


@pytest.mark.parametrize("seed", range(12))
def test_damaged_bytes_give_a_typed_error_or_a_finite_density(
    name: str, sample: Any, seed: int, copied: Callable[[Any], Path]
) -> None:
    file = copied(sample)
    content = bytearray(file.read_bytes())
    random = np.random.default_rng(zlib.crc32(f"{name}{seed}".encode()))
    reach = len(content) if seed % 2 else min(len(content), 2000)
    for place in random.integers(0, reach, 4):
        content[place] = random.integers(0, 256)
    file.write_bytes(bytes(content))
    # Whatever else was raised would be an error of ours.
    with contextlib.suppress(DensityFormatError):
        density = read_density(file, format=name, index=sample.index)
        assert np.isfinite(density.values).all()


@pytest.mark.parametrize("content", [b"", b"\n" * 50, b"not a density\n" * 50, bytes(range(256))])
def test_other_files_are_refused(
    name: str, sample: Any, content: bytes, copied: Callable[[Any], Path]
) -> None:
    file = copied(sample)
    file.write_bytes(content)
    with pytest.raises(DensityFormatError, match=file.name):
        read_density(file, format=name, index=sample.index)


def test_a_missing_file_is_refused(name: str, tmp_path: Path) -> None:
    reader = cast("type[DensityReader]", resolve("readers", name))()
    missing = tmp_path / "ethanol_train" / "dft_densities.npy"
    arguments = (missing, 0) if hasattr(reader, "count") else (missing,)
    with pytest.raises(DensityFormatError, match="no such file"):
        reader.read(*arguments)


@pytest.mark.parametrize("word", ["NaN", "inf"])
def test_non_finite_values_are_refused(
    name: str, sample: Any, word: str, copied: Callable[[Any], Path]
) -> None:
    file = copied(sample)
    content = file.read_bytes()
    is_text = b"\0" not in content[:4096]
    start, end = _span_of_a_number(content) if is_text else _place_of_numbers(file)
    number = np.float32 if b"<f4" in content[:100] else np.float64
    run = np.full((end - start) // number().itemsize, float(word), number)
    bad = word.encode() if is_text else run.tobytes()
    file.write_bytes(content[:start] + bad + content[end:])
    with pytest.raises(DensityFormatError, match=file.name):
        read_density(file, format=name, index=sample.index)


def _span_of_a_number(content: bytes) -> tuple[int, int]:
    """Find a number in the second half of a text."""
    half = len(content) // 2
    numbers = list(re.finditer(rb"-?\d?\.\d{3,}(?:E[+-]\d+)?", content[half:]))
    start, end = numbers[len(numbers) // 2].span()
    return half + start, half + end


def _place_of_numbers(file: Path) -> tuple[int, int]:
    """Find where a binary file holds some of its density."""
    h5py = pytest.importorskip("h5py")
    size = file.stat().st_size
    if not h5py.is_hdf5(file):
        # Fortran ends each record with its length; the header of npy is a multiple of 64 bytes.
        end = size - (0 if file.suffix == ".npy" else 4)
        return end - 800, end
    with h5py.File(file) as root:
        found: list[Any] = []
        root.visititems(lambda _, item: found.append(item) if hasattr(item, "dtype") else None)
        item = max((each for each in found if each.dtype == np.float64), key=lambda each: each.size)
        first = item.id.get_chunk_info(0).byte_offset if item.chunks else item.id.get_offset()
    return first + 800, first + 1600
