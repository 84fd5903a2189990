from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scdp_flows.reports.results import Group
from scdp_flows.reports.series import arrange
from scdp_flows.reports.summary import details_table, headline, summary_table, tiles
from scdp_flows.reports.tables import build_rows

if TYPE_CHECKING:
    from collections.abc import Callable


def _rows(study: Any) -> tuple[Any, Any]:
    results = study.results()
    return build_rows(results.groups[0], results.series), results.series


def test_the_headline_states_error_and_iterations(study: Any) -> None:
    text = headline(*_rows(study))
    assert "0.40 %" in text
    assert "10.0 % off" in text
    assert "6.0 iterations instead of 10.0, to the same energy" in text


def test_a_changed_energy_is_not_hidden(study: Any) -> None:
    starts = [
        r.updated(energy_ha=-16.99) if r.start == "predicted" else r for r in study.seeds[0].starts
    ]
    study = study._replace(seeds=[study.seeds[0].updated(starts=starts), *study.seeds[1:]])
    text = headline(*_rows(study))
    assert "same energy" not in text
    assert "up to 0.01 Ha" in text


def test_without_a_model_nothing_is_claimed(study: Any) -> None:
    doc = study.evaluations[0]
    series = arrange([], [doc])
    rows = build_rows(Group("g", (doc,), ()), series)
    assert headline(rows, series).startswith("No model was judged")
    assert tiles(rows, series) == ""


def test_tiles_show_what_was_saved_or_lost(study: Any) -> None:
    rows, series = _rows(study)
    shown = tiles(rows, series)
    assert "10.0 → 6.0" in shown
    assert "<b>33 %</b>" in shown
    assert "time saved" in shown
    dear = [row if row.key != "default" else _cheaper(row) for row in rows]
    assert "time lost" in tiles(dear, series)


def _cheaper(row: Any) -> Any:
    return type(row)(**{**row.to_dict(), "cpu_s_mean": 1.0})


def test_the_table_explains_itself(study: Any) -> None:
    results = study.results()
    table = summary_table(results.groups[0], results.series)
    assert "water model" in table
    assert "integral of |error|" in table
    assert "refused" not in table


def test_refused_starts_are_told(
    make_start: Callable[..., Any], make_seed: Callable[..., Any]
) -> None:
    refused = make_start("predicted", 10, seed_used=False, fallback_reason="negative")
    seeds = [make_seed("x", [make_start("default", 10), refused])]
    table = summary_table(Group("g", (), tuple(seeds)), arrange([], seeds=seeds))
    assert "predicted: 1 of 1" in table


def test_details_hold_one_line_per_structure(study: Any) -> None:
    results = study.results()
    table = details_table(results.groups[0], results.series)
    assert table.count('<th scope="row">') == 3
    assert "<td>0.5</td><td>7</td>" in table


def test_details_stop_somewhere(make_evaluation: Callable[..., Any]) -> None:
    doc = make_evaluation("atomic", {f"{i:08d}": 9.0 for i in range(250)})
    table = details_table(Group("g", (doc,), ()), arrange([], [doc]))
    assert table.count('<th scope="row">') == 200
    assert "50 more are in report.json" in table


def test_names_are_escaped(study: Any) -> None:
    series = arrange([study.model.updated(name="<i>&")], study.evaluations, study.seeds)
    group = study.results().groups[0]
    assert "<i>" not in summary_table(group, series) + details_table(group, series)
    assert "<i>" not in tiles(build_rows(group, series), series)
