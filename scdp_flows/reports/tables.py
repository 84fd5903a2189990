"""Build the rows of the summary table, for the page, the JSON file and the terminal."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from scdp_flows.reports.series import DEFAULT
from scdp_flows.reports.style import decimal_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.table import Table

    from scdp_flows.reports.results import Group
    from scdp_flows.reports.series import Series

__all__ = [
    "COLUMNS",
    "Column",
    "SummaryRow",
    "build_rows",
    "cells",
    "terminal_table",
    "used_columns",
]

_MILLI = 1e3


@dataclass(frozen=True)
class SummaryRow:
    """Summarise one series on one set of structures; None where nothing is known.

    Means go over the structures that have the number. Errors are those of the evaluation where
    there is one, else those recorded at the restarts.
    """

    key: str
    """Key of the series."""
    name: str
    """Name of the series."""
    n_evaluated: int
    """Structures whose prediction was evaluated."""
    n_restarted: int
    """Structures whose calculation was restarted."""
    nmae_percent: float | None
    """Mean NMAE of the density in %."""
    coulomb_error_mha: float | None
    """Mean Coulomb self-energy of the error in mHa."""
    nmae_dm0_percent: float | None
    """Mean NMAE after one diagonalisation in %."""
    iterations_mean: float | None
    """Mean number of SCF iterations."""
    iterations_min: int | None
    """Fewest SCF iterations."""
    iterations_max: int | None
    """Most SCF iterations."""
    fock_builds_mean: float | None
    """Mean number of Fock builds, that of the seed included."""
    cpu_s_mean: float | None
    """Mean processor time in s, prediction and seed included."""
    more_iterations_percent: float | None
    """Share of the structures that took more iterations than from the default start, in %."""
    slower_percent: float | None
    """Share of the structures that took more processor time than from the default start, in %."""
    max_energy_difference_ha: float | None
    """Largest deviation of the converged energy from that of the default start, in Ha."""
    n_fallbacks: int
    """Restarts in which the code's own guess was used after all."""

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class Column:
    """Say how one column of the table is headed and filled."""

    field: str
    """Field of the row that must be known for the cell to be filled."""
    heading: str
    """Heading with unit."""
    meaning: str
    """One line for readers who do not know the quantity."""
    form: str
    """How the fields of a row are written, as a format string."""


COLUMNS = (
    Column(
        "nmae_percent",
        "NMAE / %",
        "Normalised mean absolute error of the density: integral of |error| over the number of "
        "electrons. Lower is better.",
        "{nmae_percent:.3g}",
    ),
    Column(
        "coulomb_error_mha",
        "Coulomb error / mHa",
        "Electrostatic self-energy of the error, (d|d)/2. It decides how many iterations a start "
        "saves. Lower is better.",
        "{coulomb_error_mha:.3g}",
    ),
    Column(
        "nmae_dm0_percent",
        "NMAE(dm0) / %",
        "NMAE left after the code has diagonalised once in the potential of the start.",
        "{nmae_dm0_percent:.3g}",
    ),
    Column(
        "iterations_mean",
        "SCF iterations",
        "Mean number until convergence (fewest–most). Lower is better.",
        "{iterations_mean:.1f} ({iterations_min}–{iterations_max})",
    ),
    Column(
        "fock_builds_mean",
        "Fock builds",
        "Mean number of Fock matrices, that of the start included.",
        "{fock_builds_mean:.1f}",
    ),
    Column(
        "cpu_s_mean",
        "CPU / s",
        "Mean processor time, prediction and preparation of the start included.",
        "{cpu_s_mean:.2f}",
    ),
    Column(
        "slower_percent",
        "slower / %",
        "Share of the structures that took more processor time than from the default guess.",
        "{slower_percent:.0f}",
    ),
    Column(
        "max_energy_difference_ha",
        "max\N{NO-BREAK SPACE}|ΔE| / Ha",
        "Largest deviation of the converged energy from that of the default guess; a start must "
        "never change the answer.",
        "{max_energy_difference_ha:.0e}",
    ),
)


def build_rows(group: Group, series: Mapping[str, Series]) -> list[SummaryRow]:
    """Summarise each series that the group has results of, in the order of the series."""
    rows = [_row(group, one) for one in series.values()]
    return [row for row in rows if row.n_evaluated or row.n_restarted]


def cells(row: SummaryRow, columns: Sequence[Column] = COLUMNS) -> list[str]:
    """Return the text of each cell of a row; a dash where nothing is known."""
    values = row.to_dict()
    return [
        "–" if values[column.field] is None else _pretty(column.form.format(**values))
        for column in columns
    ]


def terminal_table(rows: Sequence[SummaryRow], *, title: str) -> Table:
    """Return the summary as a table for the terminal.

    Columns that no row fills are left out.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", caption_justify="left")
    columns = used_columns(rows)
    table.add_column("start or predictor", no_wrap=True)
    for column in columns:
        # The unit on a line of its own keeps the table narrow.
        table.add_column(column.heading.replace(" / ", "\n/ "), justify="right")
    for row in rows:
        table.add_row(Text(row.name), *cells(row, columns))
    return table


def used_columns(rows: Sequence[SummaryRow]) -> list[Column]:
    """Return the columns that at least one row fills."""
    return [c for c in COLUMNS if any(getattr(row, c.field) is not None for row in rows)]


def _pretty(text: str) -> str:
    """Write a power of ten as such."""
    return decimal_label(float(text)) if "e" in text else text


def _row(group: Group, series: Series) -> SummaryRow:
    errors, starts, pairs = (
        group.errors(series.key),
        group.starts(series.key),
        group.pairs(series.key),
    )
    judged = errors or starts
    coulomb = _mean(r.coulomb_error_ha for r in judged)
    iterations = [r.iterations for r in starts]
    compared = [] if series.key == DEFAULT else pairs
    return SummaryRow(
        key=series.key,
        name=series.name,
        n_evaluated=len(errors),
        n_restarted=len(starts),
        nmae_percent=_mean(r.nmae_percent for r in judged),
        coulomb_error_mha=None if coulomb is None else _MILLI * coulomb,
        nmae_dm0_percent=_mean(r.nmae_dm0_percent for r in errors)
        or _mean(r.nmae_dm0_percent for r in starts),
        iterations_mean=_mean(iterations),
        iterations_min=min(iterations, default=None),
        iterations_max=max(iterations, default=None),
        fock_builds_mean=_mean(r.fock_builds for r in starts),
        cpu_s_mean=_mean(r.cpu_s for r in starts),
        more_iterations_percent=_share(a.iterations > b.iterations for a, b in compared),
        slower_percent=_share(a.cpu_s > b.cpu_s for a, b in compared),
        max_energy_difference_ha=max(
            (abs(a.energy_ha - b.energy_ha) for a, b in compared), default=None
        ),
        n_fallbacks=sum(not r.seed_used for r in starts if r.start != DEFAULT),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def _share(flags: Iterable[bool]) -> float | None:
    known = list(flags)
    return 100 * sum(known) / len(known) if known else None
