"""Predictors are judged by labels, with the superposition of atoms beside them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import DatasetError, KindMismatchError, ModelError
from scdp_flows.jobs import evaluate
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.evaluate import EvaluateMaker, structure_of
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.predictors.atomic import AtomicPredictor
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.schemas.outputs import EvaluationOutput

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.schemas.evaluation import EvaluationDoc


def _evaluate(maker: EvaluateMaker, *given: Any, **named: Any) -> EvaluationOutput:
    output = EvaluateMaker.make.original(maker, *given, **named)  # type: ignore[attr-defined]
    assert isinstance(output, EvaluationOutput)
    return output


def _docs(maker: EvaluateMaker, output: EvaluationOutput) -> list[EvaluationDoc]:
    with maker.open_stores() as stores:
        return [stores.reports.evaluations.get(key) for key in output.evaluation_ids]


@pytest.fixture
def maker(store_path: str) -> EvaluateMaker:
    """Judge in one process."""
    return EvaluateMaker(store_path=store_path, n_processes=1)


@pytest.fixture
def predictor(tiny_checkpoint: Path) -> ScdpPredictor:
    """Give the tiny model, which has learnt nothing."""
    return ScdpPredictor(str(tiny_checkpoint), name="untrained")


def test_the_baseline_is_judged_beside(
    maker: EvaluateMaker, predictor: ScdpPredictor, labels: list[str]
) -> None:
    output = _evaluate(maker, predictor, labels)
    untrained, atomic = _docs(maker, output)
    assert (untrained.predictor, atomic.predictor) == ("untrained", "atomic")
    assert untrained.model_id == predictor.model_id()
    assert [row.formula for row in atomic.rows] == ["H2", "H2", "H2O", "H2O", "CH4", "CO"]
    assert atomic.summary["nmae_percent"].mean < untrained.summary["nmae_percent"].mean
    assert output.summary["atomic"]["nmae_percent"] == atomic.summary["nmae_percent"].mean


def test_the_baseline_misses_just_the_polarisation(
    maker: EvaluateMaker, labels: list[str], gaussian_code: Any
) -> None:
    from scdp_models.density.coulomb import coulomb_matrix

    (atomic,) = _docs(maker, _evaluate(maker, [], labels[2:3]))
    with maker.open_stores() as stores:
        water = structure_of(stores.densities.get(labels[2]))
    fit = gaussian_code.label(water).fit
    missed = (
        0.5
        * fit.difference.coefficients
        @ (coulomb_matrix(fit.difference) @ fit.difference.coefficients)
    )
    assert atomic.rows[0].coulomb_error_ha == pytest.approx(missed)
    assert atomic.rows[0].electron_error_e == pytest.approx(0, abs=1e-9)


def test_a_split_of_a_dataset_is_judged(maker: EvaluateMaker, labels: list[str]) -> None:
    builder = BuildDatasetMaker(
        store_path=maker.store_path, n_processes=1, split=SplitRule(validation=0.0)
    )
    dataset = BuildDatasetMaker.make.original(  # type: ignore[attr-defined]
        builder, labels[:4], test_ids=labels[4:]
    )
    (doc,) = _docs(maker, _evaluate(maker, [], dataset_id="dataset"))
    assert (doc.dataset_id, doc.split) == (dataset.dataset_id, "test")
    assert [row.density_id for row in doc.rows] == labels[4:]
    with pytest.raises(DatasetError, match="no validation structures"):
        _evaluate(maker, [], dataset_id="dataset", split="validation")


def test_what_was_judged_is_not_judged_again(
    maker: EvaluateMaker,
    predictor: ScdpPredictor,
    labels: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = _evaluate(maker, predictor, labels[:2])
    monkeypatch.setattr(evaluate, "judge", None)
    assert _evaluate(maker, predictor, labels[1::-1]) == first


def test_predictions_are_kept_on_request(maker: EvaluateMaker, labels: list[str]) -> None:
    _evaluate(replace(maker, keep_predictions=False), [], labels[:1])
    with maker.open_stores() as stores:
        assert stores.reports.predictions.count() == 0
    _evaluate(maker, [], labels[:2])
    with maker.open_stores() as stores:
        assert stores.reports.predictions.count() == 2


@pytest.mark.slow
def test_several_processes_find_the_same(
    maker: EvaluateMaker, labels: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (alone,) = _docs(maker, _evaluate(maker, [], labels))
    with maker.open_stores() as stores:
        stores.reports.evaluations.remove(alone.evaluation_id)
    monkeypatch.setattr(evaluate, "_PER_PROCESS", 3)
    (together,) = _docs(maker, _evaluate(replace(maker, n_processes=2), [], labels))
    assert [row.nmae_percent for row in together.rows] == pytest.approx(
        [row.nmae_percent for row in alone.rows], rel=1e-6
    )


def test_nothing_to_judge_by_is_an_error(maker: EvaluateMaker) -> None:
    with pytest.raises(DatasetError, match="which labels"):
        _evaluate(maker, [])
    with pytest.raises(DatasetError, match="no labels"):
        _evaluate(maker, [], [])


def test_another_kind_is_not_judged(maker: EvaluateMaker, labels: list[str]) -> None:
    with maker.open_stores() as stores:
        doc = stores.densities.get(labels[0])
    other = AtomicPredictor(reference={}, density_kind={**doc.kind, "functional": "SCAN"})
    with pytest.raises(KindMismatchError, match="functional"):
        _evaluate(maker, other, labels)


def test_a_missing_model_is_named(maker: EvaluateMaker, labels: list[str]) -> None:
    with pytest.raises(ModelError, match="no model 'gone'"):
        _evaluate(maker, ScdpPredictor("gone"), labels)
