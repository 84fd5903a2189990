from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from scdp_flows.schemas.prediction import PredictionDoc

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_identifier_names_structure_and_model() -> None:
    ids = {
        PredictionDoc.make_id("s", "scdp", "m"),
        PredictionDoc.make_id("s", "scdp", "n"),
        PredictionDoc.make_id("t", "scdp", "m"),
        PredictionDoc.make_id("s", "atomic", None),
    }
    assert len(ids) == 4


def test_built_from_a_structure(example: Callable[[str], dict[str, Any]]) -> None:
    stored = example("prediction")
    fields = {k: v for k, v in stored.items() if k not in {"prediction_id", "structure_hash"}}
    doc = PredictionDoc.from_structure(stored["structure_hash"], **fields)
    assert stored.items() <= doc.to_dict().items()


def test_the_blob_is_compulsory() -> None:
    with pytest.raises(ValidationError, match="blob"):
        PredictionDoc.from_structure("s", predictor="atomic", model_id=None)
