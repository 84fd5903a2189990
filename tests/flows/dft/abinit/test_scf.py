"""One run of ABINIT."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_flows.dft.abinit.scf import run_scf
from scdp_flows.errors import MissingDependencyError

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_flows.dft.plane_waves.structure import Crystal


def test_a_missing_program_is_named(crystal: Crystal, cheap: AbinitSettings) -> None:
    with pytest.raises(MissingDependencyError, match="apt-get install abinit"):
        run_scf(crystal, replace(cheap, command="no-such-abinit"))


def test_failures_are_returned(crystal: Crystal, cheap: AbinitSettings, tmp_path: Path) -> None:
    program = tmp_path / "stub"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    run = run_scf(crystal, replace(cheap, command=str(program)))
    assert (run.converged, run.density, run.iterations) == (False, None, 0)
    assert run.message == "the output ends early (exit status 1)"
    assert np.isnan(run.energy_ha)


@pytest.mark.requires("abinit")
def test_a_real_run(converged: tuple[Crystal, AbinitSettings, Any]) -> None:
    _, _, run = converged
    assert run.converged
    assert run.density.integral() == pytest.approx(8.0, abs=1e-9)
    assert run.moment is None
    assert run.energy_ev == pytest.approx(-7.8 * 27.2, abs=10)


@pytest.mark.requires("abinit")
def test_a_spin_density_comes_back(crystal: Crystal, cheap: AbinitSettings) -> None:
    settings = replace(
        cheap, spin="unrestricted", smearing="mv", starting_magnetization={"Si": 0.2}, tolvrs=1e-6
    )
    run = run_scf(crystal, settings)
    assert run.converged, run.message
    assert run.waves is not None
    assert run.moment is not None
    assert 0 < abs(run.moment) < 4
    again = run_scf(crystal, settings, run.waves, seed_tolwfr=1e-8)
    assert again.output.density_was_read
    assert again.iterations <= 2
    assert again.moment == pytest.approx(run.moment, abs=1e-3)
    assert again.energy_ha == pytest.approx(run.energy_ha, abs=1e-7)
