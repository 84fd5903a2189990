"""One run of pw.x."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.dft.espresso.scf import check_converged, require_program, run_scf
from scdp_flows.errors import CalculationError, MissingDependencyError

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.espresso.structure import Crystal

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
    assert require_program(replace(toy, command="sh -c x")) == ["sh", "-c", "x"]


def test_failures_are_returned_and_then_explained(
    toy_crystal: Crystal, toy: EspressoSettings, tmp_path: Path
) -> None:
    stopped = replace(toy, command=_stub(tmp_path, 'echo "Error in routine x (1): bad %%%"'))
    run = run_scf(toy_crystal, stopped)
    assert (run.final, run.density, run.output.iterations) == (None, None, 1)
    assert np.isnan(run.energy_ha)
    with pytest.raises(CalculationError, match=r"pw.x stopped: error in routine x \(1\): bad"):
        check_converged(run, "Si2", stopped)
    slow = replace(toy, command=_stub(tmp_path, "echo JOB DONE"))
    with pytest.raises(CalculationError, match="not converged to 1e-09 Ry in 1 cycles"):
        check_converged(run_scf(toy_crystal, slow), "Si2", slow)


def test_processor_time_is_that_of_the_program(
    toy_crystal: Crystal, toy: EspressoSettings, tmp_path: Path
) -> None:
    work = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"
    busy = run_scf(toy_crystal, replace(toy, command=_stub(tmp_path, work)))
    idle = run_scf(toy_crystal, replace(toy, command=_stub(tmp_path, "sleep 0.2")))
    assert busy.cpu_s > 3 * idle.cpu_s
    assert idle.wall_s > 0.2 > idle.cpu_s


@pytest.mark.requires("espresso")
def test_a_real_run(converged: tuple[Crystal, EspressoSettings, object]) -> None:
    _, settings, run = converged
    check_converged(run, "Si2", settings)  # type: ignore[arg-type]
    assert run.density.integral() == pytest.approx(8.0, abs=1e-9)  # type: ignore[attr-defined]
    assert run.cpu_s > 0  # type: ignore[attr-defined]
    assert run.n_orbital_waves > 100  # type: ignore[attr-defined]
