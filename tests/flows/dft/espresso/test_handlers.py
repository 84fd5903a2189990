"""What helps when pw.x fails."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scdp_flows.dft.espresso.handlers import correction
from scdp_flows.dft.espresso.output import parse_output
from scdp_flows.dft.espresso.scf import PwRun, run_scf

if TYPE_CHECKING:
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.plane_waves.structure import Crystal


def _run(text: str) -> PwRun:
    return PwRun(parse_output(text), 1.0, 1.0, None, None, 0)


def test_a_singular_basis_calls_for_conjugate_gradients(toy: EspressoSettings) -> None:
    run = _run("Error in routine cdiaghg (12): problems computing cholesky\n %%%")
    changed = correction(toy, run)
    assert changed is not None
    assert changed[0].diagonalization == "cg"
    assert "cholesky" in changed[1]
    assert correction(changed[0], run) is None
    assert changed[0].settings_hash() == toy.settings_hash()


def test_slow_convergence_calls_for_less_mixing(toy: EspressoSettings) -> None:
    changed = correction(toy, _run("JOB DONE"))
    assert changed is not None
    assert changed[0].mixing_beta == 0.3
    assert correction(changed[0], _run("JOB DONE")) is None


def test_other_failures_are_final(toy: EspressoSettings) -> None:
    assert correction(toy, _run("Error in routine readpp (1): file not found %%%")) is None


@pytest.mark.requires("espresso")
def test_both_diagonalisations_agree(
    converged: tuple[Crystal, EspressoSettings, PwRun],
) -> None:
    crystal, settings, run = converged
    other = run_scf(crystal, replace(settings, diagonalization="cg"))
    assert other.energy_ha == pytest.approx(run.energy_ha, abs=1e-8)
