"""What ABINIT prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.dft.abinit.output import parse_output

if TYPE_CHECKING:
    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_flows.dft.plane_waves.structure import Crystal

LOG = " read_rhor completed. cpu: 0.0\n"
OUTPUT = """      nspden =         1      mpw =         296
 ETOT  1  -7.8630753333599    -7.863E+00 1.322E-03 1.167E+01
 ETOT  2  -7.8660030248097    -8.991E-12 1.042E-07 6.993E-13
 At SCF step    2       nres2   =  6.99E-13 < tolvrs=  1.00E-10 =>converged.
 cartesian forces (hartree/bohr) at end:
    1      0.01000000000000    0.00000000000000   -0.02000000000000
    2     -0.01000000000000    0.00000000000000    0.02000000000000
 frms,max,avg= 1.1E-02
- getghc                        0.046  13.8      0.076  14.3            200        0.61       0.61
 Calculation completed.
"""
ERROR = "--- !ERROR\nsrc_line: 3\nmessage: |\n    No such\n    file.\n...\n"


def test_a_finished_run() -> None:
    found = parse_output(LOG, OUTPUT)
    assert (found.converged, found.iterations, found.hamiltonian_calls) == (True, 2, 200)
    assert found.energies_ha[-1] == -7.8660030248097
    assert found.residuals == (11.67, 6.993e-13)
    assert found.n_orbital_waves == 296
    assert found.forces is not None
    assert found.forces[1, 2] == pytest.approx(0.02 * 27.211386 / 0.529177, rel=1e-6)
    assert found.density_was_read


def test_a_density_on_another_grid_does_not_count() -> None:
    assert not parse_output(LOG + "will use Fourier Interpolation", OUTPUT).density_was_read
    assert not parse_output("", OUTPUT).density_was_read


@pytest.mark.parametrize(
    ("log", "output", "message"),
    [
        (ERROR, "", "No such file."),
        (" chkinp: ERROR -\n  bad value\n\n" + ERROR, "", "bad value"),
        ("", OUTPUT.replace("completed", ""), "the output ends early"),
    ],
    ids=["error", "input", "cut"],
)
def test_failures_say_why(log: str, output: str, message: str) -> None:
    found = parse_output(log, output)
    assert not found.converged
    assert found.message == message


@pytest.mark.requires("abinit")
def test_a_real_run(converged: tuple[Crystal, AbinitSettings, Any]) -> None:
    output = converged[2].output
    assert output.converged
    assert not output.density_was_read
    assert output.hamiltonian_calls > 50
    assert output.n_orbital_waves > 50
    assert output.forces.shape == (2, 3)
    assert abs(output.forces.sum(axis=0)).max() < 1e-2
