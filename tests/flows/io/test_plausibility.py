from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.base import read_density
from scdp_flows.io.plausibility import Thresholds, check_plausible, examine, judge
from scdp_flows.io.quantity import Quantity
from scdp_flows.kind import DensityKind

if TYPE_CHECKING:
    from scdp_flows.density import ChargeDensity


# What becomes of every malformed or misleading file: the verdict and a part of the reason.
_DATA = Path(__file__).parents[2] / "data"
_TABLE: dict[str, tuple[str, str]] = json.loads((_DATA / "verdicts.json").read_text())


def _verdict(path: Path) -> str:
    """Give the verdict on a file as text."""
    try:
        return str(examine(path)[1])
    except DensityFormatError as error:
        return f"refused: {error}"


@pytest.mark.parametrize("name", _TABLE)
def test_files_from_the_wild_get_the_right_verdict(name: str, data: Path) -> None:
    verdict, reason = _TABLE[name]
    found = _verdict(data / name)
    assert found.startswith(verdict)
    assert reason in found


def test_every_malformed_file_has_a_verdict(data: Path) -> None:
    files = {f"malformed/{path.name}" for path in (data / "malformed").iterdir()}
    assert files == {name for name in _TABLE if name.startswith("malformed/")}


def test_a_potential_gives_itself_away_under_any_name(data: Path, tmp_path: Path) -> None:
    shutil.copy(data / "vasp" / "LOCPOT_Li.gz", tmp_path / "CHGCAR.gz")
    assert "negative, as if it were a potential" in _verdict(tmp_path / "CHGCAR.gz")


def test_a_core_density_gives_itself_away_under_any_name(data: Path, tmp_path: Path) -> None:
    shutil.copy(data / "vasp" / "AECCAR0_H2O.gz", tmp_path / "chgcar.vasp")
    assert "more than all 10" in _verdict(tmp_path / "chgcar.vasp")


def test_all_electrons_are_accepted_only_where_they_are_wanted(data: Path) -> None:
    path = data / "cube" / "psi4_NH3_Dt.cube.xz"
    density, verdict = examine(path)
    assert "it is an all-electron density" in str(verdict)
    assert examine(path, all_electron=True)[1].accepted
    kind = DensityKind("all", "", "pbe", "cc-pvdz")
    assert judge(replace(density, kind=kind)).accepted
    doubled = replace(density, values=2 * density.values, kind=kind)
    assert "its atoms have 10" in str(judge(doubled))


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
    ("factor", "reason"),
    [
        (10.0, "more than all 9"),
        (2.25, "more than the 7 that are not in cores"),
        (1.1, "no whole number"),
    ],
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


def test_a_magnetisation_of_three_components_is_compared_by_its_length(
    molecule_density: ChargeDensity,
) -> None:
    third = molecule_density.values / 3**0.5
    vector = np.stack([third, -third, third])
    assert judge(replace(molecule_density, magnetization_vector=vector)).accepted
    assert "magnetisation" in str(judge(replace(molecule_density, magnetization_vector=2 * vector)))


def test_what_the_file_claims_to_be_counts(molecule_density: ChargeDensity) -> None:
    verdict = judge(molecule_density, quantity=Quantity.ORBITAL)
    assert str(verdict) == "quarantined: it is an orbital, by its name or comment"
    assert not verdict.accepted


def test_impossible_structures_are_doubted(molecule_density: ChargeDensity) -> None:
    close = molecule_density.positions[[0, 0]] + [[0, 0, 0], [0, 0, 0.1]]
    assert "impossible structure" in str(judge(replace(molecule_density, positions=close)))
    far = molecule_density.positions + 8.0
    assert "outside its box" in str(judge(replace(molecule_density, positions=far)))
    flat = replace(molecule_density, cell=np.diag([6.0, 0.7, 0.8]), pbc=(True, True, True))
    assert "Å^3 for each atom" in str(judge(flat))


def test_a_constant_is_doubted(molecule_density: ChargeDensity) -> None:
    values = np.full(molecule_density.shape, 4 / molecule_density.volume)
    assert "the same everywhere" in str(judge(replace(molecule_density, values=values)))


def test_thresholds_may_be_changed(molecule_density: ChargeDensity) -> None:
    assert "too coarse" in str(judge(molecule_density, thresholds=Thresholds(spacing=0.3)))
