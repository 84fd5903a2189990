"""Starts from a density."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.dft.espresso.seed import PwCalculation, check_seedable
from scdp_flows.dft.plane_waves.seed import run_seeded
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from scdp_flows.dft.espresso.files import SeedFiles
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.plane_waves.structure import Crystal


def test_augmented_waves_are_refused(toy_crystal: Crystal, toy: EspressoSettings) -> None:
    paw = replace(toy, pseudopotentials={"Si": "Si.paw.UPF"}, sha256={})
    with pytest.raises(CalculationError, match=r"Si\.paw\.UPF.*need the occupancies.*paw\.txt"):
        check_seedable(toy_crystal, paw, with_spin=False)


@pytest.mark.requires("espresso")
def test_the_converged_density_ends_in_one_or_two_cycles(
    converged: tuple[Crystal, EspressoSettings, Any],
) -> None:
    crystal, settings, run = converged
    seeded = run_seeded(PwCalculation(crystal, settings, 1e-7), lambda: run.final, default=run)
    assert seeded.fallback_reason is None
    assert seeded.result.output.iterations <= 2 < run.output.iterations
    assert seeded.result.energy_ha == pytest.approx(run.energy_ha, abs=1e-8)


@pytest.mark.requires("espresso")
def test_a_list_in_another_order_is_noticed(
    converged: tuple[Crystal, EspressoSettings, Any],
) -> None:
    crystal, settings, run = converged
    waves = run.final.waves
    reversed_ = waves._replace(indices=waves.indices[::-1], components=[waves.components[0][::-1]])
    seed: SeedFiles = run.final._replace(waves=reversed_)
    seeded = run_seeded(PwCalculation(crystal, settings), lambda: seed, default=run)
    assert seeded.result is run
    assert seeded.fallback_reason is not None
    assert "not in the order of pw.x" in seeded.fallback_reason
