from __future__ import annotations

from html.parser import HTMLParser

from scdp_flows.reports.html import Markup, element, figure, fragment, page, table


class _Balance(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag not in {"meta", "br", "hr"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_text_and_attributes_are_escaped() -> None:
    made = element("p", "<script>", title='"><script>')
    assert made == '<p title="&quot;&gt;&lt;script&gt;">&lt;script&gt;</p>'


def test_markup_is_not_escaped_twice() -> None:
    assert element("div", element("b", "a & b")) == "<div><b>a &amp; b</b></div>"
    assert isinstance(fragment("a", Markup("<br>")), Markup)


def test_names_of_attributes_are_those_of_html() -> None:
    assert element("p", class_="x", aria_label="y") == '<p class="x" aria-label="y"></p>'


def test_tables_escape_their_cells() -> None:
    made = table(["name", "n"], [["<a>", "1"]], meanings=["", "how many"])
    assert "&lt;a&gt;" in made
    assert 'title="how many"' in made


def test_a_page_is_balanced_and_asks_for_nothing() -> None:
    made = page("T & C", element("h1", "x"), figure(Markup("<svg></svg>"), "caption"))
    parser = _Balance()
    parser.feed(made)
    assert parser.open == []
    assert "<title>T &amp; C</title>" in made
    for sign in ("http:", "https:", "src=", "@import", "url("):
        assert sign not in made


def test_a_page_has_light_and_dark_colours() -> None:
    assert "prefers-color-scheme: dark" in page("T")
