"""Starts of one crystal, compared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.dft.espresso import EspressoCode
from scdp_flows.dft.espresso.compare import seeded_comparison
from scdp_flows.dft.espresso.seed import PwCalculation
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


@pytest.mark.requires("espresso")
def test_daily_work_computes_nothing_beside_the_starts(
    distorted: Structure, cheap: EspressoSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    atoms = atomic_reference(cheap, [14, 14]).superposition(
        [14, 14], distorted.cart_coords, distorted.lattice.matrix, (True, True, True)
    )
    seeds: list[bool] = []

    def counted(self: PwCalculation, seed: Any = None) -> Any:
        seeds.append(seed is not None)
        return run(self, seed)

    run = PwCalculation.run
    monkeypatch.setattr(PwCalculation, "run", counted)
    (alone,) = EspressoCode(cheap).seeded_only(distorted, {"atomic": atoms})
    assert seeds == [True]
    assert (alone.start, alone.seed_used, alone.converged) == ("atomic", True, True)
    assert alone.energy_difference_ha is None
    assert alone.nmae_percent is None
    # A start that is refused takes the program's own guess; here it needs two tries.
    hard = replace(cheap, max_cycle=15, mixing_beta=5.0)
    molecule = replace(atoms, pbc=(False,) * 3)
    (refused,) = EspressoCode(hard).seeded_only(distorted, {"molecule": molecule})
    assert not refused.seed_used
    assert refused.converged
    assert refused.iterations > 15
    assert "mixing_beta is now 0.3" in (refused.correction or "")
