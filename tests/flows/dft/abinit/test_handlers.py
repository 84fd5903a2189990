"""What helps when ABINIT fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scdp_flows.dft.abinit.handlers import correction
from scdp_flows.dft.abinit.output import parse_output
from scdp_flows.dft.abinit.scf import AbinitRun

if TYPE_CHECKING:
    from scdp_flows.dft.abinit.inputs import AbinitSettings


def _run(output: str) -> AbinitRun:
    return AbinitRun(parse_output("", output), 1.0, 1.0, None, None)


def test_slow_convergence_calls_for_the_other_mixing(cheap: AbinitSettings) -> None:
    run = _run(" Calculation completed.")
    changed = correction(cheap, run)
    assert changed is not None
    assert changed[0].mixing == "potential"
    assert correction(changed[0], run) is None


def test_stops_are_final(cheap: AbinitSettings) -> None:
    assert correction(cheap, _run("")) is None
