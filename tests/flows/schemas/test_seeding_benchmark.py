from __future__ import annotations

from typing import Any

import pytest

from scdp_flows.schemas.seeding import SeedDoc, StartRecord
from scdp_flows.schemas.seeding_benchmark import SeedingBenchmarkDoc, fock_work


def _start(label: str, iterations: int, **changes: Any) -> StartRecord:
    values = {
        "start": label,
        "seed_used": label != "default",
        "converged": True,
        "iterations": iterations,
        "fock_builds": iterations + 2 + (label != "default"),
        "energy_ha": -17.0,
        "energy_ev": -462.6,
        "cpu_s": 0.1 * iterations,
        "wall_s": 0.2 * iterations,
        "fock_cpu_s": 0.1,
    }
    if label != "default":
        values |= {"nmae_dm0_percent": 0.1, "seed_cpu_s": 0.05}
    return StartRecord.model_validate(values | changes)


def _seed(structure: str, *starts: StartRecord, settings: str = "t") -> SeedDoc:
    return SeedDoc.from_starts(
        list(starts), structure_hash=structure, settings_hash=settings, formula="H2O", kind_key="k"
    )


@pytest.fixture
def seeds() -> list[SeedDoc]:
    """Give one structure that gains and one that loses."""
    return [
        _seed("a", _start("default", 10), _start("scdp", 6, energy_ha=-17.0 + 2e-8)),
        _seed("b", _start("default", 10), _start("scdp", 12, moment=1.5)),
    ]


def test_savings_are_those_of_the_sums(seeds: list[SeedDoc]) -> None:
    doc = SeedingBenchmarkDoc.from_seeds(seeds, name="water", code="Test")
    scdp = doc.start("scdp")
    assert scdp is not None
    assert scdp.iterations_mean == 9
    assert scdp.iterations_saved_percent == pytest.approx(10)
    assert scdp.more_iterations_percent == scdp.slower_percent == 50
    assert scdp.max_energy_difference_ha == pytest.approx(2e-8, rel=1e-6)
    assert scdp.max_moment_difference is None
    assert (scdp.n_structures, scdp.n_seeds_used, scdp.n_unconverged) == (2, 2, 0)
    assert doc.start("exact") is None


def test_fock_work_counts_a_seed_by_its_time(seeds: list[SeedDoc]) -> None:
    record = seeds[0].starts[1]
    assert record.fock_builds == 9
    assert fock_work(record, 0.1) == pytest.approx(8.5)
    doc = SeedingBenchmarkDoc.from_seeds(seeds[:1], name="water", code="Test")
    summary = doc.start("scdp")
    assert summary is not None
    assert summary.fock_work_saved_percent == pytest.approx(100 * (1 - 8.5 / 12))


def test_runs_without_a_default_count_nowhere(seeds: list[SeedDoc]) -> None:
    alone = _seed("c", _start("scdp", 3))
    doc = SeedingBenchmarkDoc.from_seeds([*seeds, alone], name="water", code="Test")
    assert [summary.n_structures for summary in doc.starts] == [2, 2]
    assert len(doc.seed_ids) == 3
    with pytest.raises(ValueError, match="no comparison has a default start"):
        SeedingBenchmarkDoc.from_seeds([alone], name="water", code="Test")


def test_other_settings_are_not_mixed_in(seeds: list[SeedDoc]) -> None:
    other = _seed("a", _start("default", 8), settings="u")
    with pytest.raises(ValueError, match="2 different settings"):
        SeedingBenchmarkDoc.from_seeds([*seeds, other], name="water", code="Test")
