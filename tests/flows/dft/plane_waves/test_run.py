from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from scdp_flows.dft.plane_waves.run import ProgramRun


class Run(ProgramRun[Any]):
    """A run of a program that prints its energies."""

    @property
    def energies_ha(self) -> tuple[float, ...]:
        return tuple(self.output.energies)


def test_the_last_energy_counts_in_both_units() -> None:
    printed = SimpleNamespace(energies=[-1.0, -2.0], iterations=2, message=None, forces=None)
    run = Run(printed, 0.1, 0.2)
    assert (run.iterations, run.message, run.forces) == (2, None, None)
    assert run.energy_ha == -2.0
    assert run.energy_ev == pytest.approx(-54.4228, abs=1e-4)


def test_a_run_that_broke_off_has_no_energy() -> None:
    run = Run(SimpleNamespace(energies=[], iterations=0, message="out of time", forces=None), 0, 0)
    assert math.isnan(run.energy_ev)
    assert run.message == "out of time"
