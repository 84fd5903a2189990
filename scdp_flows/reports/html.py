"""Write one HTML page that needs nothing but itself.

Text is escaped wherever it comes from; only what this module made counts as markup.
"""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Markup", "element", "figure", "fragment", "page", "table"]

_VOID = {"br", "hr", "meta"}


class Markup(str):
    """Mark text that is HTML already and must not be escaped again."""

    __slots__ = ()


def element(name: str, /, *content: str, **attributes: str) -> Markup:
    """Return an HTML element.

    Parameters
    ----------
    name
        Name of the element.
    content
        Text, which is escaped, and ``Markup``, which is not.
    attributes
        Attributes, escaped; a trailing underscore of a name is dropped, others become dashes.

    Examples
    --------
    >>> element("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    stated = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    if name in _VOID:
        return Markup(f"<{name}{stated}>")
    return Markup(f"<{name}{stated}>{fragment(*content)}</{name}>")


def fragment(*content: str) -> Markup:
    """Join pieces, escaping those that are plain text."""
    return Markup("".join(c if isinstance(c, Markup) else escape(c) for c in content))


def figure(drawing: Markup, caption: str) -> Markup:
    """Return a drawing with its caption."""
    return element("figure", drawing, element("figcaption", caption))


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, meanings: Sequence[str] = ()
) -> Markup:
    """Return a table whose first column names the row and whose others hold numbers.

    Parameters
    ----------
    headings
        One per column.
    rows
        Cells, as many as headings.
    meanings
        Explanations of the headings, shown when pointed at.
    """
    meanings = [*meanings, *[""] * (len(headings) - len(meanings))]
    head = [
        element("th", text, scope="col", **({"title": meaning} if meaning else {}))
        for text, meaning in zip(headings, meanings, strict=True)
    ]
    body = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(element("td", cell) for cell in row[1:]),
        )
        for row in rows
    ]
    filled = element("table", element("thead", element("tr", *head)), element("tbody", *body))
    # Wide tables scroll by themselves instead of widening the page.
    return element("div", filled, class_="scroll")


def page(title: str, *content: str) -> str:
    """Return a whole page.

    Parameters
    ----------
    title
        Title of the window.
    content
        Text, which is escaped, and ``Markup``, which is not.
    """
    style = Markup((files("scdp_flows.reports") / "page.css").read_text(encoding="utf-8"))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", style),
    )
    body = element("body", element("main", *content))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"
