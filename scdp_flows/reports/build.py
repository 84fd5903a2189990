"""Build a report: one page to look at and one file with the same numbers."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scdp_flows.errors import StoreError
from scdp_flows.reports.html import element, page
from scdp_flows.reports.results import gather
from scdp_flows.reports.sections import group_section, origin_section, training_section
from scdp_flows.reports.summary import headline, tiles
from scdp_flows.reports.tables import build_rows
from scdp_flows.schemas.provenance import Provenance
from scdp_flows.schemas.report import ReportDoc
from scdp_flows.stores.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_flows.reports.results import Results
    from scdp_flows.stores.factory import Stores

__all__ = ["HTML_FILE", "JSON_FILE", "build_report", "report_numbers", "write_files"]

HTML_FILE = "report.html"
JSON_FILE = "report.json"
_JSON_VERSION = 1
_PROGRAM = "scdp"


def build_report(
    stores: Stores,
    folder: Path,
    *,
    model_ids: Sequence[str] = (),
    evaluation_ids: Sequence[str] = (),
    seed_ids: Sequence[str] = (),
    title: str,
) -> ReportDoc:
    """Write a report of models, evaluations and restarts, and store its document.

    What is missing is left out with a note that says so.

    Parameters
    ----------
    stores
        Open stores that hold the documents.
    folder
        Receives ``report.html`` and ``report.json``; made when missing. Each file appears whole or
        not at all.
    model_ids
        Models to show, by identifier or name, the most important first.
    evaluation_ids
        Evaluations, the atomic baseline among them.
    seed_ids
        Comparisons of starts.
    title
        Title of the report.

    Returns
    -------
    ReportDoc
        Its summary holds the rows of the table.

    Raises
    ------
    UnknownNameError
        If a document does not exist.
    StoreError
        If the folder cannot be written.
    """
    results = gather(
        stores,
        model_ids=model_ids,
        evaluation_ids=evaluation_ids,
        seed_ids=seed_ids,
        title=title,
    )
    numbers = report_numbers(results)
    provenance = Provenance.collect(command=_command(sys.argv))
    html = _page(stores, results, provenance.command)
    text = json.dumps(numbers, indent=1) + "\n"
    write_files(Path(folder), {JSON_FILE: text.encode(), HTML_FILE: html.encode()})
    doc = ReportDoc.from_files(
        title, files=[HTML_FILE, JSON_FILE], summary={"groups": numbers["groups"]}
    )
    return stores.reports.reports.put(doc.updated(provenance=provenance))


def report_numbers(results: Results) -> dict[str, Any]:
    """Return everything that a report shows, as JSON types."""
    return {
        "version": _JSON_VERSION,
        "title": results.title,
        "notes": list(results.notes),
        "groups": [
            {
                "structures": group.title,
                "rows": [row.to_dict() for row in build_rows(group, results.series)],
            }
            for group in results.groups
        ],
        "models": [model.to_dict() for model in results.models],
        "evaluations": [doc.to_dict() for g in results.groups for doc in g.evaluations],
        "seeds": [doc.to_dict() for group in results.groups for doc in group.seeds],
    }


def _command(arguments: Sequence[str]) -> str | None:
    """Return the command line if it is ours; that of a notebook or worker explains nothing."""
    program = Path(arguments[0]).name if arguments else ""
    return shlex.join([program, *arguments[1:]]) if program == _PROGRAM else None


def _page(stores: Stores, results: Results, command: str | None) -> str:
    parts = [element("h1", results.title)]
    if results.groups:
        rows = build_rows(results.groups[0], results.series)
        parts += [element("p", headline(rows, results.series), class_="lead")]
        parts += [tiles(rows, results.series)]
    parts += [element("p", note, class_="note") for note in results.notes]
    parts += [
        group_section(stores, group, results.series, number=number)
        for number, group in enumerate(results.groups)
    ]
    parts += [training_section(results), origin_section(results, command=command)]
    return page(results.title, *parts)


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    """Write the files of a report, each whole or not at all.

    Parameters
    ----------
    folder
        Made when missing.
    files
        Name → content.

    Raises
    ------
    StoreError
        If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_whole(folder / name, content)
    except OSError as error:
        raise StoreError(
            f"{folder}: the report cannot be written: {error.strerror}; choose a folder that is "
            "writable and has space"
        ) from error
