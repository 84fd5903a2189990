"""Starts from a density."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_flows.dft.base import SpinDensities
from scdp_flows.dft.espresso.atoms import atomic_reference, superposed_waves
from scdp_flows.dft.espresso.seed import check_seedable, run_seeded, seed_files
from scdp_flows.dft.espresso.wave_list import places_of
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from scdp_flows.dft.espresso.files import SeedFiles
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.espresso.structure import Crystal
    from scdp_models.density.orbital import OrbitalDensity


def atoms_of(crystal: Crystal, settings: EspressoSettings) -> OrbitalDensity:
    """Superpose atoms."""
    reference = atomic_reference(settings, [14])
    return reference.superposition(
        crystal.numbers, crystal.positions, crystal.cell, (True, True, True)
    )


@pytest.mark.parametrize("shift", [0, 1], ids=["half the waves", "all waves"])
def test_waves_are_those_of_the_density(
    toy_crystal: Crystal, toy: EspressoSettings, shift: int
) -> None:
    settings = replace(toy, kshift=(shift,) * 3)
    (values,) = (waves := seed_files(toy_crystal, settings, atoms_of(toy_crystal, toy)).waves)[3]
    expected = superposed_waves(toy_crystal, settings, waves.indices)
    np.testing.assert_allclose(values, expected, atol=1e-5)
    assert values[0] * toy_crystal.volume_bohr == pytest.approx(8.0, abs=1e-12)
    opposite = places_of(waves.indices, -waves.indices)
    seen = opposite >= 0
    np.testing.assert_allclose(values[seen], values[opposite[seen]].conj(), atol=1e-12)


def test_two_spins_need_a_spin_density(toy_crystal: Crystal, toy: EspressoSettings) -> None:
    settings, atoms = replace(toy, spin="unrestricted", smearing="mv"), atoms_of(toy_crystal, toy)
    with pytest.raises(CalculationError, match="two spins are not seeded"):
        seed_files(toy_crystal, settings, atoms)
    seed = seed_files(toy_crystal, settings, SpinDensities(atoms, atoms.scaled(0.25)))
    total, magnetization = seed.waves.components
    np.testing.assert_allclose(magnetization, 0.25 * total, atol=1e-10)


def test_augmented_waves_are_refused(toy_crystal: Crystal, toy: EspressoSettings) -> None:
    paw = replace(toy, pseudopotentials={"Si": "Si.paw.UPF"}, sha256={})
    with pytest.raises(CalculationError, match=r"Si\.paw\.UPF.*need the occupancies.*paw\.txt"):
        check_seedable(toy_crystal, paw, with_spin=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": 1.2}, r"holds 9\.6000 electrons, the crystal 8"),
        ({"cell": np.eye(3) * 9}, "predict for the very structure"),
        ({"pbc": (False,) * 3}, "not periodic"),
    ],
    ids=["electrons", "cell", "molecule"],
)
def test_densities_of_something_else_are_refused(
    toy_crystal: Crystal, toy: EspressoSettings, change: dict[str, Any], message: str
) -> None:
    density = atoms_of(toy_crystal, toy).scaled(change.pop("scale", 1.0))
    with pytest.raises(CalculationError, match=message):
        seed_files(toy_crystal, toy, replace(density, **change))


@pytest.mark.requires("espresso")
def test_the_converged_density_ends_in_one_or_two_cycles(
    converged: tuple[Crystal, EspressoSettings, Any],
) -> None:
    crystal, settings, run = converged
    seeded = run_seeded(crystal, settings, lambda: run.final, default=run, diago_thr_init=1e-7)
    assert seeded.fallback_reason is None
    assert seeded.result.output.iterations <= 2 < run.output.iterations
    assert seeded.result.energy_ha == pytest.approx(run.energy_ha, abs=1e-8)


@pytest.mark.requires("espresso")
def test_a_list_in_another_order_is_noticed(
    converged: tuple[Crystal, EspressoSettings, Any],
) -> None:
    crystal, settings, run = converged
    waves = run.final.waves
    reversed_ = waves._replace(indices=waves.indices[::-1], components=[waves.components[0][::-1]])
    seed: SeedFiles = run.final._replace(waves=reversed_)
    seeded = run_seeded(crystal, settings, lambda: seed, default=run)
    assert seeded.result is run
    assert seeded.fallback_reason is not None
    assert "not in the order of pw.x" in seeded.fallback_reason


@pytest.mark.requires("espresso")
def test_a_seed_that_cannot_be_made_is_no_failure(
    converged: tuple[Crystal, EspressoSettings, Any],
) -> None:
    crystal, settings, run = converged

    def make() -> SeedFiles:
        message = "no density"
        raise CalculationError(message)

    seeded = run_seeded(crystal, settings, make, default=run)
    assert (seeded.result, seeded.attempt, seeded.fallback_reason) == (run, None, "no density")


@pytest.mark.requires("espresso")
def test_a_higher_end_is_refused(converged: tuple[Crystal, EspressoSettings, Any]) -> None:
    crystal, settings, run = converged
    energies = tuple(energy - 1e-3 for energy in run.output.energies_ry)
    lower = replace(run, output=replace(run.output, energies_ry=energies))
    seeded = run_seeded(crystal, settings, lambda: run.final, default=lower)
    assert seeded.fallback_reason is not None
    assert "Ha above the unseeded one" in seeded.fallback_reason
    assert seeded.result is lower
