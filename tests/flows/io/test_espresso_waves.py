"""The layout of ``charge-density.dat``, read and written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.espresso_waves import (
    check_spins,
    looks_like_waves,
    read_waves,
    waves_on_grid,
    write_waves,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("folder", ["si.save", "oh.save"])
def test_real_files_come_back_byte_for_byte(data: Path, tmp_path: Path, folder: str) -> None:
    source = data / "qe" / folder / "charge-density.dat"
    write_waves(read_waves(source), tmp_path / "again.dat")
    assert (tmp_path / "again.dat").read_bytes() == source.read_bytes()


def test_half_of_the_waves_gives_a_real_density(data: Path) -> None:
    waves = read_waves(data / "qe" / "si.save" / "charge-density.dat")
    i, j, k = waves.indices.T
    half = (i > 0) | ((i == 0) & ((j > 0) | ((j == 0) & (k >= 0))))
    shape = (40, 40, 40)
    whole = waves_on_grid(waves, waves.components[0], shape)
    kept = waves._replace(is_half=True, indices=waves.indices[half])
    np.testing.assert_allclose(
        waves_on_grid(kept, waves.components[0][half], shape), whole, atol=1e-12
    )


def test_a_cut_file_is_refused(data: Path, tmp_path: Path) -> None:
    content = (data / "qe" / "si.save" / "charge-density.dat").read_bytes()
    (tmp_path / "cut.dat").write_bytes(content[:-100])
    assert looks_like_waves(content[:28])
    assert not looks_like_waves(b"<?xml version='1.0' encoding='utf-8'?>")
    with pytest.raises(DensityFormatError, match="cut or damaged"):
        read_waves(tmp_path / "cut.dat")


def test_non_collinear_densities_are_refused() -> None:
    with pytest.raises(DensityFormatError, match="4 spin components"):
        check_spins(4, "charge-density.dat")
