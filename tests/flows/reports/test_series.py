from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scdp_flows.reports.series import arrange, evaluation_key, start_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_flows.schemas.seeding import StartRecord
    from scdp_flows.schemas.training import ModelDoc


def test_the_same_way_to_a_density_is_one_series(study: Any) -> None:
    assert evaluation_key(study.evaluations[1]) == start_key(study.seeds[0].starts[2])
    assert list(study.results().series) == ["default", "atomic", study.model.model_id, "exact"]


def test_models_are_called_by_their_names(study: Any) -> None:
    assert study.results().series[study.model.model_id].name == "water model"


def test_models_of_one_name_can_be_told_apart(model: ModelDoc) -> None:
    other = model.updated(model_id="b" * 64)
    series = arrange([model, other])
    assert [one.name for one in series.values()] == [
        "water model (aaaaaaaa)",
        "water model (bbbbbbbb)",
    ]
    assert len({(one.colour, one.marker) for one in series.values()}) == 2


def test_a_model_that_no_store_knows_goes_by_its_label(
    make_start: Callable[..., StartRecord], make_seed: Callable[..., Any]
) -> None:
    record = make_start("shipped checkpoint", 6, predictor="scdp", model_id="c" * 64)
    series = arrange([], seeds=[make_seed("x", [record])])
    assert series["c" * 64].name == "shipped checkpoint"
    assert series["c" * 64].is_model


def test_a_judged_model_that_no_store_knows_goes_by_its_predictor(
    make_evaluation: Callable[..., Any],
) -> None:
    doc = make_evaluation("shipped checkpoint", {"x": 0.4}, model_id="c" * 64)
    assert arrange([], [doc])["c" * 64].name == "shipped checkpoint"
