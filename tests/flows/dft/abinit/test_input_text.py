"""Input of ABINIT."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import pytest

from scdp_flows.dft.abinit.input_text import density_grid, input_text, own_grid, species

if TYPE_CHECKING:
    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_flows.dft.plane_waves.structure import Crystal


def test_the_grid_holds_all_waves(crystal: Crystal, cheap: AbinitSettings) -> None:
    assert density_grid(crystal, cheap) == (15, 15, 15)  # waves up to 7
    long = crystal._replace(cell=crystal.cell * [[1], [1], [2]])
    assert density_grid(long, cheap) == (15, 15, 30)


@pytest.mark.parametrize(("ecut_ha", "n"), [(5, 16), (6, 18), (8, 20), (14, 27), (16, 30)])
def test_the_grid_of_the_program_is_what_it_was_seen_to_choose(
    crystal: Crystal, cheap: AbinitSettings, ecut_ha: float, n: int
) -> None:
    cubic = crystal._replace(cell=crystal.cell / crystal.cell.max() * 5.43 / 2)
    assert own_grid(cubic, replace(cheap, ecut_ha=ecut_ha)) == (n, n, n)


def test_a_seed_gets_orbitals_of_its_own(crystal: Crystal, cheap: AbinitSettings) -> None:
    default, seeded = input_text(crystal, cheap), input_text(crystal, cheap, 1e-6)
    assert "iscf 17" in default
    assert "getden" not in default
    for words in (
        "ndtset 2",
        "iscf1 -2 tolwfr1 1e-06",
        "iscf2 17",
        "nnsclo2 1 getwfk2 1",
        "seed_DEN",
    ):
        assert words in seeded
    assert "iscf 7" in input_text(crystal, replace(cheap, mixing="potential"))


def test_lines_stay_short(crystal: Crystal, cheap: AbinitSettings) -> None:
    assert max(map(len, input_text(crystal, cheap).splitlines())) < 132
    assert species(crystal) == ["Si"]


@pytest.mark.parametrize(("smearing", "number"), [("mv", 4), ("fd", 3)])
def test_two_spins(
    crystal: Crystal, cheap: AbinitSettings, smearing: Literal["mv", "fd"], number: int
) -> None:
    settings = replace(
        cheap, spin="unrestricted", smearing=smearing, starting_magnetization={"Si": 0.5}
    )
    text = input_text(crystal, settings)
    assert f"occopt {number} tsmear 0.01 nband 8" in text
    assert "nsppol 2 nspden 2 spinat 0 0 2.0 0 0 2.0" in text
