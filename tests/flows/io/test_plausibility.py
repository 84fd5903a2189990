from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.io.base import read_density
from scdp_flows.io.plausibility import check_plausible

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.density import ChargeDensity


@pytest.mark.parametrize("name", ["Fe_bcc_CHGCAR_spin.gz", "Fe2_cubic_CHGCAR.gz"])
def test_real_densities_are_not_doubted(name: str, data: Path) -> None:
    density = read_density(data / "vasp" / name)
    assert check_plausible(density, n_electrons=8 * len(density.numbers)) == []


def test_slightly_negative_densities_are_not_doubted(molecule_density: ChargeDensity) -> None:
    values = molecule_density.values.copy()
    values[values > values.max() * 0.9] *= -0.1
    values *= 4 / (values.sum() * molecule_density.voxel_volume)
    assert values.min() < 0
    assert check_plausible(replace(molecule_density, values=values)) == []


def test_a_potential_is_doubted(molecule_density: ChargeDensity) -> None:
    potential = replace(molecule_density, values=-3 * molecule_density.values)
    reasons = " ".join(check_plausible(potential))
    assert "100 % of it is negative" in reasons
    assert "less than one each" in reasons


def test_nothing_is_doubted(molecule_density: ChargeDensity) -> None:
    nothing = replace(molecule_density, values=np.zeros(molecule_density.shape))
    assert "it is zero everywhere" in check_plausible(nothing)


def test_a_toy_file_is_doubted(data: Path) -> None:
    reasons = " ".join(check_plausible(read_density(data / "malformed" / "CHGCAR_water_3x3x2")))
    assert "too coarse" in reasons
    assert "0.0017 electrons for 3 atoms" in reasons


@pytest.mark.parametrize(
    ("factor", "reason"), [(10.0, "more than all 9"), (1.1, "no whole number")]
)
def test_wrong_numbers_of_electrons_are_doubted(
    factor: float, reason: str, molecule_density: ChargeDensity
) -> None:
    scaled = replace(molecule_density, values=factor * molecule_density.values)
    assert any(reason in doubt for doubt in check_plausible(scaled))


def test_the_expected_number_is_compared(molecule_density: ChargeDensity) -> None:
    assert check_plausible(molecule_density, n_electrons=4) == []
    assert check_plausible(molecule_density, n_electrons=5) == [
        "it holds 4.0000 electrons and not 5"
    ]


def test_a_magnetisation_beyond_the_density_is_doubted(molecule_density: ChargeDensity) -> None:
    full = replace(molecule_density, magnetization=molecule_density.values)
    assert check_plausible(full) == []
    more = replace(molecule_density, magnetization=1.1 * molecule_density.values)
    assert "magnetisation" in check_plausible(more)[0]
