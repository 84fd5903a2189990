"""Names announce densities, or what stands beside them."""

from __future__ import annotations

import pytest

from scdp_flows.io.density_names import density_promise, is_beside_density


@pytest.mark.parametrize(
    ("name", "promise"),
    [
        ("CHGCAR", "sure"),
        ("CHGCAR.relax1.gz", "sure"),
        ("000001.CHGCAR.lz4", "sure"),
        ("0123456789.chgcar.lz4", "sure"),
        ("rho.cube.xz", "sure"),
        ("charge-density.dat", "sure"),
        ("si_DEN.nc", "sure"),
        ("1.json.xz", "maybe"),
        ("water.chk", "maybe"),
        ("CHG", "no"),
        ("AECCAR0.gz", "no"),
        ("box.npy", "no"),
        ("README", "no"),
    ],
)
def test_promises(name: str, promise: str) -> None:
    assert density_promise(name) == promise


def test_what_a_density_needs() -> None:
    names = ["data-file-schema.xml", "OUTCAR.gz", "POSCAR", "mp-1.xyz", "box.npy", "CHGCAR"]
    assert [is_beside_density(name) for name in names] == [True] * 5 + [False]
