"""Starts of one crystal, compared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_flows.dft.espresso.atoms import atomic_reference, superposed_waves
from scdp_flows.dft.espresso.compare import StartErrors, seeded_comparison
from scdp_flows.errors import CalculationError, SettingsError

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.espresso.structure import Crystal


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


@pytest.mark.requires("espresso")
def test_errors_of_a_known_density(converged: tuple[Crystal, EspressoSettings, Any]) -> None:
    crystal, settings, run = converged
    errors, exact = StartErrors(run), run.final.waves.components[0]
    changed, place = exact.copy(), 5
    changed[place] += 1e-3
    square = ((run.final.waves.indices[place] @ run.final.waves.reciprocal) ** 2).sum()
    expected = 2 * np.pi * crystal.volume_bohr * 1e-6 / square
    assert errors.coulomb(changed) == pytest.approx(expected)
    assert errors.nmae(exact) == 0.0
    sad = superposed_waves(crystal, settings, run.final.waves.indices)
    assert 5 < errors.nmae(sad) < 30
    with pytest.raises(CalculationError, match="no density"):
        StartErrors(replace(run, final=None))
