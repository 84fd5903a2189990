from __future__ import annotations

import pytest
from pydantic import ValidationError

from scdp_flows.schemas.relaxation import RelaxationDoc, RelaxationStep


def _step(iterations: int) -> RelaxationStep:
    return RelaxationStep(
        start="corrected",
        seed_used=True,
        iterations=iterations,
        fock_builds=iterations + 3,
        energy_ev=-470.0,
        cpu_s=1.0,
        wall_s=2.0,
    )


def _doc(*steps: RelaxationStep) -> RelaxationDoc:
    return RelaxationDoc(
        relaxation_id=RelaxationDoc.make_id("s", "t", None),
        structure_hash="s",
        formula="H2O",
        settings_hash="t",
        kind_key="k",
        policy="auto",
        converged=True,
        steps=list(steps),
    )


def test_the_mean_counts_every_geometry() -> None:
    assert _doc(_step(6), _step(3)).mean_iterations == pytest.approx(4.5)


def test_a_document_survives_json() -> None:
    doc = _doc(_step(6))
    assert RelaxationDoc.model_validate(doc.to_dict()) == doc


def test_a_relaxation_without_geometries_is_refused() -> None:
    with pytest.raises(ValidationError, match="steps"):
        _doc()


def test_another_model_makes_another_relaxation() -> None:
    assert RelaxationDoc.make_id("s", "t", "a") != RelaxationDoc.make_id("s", "t", None)
