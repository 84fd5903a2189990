"""Put the numbers of a report into words, tiles and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scdp_flows.reports.html import Markup, element, fragment, table
from scdp_flows.reports.series import ATOMIC, DEFAULT, evaluation_key, start_key
from scdp_flows.reports.style import decimal_label
from scdp_flows.reports.tables import build_rows, cells, used_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scdp_flows.reports.results import Group
    from scdp_flows.reports.series import Series
    from scdp_flows.reports.tables import SummaryRow

__all__ = ["details_table", "headline", "summary_table", "tiles"]

_MOST_ROWS = 200
# Converged energies that differ by more than this are not the same answer.
_SAME_ENERGY_HA = 1e-6
# A unit stays with its quantity when a heading is broken.
_UNIT = "\N{NO-BREAK SPACE}/\N{NO-BREAK SPACE}"


def headline(rows: Sequence[SummaryRow], series: Mapping[str, Series]) -> str:
    """Say in a sentence or two what the first model achieved."""
    found = {row.key: row for row in rows}
    model = next((row for row in rows if series[row.key].is_model), None)
    if model is None:
        return "No model was judged here; the numbers below are those of the baselines."
    parts = []
    if model.nmae_percent is not None:
        text = f"The model “{model.name}” predicts densities with a mean error of "
        text += f"{_percent(model.nmae_percent)} %"
        atomic = found.get(ATOMIC)
        if atomic is not None and atomic.nmae_percent is not None:
            text += f", where superposed atoms are {_percent(atomic.nmae_percent)} % off"
        parts.append(text + ".")
    default = found.get(DEFAULT)
    if model.iterations_mean is not None and default is not None and default.iterations_mean:
        parts.append(
            f"Started from them, the DFT code converges in {model.iterations_mean:.1f} iterations "
            f"instead of {default.iterations_mean:.1f}, to the same energy."
            if (model.max_energy_difference_ha or 0) < _SAME_ENERGY_HA
            else f"Started from them, the DFT code takes {model.iterations_mean:.1f} iterations "
            f"instead of {default.iterations_mean:.1f}, but the energies differ by up to "
            f"{_power(model.max_energy_difference_ha)} Ha: look into this before using it."
        )
    return " ".join(parts) or f"The model “{model.name}” was not judged."


def tiles(rows: Sequence[SummaryRow], series: Mapping[str, Series]) -> Markup:
    """Return the main numbers of the first model in large type."""
    found = {row.key: row for row in rows}
    model = next((row for row in rows if series[row.key].is_model), None)
    default = found.get(DEFAULT)
    shown: list[tuple[str, str]] = []
    if model is not None and model.nmae_percent is not None:
        counted = f"error of the density (NMAE), mean of {model.n_evaluated} unseen structures"
        shown.append((f"{_percent(model.nmae_percent)} %", counted))
    if model is not None and default is not None:
        shown += _savings(model, default)
    return element("div", *(_tile(*one) for one in shown), class_="tiles") if shown else Markup()


def _savings(model: SummaryRow, default: SummaryRow) -> list[tuple[str, str]]:
    shown = []
    if model.iterations_mean is not None and default.iterations_mean:
        numbers = f"{default.iterations_mean:.1f} → {model.iterations_mean:.1f}"
        shown.append((numbers, "SCF iterations, default guess → predicted density"))
    if model.cpu_s_mean is not None and default.cpu_s_mean:
        saved = 100 * (1 - model.cpu_s_mean / default.cpu_s_mean)
        word = "saved" if saved >= 0 else "lost"
        text = f"of the processor time {word}, the prediction paid for"
        shown.append((f"{abs(saved):.0f} %", text))
    if model.max_energy_difference_ha is not None:
        number = f"{_power(model.max_energy_difference_ha)} Ha"
        shown.append((number, "largest change of a converged energy"))
    return shown


def _percent(value: float) -> str:
    return f"{value:.2f}" if value < 1 else f"{value:.1f}"


def _power(value: float | None) -> str:
    return decimal_label(float(f"{value or 0.0:.0e}"))


def _tile(number: str, text: str) -> Markup:
    return element("div", element("b", number), element("span", text), class_="tile")


def summary_table(group: Group, series: Mapping[str, Series]) -> Markup:
    """Return the summary of one set of structures, with the meaning of its columns."""
    rows = build_rows(group, series)
    columns = used_columns(rows)
    body = [[_swatch(series[row.key]), *cells(row, columns)] for row in rows]
    shown = table(
        ["", *(column.heading.replace(" / ", _UNIT) for column in columns)],
        body,
        meanings=["", *(column.meaning for column in columns)],
    )
    terms = [part for c in columns for part in (element("dt", c.heading), element("dd", c.meaning))]
    legend = element("details", element("summary", "What the columns mean"), element("dl", *terms))
    return fragment(shown, _fallbacks(rows), legend)


def _swatch(series: Series) -> Markup:
    # The colour comes from this package's own palette, not from a document.
    dot = element("span", class_="swatch", style=f"background:{series.colour}")
    return fragment(dot, series.name)


def _fallbacks(rows: Sequence[SummaryRow]) -> Markup:
    fallen = [
        f"{row.name}: {row.n_fallbacks} of {row.n_restarted}" for row in rows if row.n_fallbacks
    ]
    if not fallen:
        return Markup()
    text = "Starts that were refused, so that the default guess was used after all: "
    return element("p", text + "; ".join(fallen) + ".", class_="note")


def details_table(group: Group, series: Mapping[str, Series]) -> Markup:
    """Return the numbers of each structure, folded away; of very many, the first ones."""
    known = _by_structure(group)
    used = dict.fromkeys(
        (key, what)
        for key in series
        for what in ("NMAE / %", "iterations")
        if any((key, what) in found for found in known.values())
    )
    headings = ["structure", *(f"{series[key].name}: {what}" for key, what in used)]
    rows = [
        [name, *(found.get(column, "–") for column in used)]
        for name, found in list(known.items())[:_MOST_ROWS]
    ]
    left_out = len(known) - len(rows)
    more = f" ({left_out} more are in report.json)" if left_out else ""
    title = element("summary", f"Numbers of each structure{more}")
    return element("details", title, table(headings, rows))


def _by_structure(group: Group) -> dict[str, dict[tuple[str, str], str]]:
    """Return the texts of all cells by structure, and there by series and quantity."""
    known: dict[str, dict[tuple[str, str], str]] = {}
    for evaluation in group.evaluations:
        key = evaluation_key(evaluation)
        for row in evaluation.rows:
            found = known.setdefault(f"{row.formula} {row.density_id[:8]}", {})
            found[key, "NMAE / %"] = f"{row.nmae_percent:.3g}"
    for doc in group.seeds:
        name = f"{doc.formula} {(doc.density_id or doc.structure_hash)[:8]}"
        found = known.setdefault(name, {})
        for record in doc.starts:
            found[start_key(record), "iterations"] = str(record.iterations)
    return known
