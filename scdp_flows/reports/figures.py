"""Draw training, errors and restarts from plain documents.

Every function returns a matplotlib figure, to be shown in a notebook or turned into a picture by
`scdp_flows.reports.style`.
"""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.errors import DatasetError
from scdp_flows.reports.series import DEFAULT
from scdp_flows.reports.style import GRID, INK, MUTED, decorate, logarithmic, new_figure, text_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scdp_flows.reports.results import Group
    from scdp_flows.reports.series import Series
    from scdp_flows.schemas.evaluation import ErrorRow
    from scdp_flows.schemas.seeding import StartRecord
    from scdp_flows.schemas.training import ModelDoc

__all__ = ["cost_figure", "error_figure", "scf_figure", "training_figure"]

_WIDTH = 9.2
# More structures than that are drawn without their names.
_NAMED_STRUCTURES = 25
_MOST_DRAWN = 60
# Energies agree only to rounding once a run has converged.
_ENERGY_FLOOR_HA = 1e-12


def training_figure(models: Sequence[ModelDoc], series: Mapping[str, Series]) -> Figure:
    """Draw the losses over the steps of training.

    Parameters
    ----------
    models
        Models with a history.
    series
        Names and colours by model identifier.

    Raises
    ------
    DatasetError
        If no model has a history of at least two rows.
    """
    drawn = [model for model in models if len(model.history) > 1]
    if not drawn:
        raise DatasetError("no model has a training history of two or more rows to draw")
    with new_figure(_WIDTH, 3.5) as figure:
        axes = figure.add_subplot()
        for model in drawn:
            _losses(axes, model, series[model.model_id])
        logarithmic(axes, "y")
        decorate(axes, "Loss during training", x="optimiser step", y=f"loss / {_unit(drawn[0])}")
        axes.legend(loc="upper right")
    return figure


def _losses(axes: Axes, model: ModelDoc, series: Series) -> None:
    for field, label, width, alpha in (
        ("train_loss", "training", 1.2, 0.75),
        ("validation_loss", "validation, averaged weights", 2.2, 1.0),
    ):
        points = [
            (row["step"], row[field])
            for row in model.history
            if row.get("step") is not None and row.get(field) is not None
        ]
        if points:
            steps, losses = zip(*points, strict=True)
            text = f"{series.name}: {label}"
            axes.plot(steps, losses, color=series.colour, lw=width, alpha=alpha, label=text)


def _unit(model: ModelDoc) -> str:
    training = model.config.get("training", model.config)
    grid = isinstance(training, dict) and training.get("loss") == "grid_mae"
    return "(e/Å³)" if grid else "Ha"


def error_figure(group: Group, series: Mapping[str, Series]) -> Figure:
    """Draw the errors of each structure, all predictors beside one another.

    Structures are sorted by the error of the first model; of very many, the worst are left in.

    Raises
    ------
    DatasetError
        If nothing was evaluated.
    """
    rows = {key: {r.density_id: r for r in group.errors(key)} for key in series}
    rows = {key: found for key, found in rows.items() if found}
    if not rows:
        raise DatasetError("no evaluation to draw errors of")
    order = _order(rows, series)
    with new_figure(_WIDTH, 1.5 + 0.24 * max(len(order), 4)) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        for axes, read in ((left, _nmae), (right, _coulomb_mha)):
            _dots(axes, rows, order, read=read, series=series)
        decorate(left, "Density", x="NMAE / %", grid="x")
        decorate(right, "Electrostatics", x="Coulomb error / mHa", grid="x")
        _name_structures(left, [_first(rows, name) for name in order])
        _shared_legend(figure, (left, right), series)
    return figure


def _shared_legend(figure: Figure, grid: Iterable[Axes], series: Mapping[str, Series]) -> None:
    """Name the series once above all panels: one that converges at once is in one panel only."""
    found: dict[str, Artist] = {}
    for axes in grid:
        handles, labels = axes.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    names = [one.name for one in series.values() if one.name in found]
    handles = [found[name] for name in names]
    figure.legend(handles, names, loc="outside upper center", ncols=max(1, len(names)))


def _nmae(row: ErrorRow) -> float | None:
    return row.nmae_percent


def _coulomb_mha(row: ErrorRow) -> float | None:
    return None if row.coulomb_error_ha is None else 1e3 * row.coulomb_error_ha


def _order(rows: Mapping[str, Mapping[str, ErrorRow]], series: Mapping[str, Series]) -> list[str]:
    """Return the structures from small to large error of the first model."""
    models = [key for key in rows if series[key].is_model]
    leading = rows[models[0]] if models else next(iter(rows.values()))
    names = dict.fromkeys(name for found in rows.values() for name in found)
    last = float("inf")
    ranked = sorted(names, key=lambda name: leading[name].nmae_percent if name in leading else last)
    return ranked[-_MOST_DRAWN:]


def _first(rows: Mapping[str, Mapping[str, ErrorRow]], name: str) -> ErrorRow:
    return next(found[name] for found in rows.values() if name in found)


def _dots(
    axes: Axes,
    rows: Mapping[str, Mapping[str, ErrorRow]],
    order: Sequence[str],
    *,
    read: Callable[[ErrorRow], float | None],
    series: Mapping[str, Series],
) -> None:
    values = {
        key: np.array([_or_nan(read(found[name])) if name in found else np.nan for name in order])
        for key, found in rows.items()
    }
    heights = np.arange(len(order))
    table = np.array(list(values.values()))
    known = np.isfinite(table).any(axis=0)
    if not known.any():
        axes.text(0.5, 0.5, "not evaluated", transform=axes.transAxes, ha="center", color=MUTED)
        return
    axes.hlines(
        heights[known],
        np.nanmin(table[:, known], axis=0),
        np.nanmax(table[:, known], axis=0),
        color=GRID,
        lw=1.5,
    )
    for key, found in values.items():
        (marks,) = axes.plot(found, heights, marker=series[key].marker, ls="none", ms=6)
        marks.set(color=series[key].colour, label=series[key].name)
    logarithmic(axes, "x")


def _or_nan(value: float | None) -> float:
    # A logarithmic axis has no place for zero either.
    return float("nan") if value is None or value <= 0 else value


def _name_structures(axes: Axes, rows: Sequence[ErrorRow]) -> None:
    axes.set_ylim(-0.7, len(rows) - 0.3)
    if len(rows) > _NAMED_STRUCTURES:
        axes.set_yticks([])
        axes.set_ylabel(f"{len(rows)} structures, by error")
        return
    axes.set_yticks(range(len(rows)), [f"{row.formula}  {row.density_id[:6]}" for row in rows])
    axes.tick_params(axis="y", length=0)


def scf_figure(group: Group, series: Mapping[str, Series]) -> Figure:
    """Draw how the restarted calculations converge: median and range over the structures.

    Raises
    ------
    DatasetError
        If no restart recorded its course.
    """
    panels: list[tuple[str, str, Callable[[StartRecord], list[float]]]] = [
        ("Energy", "|E − E converged| / Ha", _energy_errors),
        ("Orbital gradient", "norm of the gradient / Ha", lambda r: r.gradient_norms),
    ]
    shown = [p for p in panels if any(p[2](r) for key in series for r in group.starts(key))]
    if not shown:
        raise DatasetError("no restart recorded its energies or gradients per iteration")
    with new_figure(_WIDTH, 3.7) as figure:
        grid = figure.subplots(1, len(shown), squeeze=False)[0]
        for axes, (title, label, read) in zip(grid, shown, strict=True):
            for key, one in series.items():
                _course(axes, [read(record) for record in group.starts(key)], one)
            logarithmic(axes, "y")
            axes.xaxis.get_major_locator().set_params(integer=True)
            decorate(axes, title, x="SCF iteration", y=label)
        _shared_legend(figure, grid, series)
    return figure


def _energy_errors(record: StartRecord) -> list[float]:
    return [max(abs(e - record.energy_ha), _ENERGY_FLOOR_HA) for e in record.energies_ha[:-1]]


def _course(axes: Axes, runs: Sequence[Sequence[float]], series: Series) -> None:
    """Draw the median of what is still running, while that is half of the runs or more."""
    runs = [run for run in runs if run]
    if not runs:
        return
    length = max(map(len, runs))
    table = np.full((len(runs), length), np.nan)
    for row, run in zip(table, runs, strict=True):
        row[: len(run)] = run
    kept = np.count_nonzero(np.isfinite(table), axis=0) >= len(runs) / 2
    table = table[:, kept]
    steps = 1 + np.flatnonzero(kept)
    low, middle, high = np.nanmin(table, axis=0), np.nanmedian(table, axis=0), np.nanmax(table, 0)
    axes.fill_between(steps, low, high, color=series.colour, alpha=0.16, lw=0)
    (line,) = axes.plot(steps, middle, color=series.colour, marker=series.marker, ms=5)
    line.set_label(series.name)


def cost_figure(group: Group, series: Mapping[str, Series]) -> Figure:
    """Draw what each start costs: iterations of every structure, and mean processor time.

    Raises
    ------
    DatasetError
        If nothing was restarted.
    """
    starts = {one: group.starts(key) for key, one in series.items()}
    starts = {one: records for one, records in starts.items() if records}
    if not starts:
        raise DatasetError("no restart to draw the cost of")
    with new_figure(_WIDTH, 1.3 + 0.52 * len(starts)) as figure:
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.5, 1))
        for height, (one, records) in enumerate(starts.items()):
            _iterations(left, height, records, one)
            _processor_time(right, height, records, one)
        decorate(left, "Iterations: one bubble per count", x="SCF iterations", grid="x")
        decorate(right, "Processor time", x="mean CPU time / s", grid="x")
        left.xaxis.get_major_locator().set_params(integer=True)
        left.set_yticks(range(len(starts)), [one.name for one in starts])
        left.set_ylim(len(starts) - 0.45, -0.55)
        left.tick_params(axis="y", length=0)
        _widen(left, right)
    return figure


def _iterations(axes: Axes, height: int, records: Sequence[StartRecord], series: Series) -> None:
    counts = Counter(record.iterations for record in records)
    mean = statistics.fmean(record.iterations for record in records)
    axes.plot([mean, mean], [height - 0.34, height + 0.34], color=INK, lw=2, zorder=1)
    for iterations, count in counts.items():
        size = 110 + 330 * count / len(records)
        axes.scatter(iterations, height, s=size, color=series.colour, zorder=2)
        axes.text(
            iterations, height, str(count), ha="center", va="center_baseline",
            color=text_on(series.colour), fontsize=8.5, fontweight="bold", zorder=3,
        )  # fmt: skip
    right = max(counts)
    text = f"mean {mean:.1f}"
    place = (right, height)
    axes.annotate(text, place, (16, 0), textcoords="offset points", va="center", fontsize=9)


def _processor_time(
    axes: Axes, height: int, records: Sequence[StartRecord], series: Series
) -> None:
    total = statistics.fmean(record.cpu_s for record in records)
    seed = min(statistics.fmean(record.seed_cpu_s for record in records), total)
    axes.barh(height, seed, height=0.5, color=series.colour, alpha=0.45)
    axes.barh(height, total - seed, left=seed, height=0.5, color=series.colour)
    text = f"{total:.2f} s"
    if series.key != DEFAULT and seed > 0:
        text += f"  ({seed:.2f} s start)"
    axes.annotate(
        text, (total, height), (5, 0), textcoords="offset points", va="center", fontsize=9
    )


def _widen(left: Axes, right: Axes) -> None:
    """Leave room for the numbers at the right of the last bubble and bar."""
    low, high = left.get_xlim()
    left.set_xlim(min(low, 0.5), high + 0.16 * (high - low))
    right.set_xlim(0, right.get_xlim()[1] * 1.55)
