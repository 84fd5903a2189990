"""Write the illustrated parts of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scdp_flows.errors import ScdpFlowsError
from scdp_flows.reports.comparison import compare_densities
from scdp_flows.reports.figures import cost_figure, error_figure, scf_figure, training_figure
from scdp_flows.reports.html import Markup, element, figure, fragment
from scdp_flows.reports.slices import slice_figure
from scdp_flows.reports.style import to_svg
from scdp_flows.reports.summary import details_table, summary_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.figure import Figure

    from scdp_flows.reports.results import Group, Results
    from scdp_flows.reports.series import Series
    from scdp_flows.stores.factory import Stores

__all__ = ["drawn_section", "group_section", "origin_section", "training_section"]


def group_section(
    stores: Stores, group: Group, series: Mapping[str, Series], *, number: int
) -> Markup:
    """Return table, errors, densities and restarts of one set of structures."""
    prefix = f"g{number}"
    parts = [element("h2", f"Results on the {group.title}"), summary_table(group, series)]
    if group.evaluations:
        parts += [element("h3", "Errors, structure by structure"), _errors(group, series, prefix)]
        parts += [element("h3", "Where the error sits"), _slice(stores, group, series, prefix)]
    if group.seeds:
        parts += [element("h3", "DFT restarted"), _restarts(group, series, prefix)]
    return fragment(*parts, details_table(group, series))


def _errors(group: Group, series: Mapping[str, Series], prefix: str) -> Markup:
    return _drawn(
        lambda: error_figure(group, series),
        prefix=f"{prefix}-errors",
        description="Error of each structure for each predictor, on logarithmic axes",
        caption="Each line is one structure, each mark one predictor; left is better. “Atomic” is "
        "the superposition of free atoms, which every model must beat. The Coulomb error is what "
        "decides how much a DFT run saves.",
    )


def _slice(stores: Stores, group: Group, series: Mapping[str, Series], prefix: str) -> Markup:
    captions = []

    def draw() -> Figure:
        found = compare_densities(stores, group, series)
        named = {series[key].name: values for key, values in found.predictions.items()}
        models = [series[key].name for key in found.predictions if series[key].is_model]
        captions.append(
            f"{found.doc.formula} (label {found.doc.density_id}), the structure with the median "
            "error, cut along the plane of its heavy atoms. Contours of the density at 0.02 to 2 "
            "e/Å³. Brown: too many electrons predicted, purple: too few. Small circles are atoms "
            "outside the plane."
        )
        return slice_figure(found.label, named, magnified=models)

    drawing = drawn_section(
        draw, prefix=f"{prefix}-slice", description="Density and errors on a plane"
    )
    return figure(drawing, captions[0]) if captions else drawing


def _restarts(group: Group, series: Mapping[str, Series], prefix: str) -> Markup:
    cost = _drawn(
        lambda: cost_figure(group, series),
        prefix=f"{prefix}-cost",
        description="SCF iterations and processor time of each start",
        caption="Numbers in the bubbles count structures; the vertical stroke is their mean. The "
        "pale part of a bar is the price of the start: prediction, first Fock matrix and one "
        "diagonalisation. “Exact density” is the limit: a perfect prediction would take that long.",
    )
    course = _drawn(
        lambda: scf_figure(group, series),
        prefix=f"{prefix}-scf",
        description="Convergence of energy and orbital gradient over the SCF iterations",
        caption="Median over the structures, with their full range as a band; lower and further "
        "left is better. A good start does not converge faster, it begins nearer to the end.",
    )
    return fragment(cost, course)


def training_section(results: Results) -> Markup:
    """Return the training curves, or say that there are none."""
    if not results.models:
        return Markup()
    trained = [model for model in results.models if len(model.history) > 1]
    unknown = ", ".join(model.name for model in results.models if model not in trained)
    note = f"No training history is stored with: {unknown}."
    missing = element("p", note, class_="small") if unknown else Markup()
    heading = element("h2", "Training")
    if not trained:
        return fragment(heading, missing)
    times = "; ".join(
        f"{model.name}: {model.train_seconds:.0f} s" for model in trained if model.train_seconds
    )
    caption = "Mean loss per structure: for the Coulomb loss twice the Coulomb error. Validation "
    caption += "structures are not trained on."
    if times:
        caption += f" Elapsed training time: {times}."
    drawing = _drawn(
        lambda: training_figure(trained, results.series),
        prefix="training",
        description="Training and validation loss over the steps, on a logarithmic axis",
        caption=caption,
    )
    return fragment(heading, drawing, missing)


def _drawn(draw: Callable[[], Figure], *, prefix: str, description: str, caption: str) -> Markup:
    drawing = drawn_section(draw, prefix=prefix, description=description)
    return figure(drawing, caption) if drawing.startswith("<svg") else drawing


def drawn_section(draw: Callable[[], Figure], *, prefix: str, description: str) -> Markup:
    """Return a drawing, or a note why it is missing: the rest of the report is worth having.

    Parameters
    ----------
    draw
        Gives the figure, or raises an error of ours.
    prefix
        Put before every identifier; unique in the page.
    description
        What screen readers say.
    """
    try:
        drawn = draw()
    except ScdpFlowsError as error:
        return element("p", f"This figure is missing: {error}.", class_="note")
    return Markup(to_svg(drawn, prefix=prefix, description=description))


def origin_section(results: Results, *, command: str | None = None) -> Markup:
    """Return what made the numbers: programs, machines, commands and identifiers.

    Parameters
    ----------
    results
        What the report is about.
    command
        The command that writes the report, where that is known.
    """
    provenances = results.provenances()
    parts = [element("h2", "Where this comes from")]
    if provenances:
        last = provenances[-1]
        packages = ", ".join(f"{name} {version}" for name, version in last.packages.items())
        codes = {f"{p.code} {p.code_version or ''}".strip() for p in provenances if p.code}
        facts = {
            "scdp-flows": ", ".join(sorted({p.scdp_flows_version for p in provenances})),
            "packages": packages,
            "labels": "; ".join(results.kinds),
            "DFT code": ", ".join(sorted(codes)),
            "machine": "; ".join(sorted({p.machine for p in provenances})),
            "made": f"{provenances[0].created_at[:19]} to {last.created_at[:19]} UTC",
        }
        parts.append(_definitions(facts))
    named = [*(p.command for p in provenances), command]
    commands = list(dict.fromkeys(one for one in named if one))
    if commands:
        parts += [element("p", "Commands:"), element("pre", "\n".join(commands))]
    models = {one.name: one.key for one in results.series.values() if one.is_model}
    parts.append(_definitions({f"model {name}": key for name, key in models.items()}))
    return fragment(*parts)


def _definitions(facts: Mapping[str, str]) -> Markup:
    pairs = [
        part
        for name, fact in facts.items()
        if fact
        for part in (element("dt", name), element("dd", fact))
    ]
    return element("dl", *pairs) if pairs else Markup()
