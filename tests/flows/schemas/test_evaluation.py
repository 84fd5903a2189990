from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from scdp_flows.schemas.evaluation import ErrorRow, EvaluationDoc


def _row(name: str, **changes: Any) -> ErrorRow:
    values = {
        "density_id": name,
        "formula": "H2",
        "nmae_percent": 1.0,
        "coulomb_error_ha": 1e-3,
        "electron_error_e": 0.0,
        "max_error_e_per_ang3": 0.1,
        "seconds": 0.1,
    }
    return ErrorRow.model_validate(values | changes)


def test_the_summary_has_mean_median_and_maximum() -> None:
    rows = [_row("a", nmae_percent=1.0), _row("b", nmae_percent=2.0), _row("c", nmae_percent=6.0)]
    summary = EvaluationDoc.from_rows(rows, predictor="scdp").summary["nmae_percent"]
    assert (summary.mean, summary.median, summary.max) == (3.0, 2.0, 6.0)


def test_electrons_lost_and_gained_do_not_cancel() -> None:
    rows = [_row("a", electron_error_e=-0.1), _row("b", electron_error_e=0.1)]
    summary = EvaluationDoc.from_rows(rows, predictor="scdp").summary["electron_error_e"]
    assert summary.mean == pytest.approx(0.1)


def test_a_metric_is_summarised_over_the_rows_that_have_it() -> None:
    rows = [_row("a"), _row("b", nmae_dm0_percent=0.5)]
    summary = EvaluationDoc.from_rows(rows, predictor="scdp").summary
    assert summary["nmae_dm0_percent"].count == 1
    assert "dipole_error_e_ang" not in summary


def test_the_identifier_depends_on_what_was_evaluated() -> None:
    a, b = _row("a"), _row("b")
    same = [EvaluationDoc.from_rows(rows, predictor="scdp") for rows in ([a, b], [b, a])]
    assert same[0].evaluation_id == same[1].evaluation_id
    other = EvaluationDoc.from_rows([a, b], predictor="atomic")
    assert other.evaluation_id != same[0].evaluation_id


def test_nothing_cannot_be_evaluated() -> None:
    with pytest.raises(ValidationError, match="rows"):
        EvaluationDoc.from_rows([], predictor="scdp")
