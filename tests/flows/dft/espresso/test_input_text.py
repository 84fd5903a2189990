"""The input of pw.x."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scdp_flows.dft.espresso.input_text import input_text

if TYPE_CHECKING:
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.plane_waves.structure import Crystal


def test_lengths_are_in_bohr(toy_crystal: Crystal, toy: EspressoSettings) -> None:
    text = input_text(toy_crystal, toy)
    rows = text.partition("CELL_PARAMETERS bohr\n")[2].splitlines()[:3]
    assert [float(x) for x in rows[0].split()] == [0.0, *[round(5.43 / 2 / 0.529177210903, 14)] * 2]
    assert "Si 28.0855 Si.toy.UPF" in text
    assert "K_POINTS gamma" in text
    assert "startingpot" not in text


def test_seeds_and_thresholds(toy_crystal: Crystal, toy: EspressoSettings) -> None:
    text = input_text(toy_crystal, toy, from_file=True, diago_thr_init=1e-7)
    assert "startingpot = 'file'" in text
    assert "diago_thr_init = 1e-07" in text
    assert "tprnfor = .false." in text


def test_a_few_cycles_are_not_mixed(toy_crystal: Crystal, toy: EspressoSettings) -> None:
    text = input_text(toy_crystal, toy, cycles=1)
    for words in ("electron_maxstep = 1", "mixing_beta = 1.0", "scf_must_converge = .false."):
        assert words in text


def test_spins_smearing_and_k_points(toy_crystal: Crystal, toy: EspressoSettings) -> None:
    settings = replace(
        toy,
        spin="unrestricted",
        starting_magnetization={"Si": 0.5},
        smearing="mv",
        kpoints=(4, 4, 2),
        kshift=(1, 1, 0),
    )
    text = input_text(toy_crystal, settings)
    assert "starting_magnetization(1) = 0.5" in text
    assert "smearing = 'mv'" in text
    assert "K_POINTS automatic\n4 4 2 1 1 0" in text
