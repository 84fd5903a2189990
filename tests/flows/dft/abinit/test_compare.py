"""Starts of one crystal, compared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.dft.abinit import AbinitCode
from scdp_flows.dft.abinit.compare import seeded_comparison
from scdp_flows.dft.abinit.seed import AbinitCalculation

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_models.density.atomic import AtomicReference


@pytest.mark.requires("abinit")
def test_starts_in_order_with_their_errors(
    distorted: Structure, cheap: AbinitSettings, gaussian_atom: AtomicReference
) -> None:
    atoms = gaussian_atom.superposition(
        [14, 14], distorted.cart_coords, distorted.lattice.matrix, (True, True, True)
    )
    default, atomic, molecule, exact = seeded_comparison(
        distorted, cheap, {"atomic": atoms, "molecule": replace(atoms, pbc=(False,) * 3)}
    )
    assert [s.start for s in (default, atomic, molecule, exact)] == [
        "default", "atomic", "molecule", "exact",
    ]  # fmt: skip
    assert atomic.seed_used, atomic.fallback_reason
    assert 2 < (atomic.nmae_percent or 0) < 60
    assert exact.nmae_percent == pytest.approx(0.0, abs=1e-10)
    assert exact.iterations == 1
    assert exact.energy_difference_ha == pytest.approx(0.0, abs=1e-8)
    assert not molecule.seed_used
    assert "not periodic" in (molecule.fallback_reason or "")
    assert default.fock_builds > default.iterations


@pytest.mark.requires("abinit")
def test_daily_work_computes_nothing_beside_the_starts(
    distorted: Structure,
    cheap: AbinitSettings,
    gaussian_atom: AtomicReference,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    atoms = gaussian_atom.superposition(
        [14, 14], distorted.cart_coords, distorted.lattice.matrix, (True, True, True)
    )
    seeds: list[bool] = []

    def counted(self: AbinitCalculation, seed: Any = None) -> Any:
        seeds.append(seed is not None)
        return run(self, seed)

    run = AbinitCalculation.run
    monkeypatch.setattr(AbinitCalculation, "run", counted)
    (alone,) = AbinitCode(cheap).seeded_only(distorted, {"atomic": atoms})
    assert seeds == [True]
    assert (alone.start, alone.seed_used, alone.energy_difference_ha) == ("atomic", True, None)
