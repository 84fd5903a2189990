"""One run of pw.x."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.dft.espresso.scf import run_cycles, run_scf
from scdp_flows.dft.plane_waves.program import check_converged
from scdp_flows.errors import CalculationError, MissingDependencyError

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.plane_waves.structure import Crystal

STUB = """#!/bin/sh
echo "iteration #  1" | sed 's/^/     /'
{line}
"""


def _stub(folder: Path, line: str) -> str:
    """Write a program that stands in for pw.x."""
    program = folder / "stub"
    program.write_text(STUB.format(line=line))
    program.chmod(0o755)
    return str(program)


def test_a_missing_program_is_named(toy_crystal: Crystal, toy: EspressoSettings) -> None:
    with pytest.raises(MissingDependencyError, match="apt-get install quantum-espresso"):
        run_scf(toy_crystal, replace(toy, command="no-such-pw.x"))


def test_failures_are_returned_and_then_explained(
    toy_crystal: Crystal, toy: EspressoSettings, tmp_path: Path
) -> None:
    stopped = replace(toy, command=_stub(tmp_path, 'echo "Error in routine x (1): bad %%%"'))
    run = run_scf(toy_crystal, stopped)
    assert (run.final, run.density, run.output.iterations) == (None, None, 1)
    assert np.isnan(run.energy_ha)
    with pytest.raises(CalculationError, match=r"pw.x stopped: error in routine x \(1\): bad"):
        check_converged(run, "Si2", "pw.x", "1e-09 Ry")
    slow = replace(toy, command=_stub(tmp_path, "echo JOB DONE"))
    with pytest.raises(CalculationError, match="not converged to 1e-09 Ry in 1 cycles"):
        check_converged(run_scf(toy_crystal, slow), "Si2", "pw.x", "1e-09 Ry")


@pytest.mark.requires("espresso")
def test_a_few_cycles(converged: tuple[Crystal, EspressoSettings, object]) -> None:
    crystal, settings, run = converged
    start = run_cycles(crystal, settings, 0)
    once = run_cycles(crystal, settings, 1, start)
    assert (start.effort.iterations, once.effort.iterations) == (0, 1)
    assert once.effort.cpu_s > 0
    exact = run.final.waves.components[0]  # type: ignore[attr-defined]
    first, second = (abs(one.waves.components[0] - exact).sum() for one in (start, once))
    assert second < first


@pytest.mark.requires("espresso")
def test_a_real_run(converged: tuple[Crystal, EspressoSettings, object]) -> None:
    _, _, run = converged
    check_converged(run, "Si2", "pw.x", "")  # type: ignore[arg-type]
    assert run.density.integral() == pytest.approx(8.0, abs=1e-9)  # type: ignore[attr-defined]
    assert run.cpu_s > 0  # type: ignore[attr-defined]
    assert run.n_orbital_waves > 100  # type: ignore[attr-defined]
