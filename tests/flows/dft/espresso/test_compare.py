"""Starts of one crystal, compared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scdp_flows.dft.espresso.compare import seeded_comparison
from scdp_flows.dft.plane_waves.atoms import atomic_reference
from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from scdp_flows.dft.espresso.inputs import EspressoSettings


@pytest.mark.requires("espresso")
def test_starts_in_order_with_their_errors(distorted: Structure, cheap: EspressoSettings) -> None:
    numbers, cell = [14, 14], distorted.lattice.matrix
    atoms = atomic_reference(cheap, numbers).superposition(
        numbers, distorted.cart_coords, cell, (True, True, True)
    )
    default, atomic, molecule, exact = seeded_comparison(
        distorted, cheap, {"atomic": atoms, "molecule": replace(atoms, pbc=(False,) * 3)}
    )
    assert [s.start for s in (default, atomic, molecule, exact)] == [
        "default", "atomic", "molecule", "exact",
    ]  # fmt: skip
    assert atomic.nmae_percent == pytest.approx(default.nmae_percent, abs=0.05)
    assert exact.nmae_percent == 0.0
    assert exact.iterations < atomic.iterations
    assert exact.energy_difference_ha == pytest.approx(0.0, abs=1e-8)
    assert not molecule.seed_used
    assert molecule.energy_ha == default.energy_ha
    assert atomic.seed_cpu_s > 0
    assert default.fock_builds > default.iterations


def test_names_with_a_meaning_are_refused(distorted: Structure, toy: EspressoSettings) -> None:
    with pytest.raises(SettingsError, match="exact"):
        seeded_comparison(distorted, toy, {"exact": None})  # type: ignore[dict-item]
