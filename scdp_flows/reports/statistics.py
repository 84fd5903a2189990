"""Draw what a set of densities consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scdp_flows.errors import DatasetError
from scdp_flows.reports.style import decorate, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from scdp_flows.schemas.statistics import Spread, StatisticsDoc

__all__ = ["statistics_figure"]

_COLOUR = "#2a6f97"
# More elements than that are drawn without the rarest.
_MOST_ELEMENTS = 40
_FEWEST_PLACES = 12


def statistics_figure(doc: StatisticsDoc) -> Figure:
    """Draw elements, sizes, electrons and grid spacings.

    Parameters
    ----------
    doc
        The statistics.

    Raises
    ------
    DatasetError
        If there is no density.
    """
    if not doc.n_densities:
        raise DatasetError(f"{doc.subject}: no density to draw statistics of")
    with new_figure(9.2, 5.2) as figure:
        panels = figure.subplot_mosaic([["elements"] * 3, ["atoms", "electrons", "spacing"]])
        _elements(panels["elements"], doc)
        _spread(panels["atoms"], doc.n_atoms, "Size", "atoms")
        _count_in_whole_numbers(panels["atoms"].xaxis)
        _spread(panels["electrons"], doc.n_electrons, "Electrons", "electrons / e")
        _spread(panels["spacing"], doc.spacing, "Grid", "largest spacing / Å")
    return figure


def _elements(axes: Axes, doc: StatisticsDoc) -> None:
    counts = sorted(doc.elements.items(), key=lambda item: (-item[1].structures, item[0]))
    shown = counts[:_MOST_ELEMENTS]
    axes.bar([name for name, _ in shown], [c.structures for _, c in shown], color=_COLOUR)
    title = f"{doc.subject}: {doc.n_densities} densities of {doc.n_structures} structures"
    if len(counts) > len(shown):
        title += f" ({len(counts) - len(shown)} rare elements are left out)"
    # A few elements do not need the whole width.
    axes.set_xlim(-0.6, max(len(shown), _FEWEST_PLACES) - 0.4)
    decorate(axes, title, y="structures with it", grid="y")
    _count_in_whole_numbers(axes.yaxis)


def _spread(axes: Axes, spread: Spread | None, title: str, label: str) -> None:
    if spread is None:
        decorate(axes, title, x=f"{label}: unknown", grid="y")
        return
    axes.stairs(spread.counts, spread.edges, fill=True, color=_COLOUR)
    decorate(axes, title, x=label, y="densities", grid="y")
    _count_in_whole_numbers(axes.yaxis)


def _count_in_whole_numbers(axis: Axis) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
