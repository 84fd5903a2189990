"""Report what each start saves: tables, pictures, one page, one file of numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scdp_flows.reports.build import write_files
from scdp_flows.reports.figures import cost_figure, scf_figure
from scdp_flows.reports.html import Markup, element, figure, fragment, page, table
from scdp_flows.reports.results import Group, Results
from scdp_flows.reports.savings import savings_figure
from scdp_flows.reports.sections import drawn_section, origin_section
from scdp_flows.reports.series import arrange
from scdp_flows.reports.style import decimal_label, to_png
from scdp_flows.schemas.report import ReportDoc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scdp_flows.schemas.seeding_benchmark import SeedingBenchmarkDoc, StartSummary
    from scdp_flows.stores.factory import Stores

__all__ = ["SEEDING_COLUMNS", "SeedingColumn", "build_seeding_report", "seeding_cells"]

_HTML, _JSON = "seeding.html", "seeding.json"
_JSON_VERSION = 1


class SeedingColumn(NamedTuple):
    """Say how one column of the table is headed and filled."""

    heading: str
    """Heading with unit."""
    meaning: str
    """One line for readers who do not know the quantity."""
    text: Callable[[StartSummary], str]
    """Gives the cell of a row."""


def _with_saving(value: float | None, saved: float | None, form: str) -> str:
    if value is None or saved is None:
        return "–"
    return f"{value:{form}} ({saved:+.0f} %)"


def _plain(value: float | None, form: str) -> str:
    return "–" if value is None else f"{value:{form}}"


SEEDING_COLUMNS = (
    SeedingColumn(
        "SCF iterations",
        "Mean number until convergence; in brackets, saved against the default start.",
        lambda s: _with_saving(s.iterations_mean, s.iterations_saved_percent, ".2f"),
    ),
    SeedingColumn(
        "Fock builds",
        "Fock matrices, or applications of the Hamiltonian, the one of the start included.",
        lambda s: _with_saving(s.fock_builds_mean, s.fock_builds_saved_percent, ".1f"),
    ),
    SeedingColumn(
        "Fock work",
        "Builds after the start plus the time of prediction and start in units of one build.",
        lambda s: _with_saving(s.fock_work_mean, s.fock_work_saved_percent, ".2f"),
    ),
    SeedingColumn(
        "CPU / s",
        "Processor time of everything: prediction, start, files and calculation.",
        lambda s: _with_saving(s.cpu_s_mean, s.cpu_saved_percent, ".2f"),
    ),
    SeedingColumn(
        "wall / s",
        "Elapsed time of everything. On a machine with other work it says little.",
        lambda s: _with_saving(s.wall_s_mean, s.wall_saved_percent, ".2f"),
    ),
    SeedingColumn(
        "start, CPU / s",
        "Processor time of prediction and start alone.",
        lambda s: _plain(s.seed_cpu_s_mean, ".3f"),
    ),
    SeedingColumn(
        "more iterations / %",
        "Share of the structures that took more iterations than from the default start.",
        lambda s: _plain(s.more_iterations_percent, ".0f"),
    ),
    SeedingColumn(
        "slower / %",
        "Share of the structures that took more processor time than from the default start.",
        lambda s: _plain(s.slower_percent, ".0f"),
    ),
    SeedingColumn(
        "NMAE / %",
        "Integral of the error of the start over the number of electrons.",
        lambda s: _plain(s.nmae_percent_mean, ".3g"),
    ),
    SeedingColumn(
        "Coulomb error / mHa",
        "Electrostatic self-energy of the error of the start, (d|d)/2.",
        lambda s: _plain(s.coulomb_error_mha_mean, ".3g"),
    ),
    SeedingColumn(
        "max\N{NO-BREAK SPACE}|ΔE| / Ha",
        "Largest deviation of the converged energy; a start must never change the answer.",
        lambda s: decimal_label(float(f"{s.max_energy_difference_ha:.0e}")),
    ),
    SeedingColumn(
        "seeds used",
        "Runs that really came from the given density; the others fell back.",
        lambda s: f"{s.n_seeds_used}/{s.n_structures}",
    ),
)


def seeding_cells(doc: SeedingBenchmarkDoc) -> list[list[str]]:
    """Return the rows of the table: the start, then the text of each column."""
    return [
        [summary.start, *(column.text(summary) for column in SEEDING_COLUMNS)]
        for summary in doc.starts
    ]


def build_seeding_report(
    stores: Stores, folder: Path, benchmark_ids: Sequence[str], *, title: str
) -> ReportDoc:
    """Write ``seeding.html``, ``seeding.json`` and pictures, and store the report's document.

    Parameters
    ----------
    stores
        Open stores that hold the documents.
    folder
        Receives the files; made when missing.
    benchmark_ids
        Benchmarks to show.
    title
        Title of the report.

    Raises
    ------
    UnknownNameError
        If a document does not exist.
    StoreError
        If the folder cannot be written.
    """
    docs = [stores.reports.benchmarks.get(key) for key in dict.fromkeys(benchmark_ids)]
    files: dict[str, bytes] = {}
    groups = [_results(stores, doc) for doc in docs]
    parts = [element("h1", title)]
    for number, (doc, results) in enumerate(zip(docs, groups, strict=True)):
        parts.append(_section(doc, results, number))
        pictures = {
            "savings": savings_figure(doc, results.series),
            "cost": cost_figure(results.groups[0], results.series),
        }
        stem = re.sub(r"[^a-z0-9]+", "_", doc.name.lower()).strip("_") or "benchmark"
        name = f"{stem}_{doc.benchmark_id[:6]}"
        files |= {f"{name}_{what}.png": to_png(drawn) for what, drawn in pictures.items()}
    seeds = tuple(seed for results in groups for group in results.groups for seed in group.seeds)
    everything = Results(title, (), (Group("all", (), seeds),), arrange((), (), seeds))
    parts.append(origin_section(everything))
    numbers = {
        "version": _JSON_VERSION,
        "title": title,
        "benchmarks": [doc.to_dict() for doc in docs],
        "seeds": [seed.to_dict() for seed in seeds],
    }
    files[_JSON] = (json.dumps(numbers, indent=1) + "\n").encode()
    files[_HTML] = page(title, *parts).encode()
    write_files(Path(folder), files)
    summary = {doc.name: {s.start: s.iterations_saved_percent for s in doc.starts} for doc in docs}
    report = ReportDoc.from_files(
        title,
        files=[_HTML, _JSON, *sorted(n for n in files if n.endswith(".png"))],
        summary={"iterations_saved_percent": summary},
    )
    return stores.reports.reports.put(report)


def _results(stores: Stores, doc: SeedingBenchmarkDoc) -> Results:
    """Return the comparisons of a benchmark as a report shows them."""
    seeds = tuple(stores.reports.seeds.get(key) for key in doc.seed_ids)
    compared = tuple(seed for seed in seeds if seed.start("default"))
    series = arrange((), (), compared)
    return Results(doc.name, (), (Group(doc.name, (), compared),), series)


def _section(doc: SeedingBenchmarkDoc, results: Results, number: int) -> Markup:
    """Return the table and the drawings of one benchmark."""
    (group,) = results.groups
    headings = ["start", *(column.heading for column in SEEDING_COLUMNS)]
    meanings = ["", *(column.meaning for column in SEEDING_COLUMNS)]
    default = doc.start("default")
    count = default.n_structures if default else 0
    parts = [
        element("h2", doc.name),
        element("p", f"{count} structures by {doc.code}; {len(doc.failed)} could not be compared."),
        table(headings, seeding_cells(doc), meanings=meanings),
    ]
    parts += [
        element("p", f"{refusal.item}: {refusal.reason}", class_="note") for refusal in doc.failed
    ]
    drawings = {
        "savings": (lambda: savings_figure(doc, results.series), "Savings of each start"),
        "cost": (lambda: cost_figure(group, results.series), "Iterations and processor time"),
        "course": (lambda: scf_figure(group, results.series), "Convergence over the iterations"),
    }
    parts += [
        figure(drawn_section(draw, prefix=f"b{number}-{name}", description=text), text)
        for name, (draw, text) in drawings.items()
    ]
    return fragment(*parts)
