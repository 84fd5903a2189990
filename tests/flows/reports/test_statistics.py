from __future__ import annotations

import pytest

from scdp_flows.errors import DatasetError
from scdp_flows.reports.statistics import statistics_figure
from scdp_flows.reports.style import to_png
from scdp_flows.schemas.statistics import ElementCount, Spread, StatisticsDoc


def _doc(n_elements: int) -> StatisticsDoc:
    names = [f"E{n}" for n in range(n_elements)]
    return StatisticsDoc(
        statistics_id="s",
        subject="mine",
        n_densities=n_elements,
        n_structures=n_elements,
        elements={name: ElementCount(structures=n + 1, atoms=9) for n, name in enumerate(names)},
        kinds={},
        periodic=0,
        charged=0,
        n_atoms=Spread.from_values([2, 3, 9]) if n_elements else None,
        blob_bytes=0,
    )


def test_the_commonest_elements_are_drawn_and_the_picture_is_one() -> None:
    figure = statistics_figure(_doc(45))
    axes = figure.axes[0]
    assert len(axes.patches) == 40
    assert axes.get_title(loc="left") or axes.get_title()
    assert to_png(figure).startswith(b"\x89PNG")


def test_nothing_is_no_picture() -> None:
    with pytest.raises(DatasetError, match="no density to draw"):
        statistics_figure(_doc(0))


def test_atoms_and_densities_are_counted_in_whole_numbers() -> None:
    doc = _doc(1).model_copy(update={"n_atoms": Spread.from_values([9, 9])})
    _, sizes, *_ = statistics_figure(doc).axes
    ticks = [*sizes.get_xticks(), *sizes.get_yticks()]
    assert all(float(tick).is_integer() for tick in ticks)
