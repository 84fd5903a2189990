"""Draw the ablation: a table, convergence against time, and error against prediction time."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ablation_judge import TESTS, Judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

__all__ = ["write_report"]

_DOCS = Path(__file__).parents[1] / "docs" / "design"
_TITLES = {"ethanol_test": "ethanol, unseen frames", "qm7_test": "unseen QM7 molecules"}
_HEAD = (
    "| variant | basis, target | NMAE % | Coulomb mHa | NMAE after one diagonalisation % "
    "| fit: NMAE %, Coulomb mHa | ms per molecule |\n|---|---|---|---|---|---|---|"
)

Means = dict[str, dict[str, float]]


def write_report(
    variants: Sequence[Any],
    runs: Sequence[tuple[str, Path]],
    floors: Mapping[str, Means],
    *,
    command: str,
    machine: str,
) -> None:
    """Write ``docs/design/ablation.md``'s table and its two figures.

    Parameters
    ----------
    variants
        Rows, in order.
    runs
        Name of the variant and folder of each run.
    floors
        Means of the best fits, by basis and target.
    command, machine
        How and where the numbers were measured.
    """
    judged = {
        variant.name: [
            Judge.means(json.loads((run / "judged.json").read_text()))
            for name, run in runs
            if name == variant.name
        ]
        for variant in variants
    }
    parts = [_table(part, variants, judged, floors) for part in TESTS]
    text = "\n".join(
        ["<!-- written by benchmarks/ablation.py -->", f"`{command}`; {machine}.", "", *parts]
    )
    (_DOCS / "ablation_table.md").write_text(text, encoding="utf-8")
    figures = _DOCS / "figures"
    figures.mkdir(exist_ok=True)
    _convergence(variants, runs, figures / "ablation_convergence.png")
    _pareto(variants, judged, figures / "ablation_pareto.png")


def _table(
    part: str,
    variants: Sequence[Any],
    judged: Mapping[str, Sequence[Mapping[str, Means]]],
    floors: Mapping[str, Means],
) -> str:
    lines = [f"**{_TITLES[part]}**", "", _HEAD]
    for variant in variants:
        means = [one[part] for one in judged[variant.name] if part in one]
        if not means:
            continue
        best = floors.get(f"{variant.basis} {variant.target}", {}).get(part)
        fit = "" if best is None else f"{best['nmae']:.2f}, {best['coulomb']:.4f}"
        lines.append(
            f"| {variant.name} | {variant.basis}, {variant.target} | {_span(means, 'nmae', '.2f')} "
            f"| {_span(means, 'coulomb', '.3f')} | {_span(means, 'nmae_dm0', '.3f')} "
            f"| {fit} "
            f"| {1e3 * fmean(one['seconds'] for one in means):.0f} |"
        )
    return "\n".join([*lines, ""])


def _span(means: Sequence[Any], quantity: str, form: str) -> str:
    values = [one[quantity] for one in means if quantity in one]
    shown = f"{fmean(values):{form}}"
    half = (max(values) - min(values)) / 2
    return f"{shown} ± {half:{form}}" if len(values) > 1 else shown


def _convergence(variants: Sequence[Any], runs: Sequence[tuple[str, Path]], path: Path) -> None:
    """Draw the validation loss against training time, one panel per loss."""
    import matplotlib.pyplot as plt

    panels = {"coulomb": "Coulomb error, Ha", "grid_mae": "mean absolute error, e/Å$^3$"}
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), constrained_layout=True)
    for (loss, label), axis in zip(panels.items(), axes, strict=True):
        shown = [v for v in variants if v.final_loss == loss]
        for number, variant in enumerate(shown):
            _curves(axis, f"C{number}", variant, [r for name, r in runs if name == variant.name])
        axis.set(yscale="log", xlabel="training time / s", ylabel=f"validation: {label}")
        axis.legend(fontsize=7, loc="upper right" if loss == "coulomb" else "center right")
        axis.set_ylim(top=axis.get_ylim()[1] * (8 if loss == "coulomb" else 2))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _curves(axis: Axes, color: str, variant: Any, runs: Sequence[Path]) -> None:
    for number, run in enumerate(runs):
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        points = [
            (r["training_seconds"], r["validation_loss"]) for r in rows if "validation_loss" in r
        ]
        label = variant.name if number == 0 else None
        axis.plot(*zip(*points, strict=True), color=color, lw=1, label=label)


def _pareto(
    variants: Sequence[Any], judged: Mapping[str, Sequence[Mapping[str, Means]]], path: Path
) -> None:
    """Draw NMAE against the time of a prediction."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 6), constrained_layout=True, sharey=True)
    for part, axis in zip(TESTS, axes, strict=True):
        for number, variant in enumerate(variants):
            means: list[Any] = [one[part] for one in judged[variant.name] if part in one]
            if not means:
                continue
            x = [1e3 * one["seconds"] for one in means]
            y = [one["nmae"] for one in means]
            marker = "osD^vP*X"[number % 8]
            axis.scatter(x, y, marker=marker, color=f"C{number % 10}", label=variant.name)
        axis.set(
            yscale="log",
            xlabel="network and assembly, ms of one core per molecule",
            title=_TITLES[part],
        )
    axes[0].set_ylabel("NMAE / %")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncol=3, fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
