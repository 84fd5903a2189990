from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from scdp_flows.schemas.seeding import SeedDoc, StartRecord


def _start(label: str, **changes: Any) -> StartRecord:
    values = {
        "start": label,
        "seed_used": label != "default",
        "converged": True,
        "iterations": 10,
        "fock_builds": 11,
        "energy_ha": -17.0,
        "energy_ev": -462.6,
        "cpu_s": 1.0,
        "wall_s": 1.0,
    }
    return StartRecord.model_validate(values | changes)


def _doc(*starts: StartRecord) -> SeedDoc:
    return SeedDoc.from_starts(
        list(starts), structure_hash="s", settings_hash="t", formula="H2O", kind_key="k"
    )


def test_energies_are_compared_with_the_default_start() -> None:
    doc = _doc(_start("predicted", energy_ha=-17.0 + 1e-8), _start("default"))
    predicted = doc.start("predicted")
    assert predicted is not None
    assert predicted.energy_difference_ha == pytest.approx(1e-8, rel=1e-6)


def test_without_a_default_there_is_no_difference() -> None:
    doc = _doc(_start("exact"))
    assert doc.starts[0].energy_difference_ha is None
    assert doc.start("default") is None


def test_a_dropped_seed_must_be_explained() -> None:
    with pytest.raises(ValidationError, match="fallback_reason"):
        _start("predicted", seed_used=False)
    assert not _start("predicted", seed_used=False, fallback_reason="too far").seed_used


def test_starts_have_labels_of_their_own() -> None:
    with pytest.raises(ValidationError, match="not distinct"):
        _doc(_start("predicted"), _start("predicted"))


def test_another_model_is_another_comparison() -> None:
    first, second = (_doc(_start("predicted", model_id=model)) for model in "ab")
    assert first.seed_id != second.seed_id
