"""Draw what each start saves, with all costs counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scdp_flows.errors import DatasetError
from scdp_flows.reports.series import DEFAULT, start_key
from scdp_flows.reports.style import INK, MUTED, decorate, new_figure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scdp_flows.reports.series import Series
    from scdp_flows.schemas.seeding_benchmark import SeedingBenchmarkDoc, StartSummary

__all__ = ["savings_figure"]

_WIDTH = 9.2


def savings_figure(doc: SeedingBenchmarkDoc, series: Mapping[str, Series]) -> Figure:
    """Draw the saved share of iterations, Fock work and processor time of each start.

    Parameters
    ----------
    doc
        The sums of a benchmark.
    series
        Names and colours by key; see :func:`scdp_flows.reports.series.arrange`.

    Raises
    ------
    DatasetError
        If nothing but the default start was run.
    """
    rows = [(series[start_key(s)], s) for s in doc.starts if s.start != DEFAULT]
    if not rows:
        raise DatasetError("no start but the default one, so nothing was saved")
    rows.sort(key=lambda row: list(series).index(row[0].key))
    with new_figure(_WIDTH, 1.3 + 0.42 * len(rows)) as figure:
        grid = figure.subplots(1, 3, sharey=True, sharex=True)
        for axes, (title, read) in zip(grid, _panels(doc).items(), strict=True):
            for height, (one, summary) in enumerate(rows):
                _bar(axes, height, read(summary), one)
            axes.axvline(0.0, color=INK, lw=1)
            decorate(axes, title, x="saved / %", grid="x")
        left, right = grid[0].get_xlim()
        # Room for the numbers at the ends of the bars.
        right = max(right * 1.3, 5.0)
        grid[0].set_xlim(left - 0.25 * (right - left) if left < 0 else 0.0, right)
        grid[0].set_yticks(range(len(rows)), [one.name for one, _ in rows])
        grid[0].set_ylim(len(rows) - 0.45, -0.55)
        for axes in grid:
            axes.tick_params(axis="y", length=0)
    return figure


def _panels(doc: SeedingBenchmarkDoc) -> dict[str, Callable[[StartSummary], float]]:
    """Return title → what is drawn; builds are counted where the time of one is not known."""
    panels: dict[str, Callable[[StartSummary], float]] = {
        "SCF iterations": lambda s: s.iterations_saved_percent
    }
    if all(s.fock_work_saved_percent is None for s in doc.starts):
        panels["Applications of the Hamiltonian"] = lambda s: s.fock_builds_saved_percent
    else:
        panels["Fock work, start included"] = _work
    panels["Processor time, all included"] = lambda s: s.cpu_saved_percent
    return panels


def _work(summary: StartSummary) -> float:
    known = summary.fock_work_saved_percent
    return summary.fock_builds_saved_percent if known is None else known


def _bar(axes: Axes, height: int, saved: float, series: Series) -> None:
    axes.barh(height, saved, height=0.55, color=series.colour)
    side = 4 if saved >= 0 else -4
    axes.annotate(
        f"{saved:.0f} %",
        (saved, height),
        (side, 0),
        textcoords="offset points",
        ha="left" if saved >= 0 else "right",
        va="center",
        fontsize=9,
        color=INK if abs(saved) >= 0.5 else MUTED,
    )
