"""Starts of ABINIT from a density."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.dft.abinit.seed import AbinitCalculation
from scdp_flows.dft.plane_waves.seed import run_seeded

if TYPE_CHECKING:
    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_flows.dft.plane_waves.structure import Crystal


@pytest.mark.requires("abinit")
def test_the_converged_density_ends_in_one_cycle(
    converged: tuple[Crystal, AbinitSettings, Any],
) -> None:
    crystal, settings, run = converged
    seeded = run_seeded(AbinitCalculation(crystal, settings, 1e-8), lambda: run.waves, default=run)
    assert seeded.fallback_reason is None
    assert seeded.result.iterations == 1 < run.iterations
    assert seeded.result.energy_ha == pytest.approx(run.energy_ha, abs=1e-9)


@pytest.mark.requires("abinit")
def test_an_unread_density_is_noticed(converged: tuple[Crystal, AbinitSettings, Any]) -> None:
    crystal, settings, run = converged
    calculation = AbinitCalculation(crystal, settings)
    assert "did not read" in (calculation.objection(run, run.waves) or "")
    read = replace(run, output=replace(run.output, density_was_read=True))
    assert calculation.objection(read, run.waves) is None
    assert "spins" in (calculation.objection(read, run.waves._replace(components=[])) or "")
