"""ABINIT behind the interface of all codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from monty.json import MontyDecoder, MontyEncoder

from scdp_flows.dft.abinit import AbinitCode
from scdp_flows.dft.base import DftCode
from scdp_flows.plugins import resolve

if TYPE_CHECKING:
    from pymatgen.core import Molecule

    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_models.density.atomic import AtomicReference


def test_survives_json(cheap: AbinitSettings, gaussian_atom: AtomicReference) -> None:
    code = AbinitCode(cheap, reference=gaussian_atom.to_dict(), seed_tolwfr=1e-5)
    decoded = MontyDecoder().decode(json.dumps(code, cls=MontyEncoder))
    assert decoded == code
    assert isinstance(decoded, DftCode)
    assert decoded.settings_hash() == code.settings_hash() == cheap.settings_hash()
    assert decoded.atomic_reference([14]).atom(14).n_electrons == 4.0
    assert resolve("dft", "abinit") is AbinitCode


def test_failures_come_as_outcomes(water: Molecule, cheap: AbinitSettings) -> None:
    (outcome,) = AbinitCode(cheap).label_many([water], n_processes=1)
    assert outcome.value is None
    assert "abinit computes crystals" in str(outcome.error)
