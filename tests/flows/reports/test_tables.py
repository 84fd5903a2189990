from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from scdp_flows.reports.results import Group
from scdp_flows.reports.series import arrange
from scdp_flows.reports.tables import build_rows, cells, terminal_table, used_columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_flows.reports.tables import SummaryRow


@pytest.fixture
def rows(study: Any) -> list[SummaryRow]:
    results = study.results()
    return build_rows(results.groups[0], results.series)


def test_rows_hold_the_means_of_the_documents(rows: list[SummaryRow], study: Any) -> None:
    row = next(row for row in rows if row.key == study.model.model_id)
    assert row.nmae_percent == pytest.approx(0.4)
    assert row.coulomb_error_mha == pytest.approx(0.04)
    assert (row.iterations_mean, row.iterations_min, row.iterations_max) == (6.0, 5, 7)
    assert row.fock_builds_mean == pytest.approx(8.0)
    assert row.cpu_s_mean == pytest.approx(2.0)
    assert row.max_energy_difference_ha == pytest.approx(2e-9, rel=1e-3)
    assert row.nmae_dm0_percent is None


def test_a_start_that_costs_more_than_the_default_is_exposed(rows: list[SummaryRow]) -> None:
    by_key = {row.key: row for row in rows}
    assert by_key["atomic"].slower_percent == 100.0
    assert by_key["atomic"].more_iterations_percent == 100.0
    assert by_key["exact"].slower_percent == 0.0
    assert by_key["default"].slower_percent is None


def test_fallbacks_are_counted(
    make_start: Callable[..., Any], make_seed: Callable[..., Any]
) -> None:
    refused = make_start("predicted", 10, seed_used=False, fallback_reason="no electrons")
    seeds = [make_seed("x", [make_start("default", 10), refused])]
    rows = build_rows(Group("g", (), tuple(seeds)), arrange([], seeds=seeds))
    assert [row.n_fallbacks for row in rows] == [0, 1]


def test_errors_recorded_at_restarts_stand_in_for_an_evaluation(
    make_start: Callable[..., Any], make_seed: Callable[..., Any]
) -> None:
    start = make_start("predicted", 6, nmae_percent=0.0, nmae_dm0_percent=0.0)
    seeds = [make_seed("x", [start])]
    (row,) = build_rows(Group("g", (), tuple(seeds)), arrange([], seeds=seeds))
    assert (row.nmae_percent, row.nmae_dm0_percent) == (0.0, 0.0)
    assert (row.n_evaluated, row.n_restarted) == (0, 1)


def test_cells_are_short_and_unknown_ones_dashes(rows: list[SummaryRow]) -> None:
    columns = used_columns(rows)
    texts = {row.key: cells(row, columns) for row in rows}
    assert texts["default"] == ["–", "–", "10.0 (10–10)", "12.0", "3.00", "–", "–"]
    assert texts["exact"][2] == "2.0 (2–2)"
    assert texts["atomic"][-1] == "0"
    assert "2×10⁻⁹" in texts["a" * 64]


def test_the_terminal_shows_every_row(rows: list[SummaryRow]) -> None:
    out = StringIO()
    Console(file=out, width=160).print(terminal_table(rows, title="Ethanol [bold]"))
    text = out.getvalue()
    assert "Ethanol [bold]" in text  # a title is no markup
    for row in rows:
        assert row.name in text
    assert "NMAE(dm0)" not in text  # nobody measured it
