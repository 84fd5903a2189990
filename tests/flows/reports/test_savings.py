"""What each start saves, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import DatasetError
from scdp_flows.reports.savings import savings_figure
from scdp_flows.reports.series import arrange
from scdp_flows.schemas.seeding_benchmark import SeedingBenchmarkDoc

if TYPE_CHECKING:
    from collections.abc import Callable


def _texts(figure: Any) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_bars_tell_what_was_saved(study: Any) -> None:
    doc = SeedingBenchmarkDoc.from_seeds(study.seeds, name="water", code="Test")
    figure = savings_figure(doc, arrange([study.model], (), study.seeds))
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["atomic", "water model", "exact density"]
    assert _texts(figure)[:3] == ["-10 %", "40 %", "80 %"]
    left, right = figure.axes[0].get_xlim()
    assert left < -10 < 80 < right


@pytest.mark.parametrize(
    ("seconds", "title"),
    [(None, "Applications of the Hamiltonian"), (0.2, "Fock work, start included")],
    ids=["counted", "timed"],
)
def test_work_is_named_by_what_is_known(
    make_seed: Callable[..., Any],
    make_start: Callable[..., Any],
    seconds: float | None,
    title: str,
) -> None:
    starts = [make_start("default", 10, fock_cpu_s=seconds), make_start("exact", 2)]
    seeds = [make_seed("first", starts)]
    doc = SeedingBenchmarkDoc.from_seeds(seeds, name="silicon", code="Test")
    figure = savings_figure(doc, arrange((), (), seeds))
    assert figure.axes[1].get_title(loc="left") == title


def test_the_default_start_alone_saves_nothing(
    make_seed: Callable[..., Any], make_start: Callable[..., Any]
) -> None:
    seeds = [make_seed("first", [make_start("default", 10)])]
    doc = SeedingBenchmarkDoc.from_seeds(seeds, name="water", code="Test")
    with pytest.raises(DatasetError, match="nothing was saved"):
        savings_figure(doc, arrange((), (), seeds))
