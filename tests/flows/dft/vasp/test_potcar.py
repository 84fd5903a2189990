from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.dft.vasp.potcar import channel_blocks, occupancy_count, read_potcar, same_potential
from scdp_flows.errors import CalculationError
from scdp_flows.io.chgcar import read_chgcar

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("channels", "count"),
    [([0, 0, 1], 15), ([0, 0, 1, 1], 33), ([2, 2, 0, 0, 1, 1], 138)],
    ids=["Li", "Si", "Fe"],
)
def test_the_counts_of_real_files_follow_from_the_projectors(
    channels: list[int], count: int
) -> None:
    assert occupancy_count(channels) == count


@pytest.mark.parametrize(
    ("file", "channels", "allowed"),
    [
        ("Si2_24_CHGCAR.gz", [0, 0, 1, 1], {0}),
        ("Fe_bcc_CHGCAR_spin.gz", [2, 2, 0, 0, 1, 1], {0, 4}),
    ],
    ids=["tetrahedral", "cubic"],
)
def test_blocks_vanish_where_the_symmetry_of_the_site_demands_it(
    repository: Path, file: str, channels: list[int], allowed: set[int]
) -> None:
    density = read_chgcar(repository / "tests/data/vasp" / file)
    assert density.augmentation is not None
    record = density.augmentation[0].record(0)
    start = 0
    for _, _, l in channel_blocks(channels):
        part = record[start : start + 2 * l + 1]
        start += 2 * l + 1
        assert l in allowed or np.abs(part).max() < 1e-5
    assert start == len(record)


def test_a_potcar_tells_what_a_seed_needs(repository: Path) -> None:
    (entry,) = read_potcar(repository / "tests/data/vasp/psp/POT_GGA_PAW_PBE_54/POTCAR.Si")
    assert (entry.title, entry.element) == ("PAW_PBE Si 01Jan2026", "Si")
    assert (entry.n_electrons, entry.encut_ev, entry.functional) == (4.0, 245.3, "PBE")
    assert entry.channels == (0, 0, 1, 1)


@pytest.mark.parametrize("text", ["", "TITEL = x\n"], ids=["empty", "incomplete"])
def test_what_is_no_potcar_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "POTCAR").write_text(text)
    with pytest.raises(CalculationError, match="POTCAR"):
        read_potcar(tmp_path / "POTCAR")


def test_a_symbol_stands_for_its_title() -> None:
    assert same_potential("PAW_PBE Fe_pv 06Sep2000", "Fe_pv")
    assert not same_potential("PAW_PBE Fe_pv 06Sep2000", "Fe")
    assert not same_potential("PAW_PBE Fe 06Sep2000", "PAW_PBE Fe 01Jan2026")
