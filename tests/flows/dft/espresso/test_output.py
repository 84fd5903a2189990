"""What pw.x prints."""

from __future__ import annotations

import numpy as np
import pytest

from scdp_flows.dft.espresso.output import parse_output

FINISHED = """
     The initial density is read from file :
     starting charge    7.99889, renormalised to    8.00000
     iteration #  1     ecut=    24.00 Ry     beta= 0.70
     total energy              =     -15.72593465 Ry
     estimated scf accuracy    <       0.06017012 Ry
     total magnetization       =     0.00 Bohr mag/cell
     iteration #  2     ecut=    24.00 Ry     beta= 0.70
     total magnetization       =     1.50 Bohr mag/cell
!    total energy              =     -15.72853750 Ry
     estimated scf accuracy    <          1.0E-10 Ry
     convergence has been achieved in   2 iterations
     Forces acting on atoms (cartesian axes, Ry/au):

     atom    1 type  1   force =     0.50000000    0.00000000   -0.25000000
     atom    2 type  1   force =    -0.50000000    0.00000000    0.25000000
     The non-local contrib.  to forces
     h_psi        :      0.35s CPU      1.70s WALL (     365 calls)
     h_psi:calbec :      0.01s CPU      0.11s WALL (     361 calls)
   JOB DONE.
"""
STOPPED = """
     iteration #  1     ecut=    24.00 Ry     beta= 0.70
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%
     Error in routine read_scf (1):
     Reading PAW becsum
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%
     stopping ...
"""


def test_a_finished_run() -> None:
    output = parse_output(FINISHED)
    assert output.converged
    assert (output.iterations, output.h_psi_calls) == (2, 365)
    assert output.energies_ry == (-15.72593465, -15.7285375)
    assert output.accuracies_ry == (0.06017012, 1e-10)
    assert output.density_was_read
    assert output.starting_charge == 7.99889
    assert output.magnetization == 1.5
    assert output.message is None


def test_forces_are_in_ev_per_angstrom() -> None:
    forces = parse_output(FINISHED).forces
    assert forces is not None
    np.testing.assert_allclose(forces.sum(axis=0), 0)
    assert forces[0, 0] == pytest.approx(0.5 * 25.711, rel=1e-4)


@pytest.mark.parametrize(
    ("text", "message"),
    [(STOPPED, "Reading PAW becsum"), (FINISHED[:-20], "ends early")],
    ids=["error", "cut"],
)
def test_unfinished_runs_say_why(text: str, message: str) -> None:
    output = parse_output(text)
    assert not output.converged
    assert output.message is not None
    assert message in output.message
