from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_flows.errors import DatasetError
from scdp_flows.reports.figures import cost_figure, error_figure, scf_figure, training_figure
from scdp_flows.reports.results import Group
from scdp_flows.reports.series import arrange

if TYPE_CHECKING:
    from collections.abc import Callable

_EMPTY = Group("nothing", (), ())


def _lines(axes: Any) -> dict[str, Any]:
    return {line.get_label(): line for line in axes.lines}


def test_training_shows_both_losses_in_hartree(study: Any) -> None:
    (axes,) = training_figure([study.model], study.results().series).axes
    lines = _lines(axes)
    assert lines["water model: training"].get_ydata()[0] == 0.1
    assert lines["water model: validation, averaged weights"].get_xdata()[-1] == 500
    assert axes.get_ylabel() == "loss / Ha"
    assert axes.get_yscale() == "log"


def test_a_loss_on_the_grid_has_its_own_unit(study: Any) -> None:
    model = study.model.updated(config={"training": {"loss": "grid_mae"}})
    (axes,) = training_figure([model], arrange([model])).axes
    assert axes.get_ylabel() == "loss / (e/Å³)"


def test_diverged_steps_are_left_out(study: Any) -> None:
    rows = [*study.model.history, {"step": 600.0, "train_loss": None}]
    model = study.model.updated(history=rows)
    (axes,) = training_figure([model], arrange([model])).axes
    assert _lines(axes)["water model: training"].get_xdata()[-1] == 500


def test_errors_are_sorted_by_the_first_model(study: Any) -> None:
    results = study.results()
    left, right = error_figure(results.groups[0], results.series).axes
    ours = _lines(left)["water model"].get_xdata()
    assert np.all(np.diff(ours) > 0)
    np.testing.assert_allclose(_lines(right)["water model"].get_xdata(), ours * 0.1)
    np.testing.assert_allclose(_lines(left)["atomic"].get_xdata(), 10.0)
    assert left.get_yticklabels()[0].get_text() == "H2O  first"


def test_very_many_structures_lose_their_names(make_evaluation: Callable[..., Any]) -> None:
    doc = make_evaluation("scdp", {f"{i:04d}": 1.0 + i for i in range(200)}, model_id="a" * 64)
    left, _ = error_figure(Group("g", (doc,), ()), arrange([], [doc])).axes
    assert left.get_yticklabels() == []
    assert np.max(np.asarray(left.lines[0].get_xdata())) == 200.0  # the worst are among those drawn


def test_restarts_are_drawn_until_half_of_them_are_done(
    make_start: Callable[..., Any], make_seed: Callable[..., Any]
) -> None:
    seeds = [make_seed(str(n), [make_start("default", n)]) for n in (4, 6, 10)]
    _, axes = scf_figure(Group("g", (), tuple(seeds)), arrange([], seeds=seeds)).axes
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [1, 2, 3, 4, 5, 6])


def test_energies_are_drawn_against_the_converged_one(study: Any) -> None:
    results = study.results()
    energy, gradient = scf_figure(results.groups[0], results.series).axes
    first = study.seeds[0].starts[0]
    line = _lines(energy)["default guess"].get_ydata()
    assert line[0] == pytest.approx(first.energies_ha[0] - first.energy_ha)
    np.testing.assert_allclose(
        _lines(gradient)["default guess"].get_ydata(), first.gradient_norms, rtol=1e-12
    )


def test_a_start_that_converges_at_once_is_in_the_legend(
    make_start: Callable[..., Any], make_seed: Callable[..., Any]
) -> None:
    seeds = [make_seed("x", [make_start("default", 6), make_start("exact", 1)])]
    figure = scf_figure(Group("g", (), tuple(seeds)), arrange([], seeds=seeds))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["default guess", "exact density"]


def test_costs_count_structures_and_show_means(study: Any) -> None:
    results = study.results()
    left, right = cost_figure(results.groups[0], results.series).axes
    texts = [text.get_text() for text in left.texts]
    assert texts.count("1") == 3  # 5, 6 and 7 iterations, one structure each
    assert "mean 6.0" in texts
    assert "2.00 s  (0.50 s start)" in [text.get_text() for text in right.texts]


@pytest.mark.parametrize("draw", [error_figure, scf_figure, cost_figure])
def test_nothing_cannot_be_drawn(draw: Callable[..., Any], study: Any) -> None:
    with pytest.raises(DatasetError):
        draw(_EMPTY, study.results().series)


def test_training_without_history_cannot_be_drawn(study: Any) -> None:
    with pytest.raises(DatasetError, match="history"):
        training_figure([study.model.updated(history=[])], study.results().series)


def test_a_missing_coulomb_error_leaves_its_panel_empty(study: Any) -> None:
    rows = [row.updated(coulomb_error_ha=None) for row in study.evaluations[0].rows]
    doc = study.evaluations[0].updated(rows=rows)
    _, right = error_figure(Group("g", (doc,), ()), arrange([], [doc])).axes
    assert [text.get_text() for text in right.texts] == ["not evaluated"]
