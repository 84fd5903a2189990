"""A two-atom cell of silicon, with a real pseudopotential and with one made up here."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from scdp_flows.dft.espresso.inputs import EspressoSettings
from scdp_flows.dft.espresso.scf import run_scf
from scdp_flows.dft.plane_waves.structure import as_crystal

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.dft.espresso.scf import PwRun
    from scdp_flows.dft.plane_waves.structure import Crystal

UPF = """<UPF version="2.0.1">
<PP_HEADER element="{symbol} " pseudo_type="{kind}" is_paw="{paw}" z_valence="4.0E0"
functional=" SLA PW PBE PBE" mesh_size="{n}"/>
<PP_MESH>
<PP_R type="real" size="{n}">{radii}</PP_R>
<PP_RAB type="real" size="{n}">{steps}</PP_RAB>
</PP_MESH>
<PP_RHOATOM type="real" size="{n}">{shells}</PP_RHOATOM>
</UPF>
"""


class Converged(NamedTuple):
    """A finished calculation."""

    crystal: Crystal
    settings: EspressoSettings
    run: PwRun


def _primitive(shift: float = 0.0) -> Structure:
    half = 5.43 / 2
    lattice = Lattice([[0, half, half], [half, 0, half], [half, half, 0]])
    places = [[0.0, 0.0, 0.0], [0.25 + shift, 0.25, 0.25 - shift]]
    return Structure(lattice, ["Si", "Si"], places)


@pytest.fixture(scope="session")
def silicon() -> Structure:
    """Give the perfect crystal."""
    return _primitive()


@pytest.fixture(scope="session")
def distorted() -> Structure:
    """Give the crystal with one atom moved."""
    return _primitive(0.01)


def upf_text(symbol: str = "Si", kind: str = "NC") -> str:
    """Write a file whose atom is the Gaussian 4 (0.5/pi)^(3/2) exp(-0.5 r^2)."""
    radii = 1e-4 * np.exp(0.03 * np.arange(400))
    shells = 16 * np.pi * radii**2 * (0.5 / np.pi) ** 1.5 * np.exp(-0.5 * radii**2)
    texts = (" ".join(f"{x:.12e}" for x in values) for values in (radii, 0.03 * radii, shells))
    names = dict(zip(("radii", "steps", "shells"), texts, strict=True))
    paw = "T" if kind == "PAW" else "F"
    return UPF.format(symbol=symbol, kind=kind, paw=paw, n=len(radii), **names)


@pytest.fixture
def toy(tmp_path: Path) -> EspressoSettings:
    """Give settings with a made-up pseudopotential: all but a calculation is possible."""
    (tmp_path / "Si.toy.UPF").write_text(upf_text())
    (tmp_path / "Si.paw.UPF").write_text(upf_text(kind="PAW"))
    return EspressoSettings({"Si": "Si.toy.UPF"}, pseudo_dir=str(tmp_path), ecutwfc_ry=5.0)


@pytest.fixture
def toy_crystal(silicon: Structure, toy: EspressoSettings) -> Crystal:
    """Give the perfect crystal as the program sees it."""
    return as_crystal(silicon, toy)


@pytest.fixture(scope="session")
def cheap() -> EspressoSettings:
    """Give settings with which two atoms take a quarter of a second."""
    return EspressoSettings(
        {"Si": "Si.pbe-rrkj.UPF"}, ecutwfc_ry=12.0, kpoints=(1, 1, 1), kshift=(1, 1, 1)
    )


@pytest.fixture(scope="session")
def converged(distorted: Structure, cheap: EspressoSettings) -> Converged:
    """Give a finished calculation of the distorted crystal."""
    crystal = as_crystal(distorted, cheap)
    return Converged(crystal, cheap, run_scf(crystal, cheap, on_grid=True))
