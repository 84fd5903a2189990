"""Draw in one style, and turn figures into SVG that adapts to light and dark pages."""

from __future__ import annotations

import io
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "GRID",
    "INK",
    "MUTED",
    "decimal_label",
    "decorate",
    "logarithmic",
    "new_figure",
    "text_on",
    "to_png",
    "to_svg",
]

# These colours exist nowhere else, so that `to_svg` can replace them by those of the page.
INK = "#1b1c1e"
MUTED = "#6b6e73"
GRID = "#d7d9dd"
_PAGE_COLOURS = {INK: "currentColor", MUTED: "var(--muted)", GRID: "var(--grid)"}

_STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "path.simplify": True,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 9,
}
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@contextmanager
def new_figure(width: float, height: float) -> Iterator[Figure]:
    """Give an empty figure, with the style of reports in force while it is drawn.

    No window system and no global state of pyplot is touched.

    Parameters
    ----------
    width, height
        Size in inches.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


def decorate(axes: Axes, title: str, *, x: str = "", y: str = "", grid: str = "both") -> None:
    """Give axes their title, labels and a light grid.

    Parameters
    ----------
    axes
        The axes.
    title
        Stands above, left.
    x, y
        Labels with units.
    grid
        ``"x"``, ``"y"`` or ``"both"``.
    """
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if grid in {"x", "both"}:
        axes.grid(visible=True, axis="x")
    if grid in {"y", "both"}:
        axes.grid(visible=True, axis="y")


def logarithmic(axes: Axes, which: str) -> None:
    """Make an axis logarithmic, with ticks that can be read whatever its range.

    Parameters
    ----------
    axes
        The axes, already drawn into.
    which
        ``"x"`` or ``"y"``.
    """
    from matplotlib.ticker import LogLocator

    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = sorted(axis.get_view_interval())
    decades = high / low if low > 0 else 1.0
    # Within a few decades, powers of ten alone would leave one or two ticks.
    steps = (1.0, 2.0, 5.0) if decades < 300 else (1.0,)
    axis.set_major_locator(LogLocator(subs=steps, numticks=9))
    axis.set_major_formatter(decimal_label)
    axis.set_minor_formatter(lambda value, position: "")  # noqa: ARG005 - a formatter


def text_on(colour: str) -> str:
    """Return black or white, whichever is read better on a colour ``#rrggbb``.

    Examples
    --------
    >>> text_on("#0072b2"), text_on("#e69f00")
    ('#ffffff', '#000000')
    """
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    # Relative luminance with a plain square for gamma; exact enough to choose one of two.
    luminance = 0.2126 * red**2 + 0.7152 * green**2 + 0.0722 * blue**2
    return "#000000" if luminance > 0.27 else "#ffffff"


def decimal_label(value: float, position: float | None = None) -> str:  # noqa: ARG001 - a formatter
    """Write a tick of a logarithmic axis: plain where that is short, else as a power of ten.

    Examples
    --------
    >>> decimal_label(0.1), decimal_label(30.0), decimal_label(1e-6), decimal_label(2e-5)
    ('0.1', '30', '10⁻⁶', '2×10⁻⁵')
    """
    if value == 0 or 1e-3 < abs(value) * 1.0000001 < 1e4:
        return f"{value:g}"
    mantissa, _, exponent = f"{value:.0e}".partition("e")
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPTS)
    return power if mantissa == "1" else f"{mantissa}×{power}"


def to_png(figure: Figure, *, dpi: int = 150) -> bytes:
    """Return a figure as a PNG picture on white."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
    return buffer.getvalue()


def to_svg(figure: Figure, *, prefix: str, description: str) -> str:
    """Return a figure as an ``<svg>`` element to stand inside a page.

    Text stays text, and ink, muted and grid colours become those of the page, so that the figure
    can be read in light and in dark. Nothing in it refers to anything outside.

    Parameters
    ----------
    figure
        Drawn inside ``new_figure``.
    prefix
        Put before every identifier; unique in the page, made of letters, digits and dashes.
    description
        What screen readers say; plain text.
    """
    from html import escape

    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context({**_STYLE, "svg.hashsalt": prefix}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    root, _, content = text[text.index("<svg") :].partition(">")
    # Inside HTML the element needs no namespaces, and the page decides about its size.
    root = re.sub(r'\s(?:xmlns(?::\w+)?|version|width|height)="[^"]*"', "", root)
    content = re.sub(r"<metadata>.*?</metadata>", "", content, flags=re.DOTALL)
    return _for_page(f"{root}>{content}", prefix=prefix, label=escape(description))


def _for_page(text: str, *, prefix: str, label: str) -> str:
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = text.replace("url(#", f"url(#{prefix}-").replace('href="#', f'href="#{prefix}-')
    for colour, page in _PAGE_COLOURS.items():
        text = text.replace(colour, page)
    return text.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
